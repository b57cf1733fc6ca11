package act

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Answering tells who of the cluster answers.
type Answering interface {
	// Answers returns nil when an API server is ready on one of its own addresses.
	Answers(ctx context.Context) error
	// VIPs tells which virtual address leads to a ready API server.
	VIPs(ctx context.Context) map[netip.Addr]bool
}

// Settle waits until the outcome of earlier steps can be seen.
type Settle struct {
	Members   Members
	Answering Answering
	Orders    Orders
	IsControl func(node string) bool
}

// Do implements the verb.
func (t Settle) Do(ctx context.Context, s step.Step, v step.Settle, report step.Reporter) error {
	switch v.For {
	case step.SettleAPI:
		w := Wait{For: "an API server that is ready", Long: 15 * time.Minute, Next: "the nodes are looked at"}
		return poll(ctx, w, 2*time.Second, report, func(ctx context.Context) (bool, string) {
			if err := t.Answering.Answers(ctx); err != nil {
				return false, err.Error()
			}
			return true, ""
		})
	case step.SettleAddress:
		return t.address(ctx, report)
	case step.SettleMember:
		return t.member(ctx, s.Host, t.IsControl(s.Host), report)
	}
	return fmt.Errorf("settle: nothing is known of %q", v.For)
}

func (t Settle) address(ctx context.Context, report step.Reporter) error {
	w := Wait{For: "the virtual addresses to lead to a ready API server", Long: 10 * time.Minute, Next: "nodes join through them"}
	return poll(ctx, w, 2*time.Second, report, func(ctx context.Context) (bool, string) {
		all, said := true, []string{}
		vips := t.Answering.VIPs(ctx)
		for _, addr := range slices.SortedFunc(maps.Keys(vips), netip.Addr.Compare) {
			all = all && vips[addr]
			said = append(said, fmt.Sprintf("%s answers: %t", addr, vips[addr]))
		}
		return all && len(vips) > 0, strings.Join(said, ", ")
	})
}

// member waits until the node is Ready and, of a control plane, its etcd
// member votes. Then the host's agent has done its work.
func (t Settle) member(ctx context.Context, host string, control bool, report step.Reporter) error {
	w := Wait{For: "the node to be Ready", Long: 15 * time.Minute, Next: "the agent's work is done"}
	if control {
		w.For += " and its etcd member to vote"
	}
	err := poll(ctx, w, time.Second, report, func(ctx context.Context) (bool, string) {
		m, err := t.Members.Member(ctx, host)
		if err != nil {
			return false, err.Error()
		}
		return m.Ready && (m.EtcdVoter || !control), state(m, control)
	})
	if err != nil {
		return err
	}
	report(step.Event{Mark: step.MarkReady, Note: "the node is Ready"})
	t.Orders.Order(host, agent.Word{Done: true})
	return nil
}

func state(m facts.Member, control bool) string {
	if !m.Exists {
		return "the cluster has no such node yet"
	}
	said := fmt.Sprintf("node Ready: %t", m.Ready)
	if m.NotReady != "" {
		said += " (" + m.NotReady + ")"
	}
	if control {
		said += fmt.Sprintf(", etcd member votes: %t", m.EtcdVoter)
	}
	return said
}
