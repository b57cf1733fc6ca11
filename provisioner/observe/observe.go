// Package observe asks every tool for facts: the management controllers, the
// nodes' agents, the Kubernetes and etcd APIs. It changes nothing.
package observe

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// Asking is how far a look at the controllers is.
type Asking struct {
	Total    int
	Waiting  []string  // the hosts whose controllers did not answer yet, sorted; empty at the end
	Deadline time.Time // by which the last of them has answered or is given up; zero when there is none
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
	return seen, ctx.Err()
}

// controllers asks all management controllers, Limit at once.
func (o *Observer) controllers(ctx context.Context) map[string]facts.Host {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		out  = make(map[string]facts.Host, len(o.Controllers))
		gate = make(chan struct{}, max(o.Limit, 1))
	)
	defer o.report(func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.DeleteFunc(slices.Sorted(maps.Keys(o.Controllers)), func(name string) bool {
			_, answered := out[name]
			return answered
		})
	})()
	for name, c := range o.Controllers {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			got := o.ask(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			out[name] = facts.Host{BMC: got}
		})
	}
	wg.Wait()
	return out
}

// ask asks one controller, and gives it up when it takes too long.
func (o *Observer) ask(ctx context.Context, c Controller) facts.BMC {
	bound, cancel := ctx, func() {}
	if o.Within > 0 {
		bound, cancel = context.WithTimeout(ctx, o.Within)
	}
	defer cancel()
	got, err := c.Facts(bound)
	if err != nil {
		got.Err = err.Error()
	}
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		got.Err += fmt.Sprintf("; it did not tell all within %s and was given up: look whether something else keeps the BMC busy, or restart it", o.Within)
	}
	return got
}

// report tells every second who is waited for, until the function that it
// returns is called; where it told anything, it tells the end as well.
func (o *Observer) report(waiting func() []string) (stop func()) {
	if o.Tell == nil {
		return func() {}
	}
	now := Asking{Total: len(o.Controllers)}
	if o.Within > 0 {
		rounds := (len(o.Controllers) + max(o.Limit, 1) - 1) / max(o.Limit, 1)
		now.Deadline = time.Now().Add(time.Duration(rounds) * o.Within)
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for told := false; ; told = true {
			select {
			case <-tick.C:
				now.Waiting = waiting()
				o.Tell(now)
			case <-over:
				if now.Waiting = nil; told {
					o.Tell(now)
				}
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
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
