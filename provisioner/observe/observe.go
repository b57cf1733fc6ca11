// Package observe asks every tool for facts: the management controllers, the
// nodes' agents, the Kubernetes and etcd APIs. It changes nothing.
package observe

import (
	"context"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// A Controller tells what one host's management controller knows.
type Controller interface {
	Facts(ctx context.Context) (facts.BMC, error)
}

// Cluster tells what the cluster's own APIs know.
type Cluster interface {
	// Facts returns the cluster and its nodes by name. A cluster that can't be
	// asked is a fact (Answers is false, Err says why).
	Facts(ctx context.Context) (facts.Cluster, map[string]facts.Member)
}

// Agents tells what the nodes' agents said in this run.
type Agents interface {
	Heard(node string) facts.Agent
}

// Observer asks everyone at once.
type Observer struct {
	Controllers map[string]Controller // by node
	Cluster     Cluster               // nil before the cluster has keys
	Agents      Agents                // nil when nobody listens (plan, status)
	Limit       int                   // controllers asked at once
	Within      time.Duration         // how long one controller may take for all that it tells; 0 is as long as it likes
	Patience    time.Duration         // how long a host that should speak may stay silent
	Tell        func(Asking)          // hears every second how far the look at the controllers is, and the end of it where it told anything; may be nil
}

// Seen looks once. The function expected says which hosts hold an image that
// should speak by itself; those are waited for, at most Patience.
func (o *Observer) Seen(ctx context.Context, expected func(node string) bool) (facts.Seen, error) {
	var (
		wg      sync.WaitGroup
		seen    facts.Seen
		members map[string]facts.Member
	)
	if o.Cluster != nil {
		wg.Go(func() { seen.Cluster, members = o.Cluster.Facts(ctx) })
	}
	hosts := o.controllers(ctx)
	wg.Wait()
	seen.Hosts = hosts
	for name, h := range hosts {
		h.Member = members[name]
		h.Member.Known = seen.Cluster.Answers
		hosts[name] = h
	}
	if o.Agents != nil {
		o.listen(ctx, hosts, expected)
	}
	for name, h := range hosts {
		h.Member = h.Member.Since(h.Agent.Started)
		hosts[name] = h
	}
	return seen, ctx.Err()
}

// listen takes what the agents said, and waits for those that should speak.
func (o *Observer) listen(ctx context.Context, hosts map[string]facts.Host, expected func(string) bool) {
	bound, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := 0
		for name, h := range hosts {
			h.Agent = o.Agents.Heard(name)
			hosts[name] = h
			if h.Agent.Heard.IsZero() && h.BMC.Power == "On" && !h.Member.Ready && expected(name) {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-bound.Done():
			return
		}
	}
}
