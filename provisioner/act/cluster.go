package act

import (
	"context"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Objects is what Apply needs of the cluster.
type Objects interface {
	Apply(ctx context.Context) error
}

// Apply brings the cluster's own objects to what is wanted.
func Apply(o Objects) func(context.Context, step.Step, step.Apply, step.Reporter) error {
	return func(ctx context.Context, _ step.Step, _ step.Apply, report step.Reporter) error {
		report(step.Event{Note: "applying the pod network"})
		if err := o.Apply(ctx); err != nil {
			return &step.Retry{After: 5 * time.Second, Reason: "the API server did not take the objects", Err: err}
		}
		return nil
	}
}

// Reach is what Probe needs of the cluster.
type Reach interface {
	// Reach proves that pods of different nodes reach each other; it returns
	// one line of evidence for each way.
	Reach(ctx context.Context) ([]string, error)
	// Remember keeps the proof in the cluster.
	Remember(ctx context.Context) error
}

// Probe proves that pods reach each other.
func Probe(r Reach) func(context.Context, step.Step, step.Probe, step.Reporter) error {
	return func(ctx context.Context, _ step.Step, _ step.Probe, report step.Reporter) error {
		report(step.Event{Note: "starting two pods on two nodes", Next: "each asks the other over every family"})
		lines, err := r.Reach(ctx)
		for _, l := range lines {
			report(step.Event{Note: l})
		}
		if err != nil {
			return &step.Retry{After: 10 * time.Second, Reason: "pods did not reach each other", Err: err}
		}
		if err := r.Remember(ctx); err != nil {
			return &step.Retry{After: 5 * time.Second, Reason: "the proof could not be kept", Err: err}
		}
		return nil
	}
}

// Leaver is what Remove needs of the cluster.
type Leaver interface {
	// Leave removes the node's etcd member, if the others keep quorum, and its
	// Node object. It doesn't need the node.
	Leave(ctx context.Context, node string) error
}

// Remove takes a node out of the cluster.
func Remove(l Leaver) func(context.Context, step.Step, step.Remove, step.Reporter) error {
	return func(ctx context.Context, s step.Step, _ step.Remove, report step.Reporter) error {
		report(step.Event{Note: "leaving the cluster", Next: "the host is written anew"})
		if err := l.Leave(ctx, s.Host); err != nil {
			return &step.Retry{After: 10 * time.Second, Reason: "the node could not leave the cluster", Err: err}
		}
		return nil
	}
}
