package act

import (
	"context"
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Members is what joining needs of the cluster.
type Members interface {
	// Member looks at one node.
	Member(ctx context.Context, node string) (facts.Member, error)
	// Admit prepares the cluster for a node that joins: what an earlier life of
	// the host left in it, an etcd member above all, is gone afterwards.
	Admit(ctx context.Context, node string) error
}

// Join makes a node of a host, or forms the cluster on it.
type Join struct {
	Members Members
	Kubeadm func(ctx context.Context, node string, form, controlPlane bool) (agent.Join, error)
	Orders  Orders
	Signals *Signals
}

// Form implements the verb step.Form. It ends when kubeadm's phases are done;
// the node becomes Ready once the cluster has a network.
func (j Join) Form(ctx context.Context, s step.Step, _ step.Form, report step.Reporter) error {
	order, err := j.Kubeadm(ctx, s.Host, true, true)
	if err != nil {
		return err
	}
	return j.phases(ctx, s.Host, order, report)
}

// Join implements the verb step.Join. It ends when the node is Ready and the
// etcd member of a control plane votes.
func (j Join) Join(ctx context.Context, s step.Step, v step.Join, report step.Reporter) error {
	if err := j.Members.Admit(ctx, s.Host); err != nil {
		return &step.Retry{After: 5 * time.Second, Reason: "the cluster could not admit the node", Err: err}
	}
	order, err := j.Kubeadm(ctx, s.Host, false, v.ControlPlane)
	if err != nil {
		return err
	}
	if err := j.phases(ctx, s.Host, order, report); err != nil {
		return err
	}
	return Settle{Members: j.Members, Orders: j.Orders}.member(ctx, s.Host, v.ControlPlane, report)
}

// phases gives the order and follows the host through it. The host goes on by
// itself while nobody listens; a run that comes back hears of the end.
func (j Join) phases(ctx context.Context, host string, order agent.Join, report step.Reporter) error {
	in, stop := j.Signals.Watch(host)
	defer stop()
	word := agent.Word{Join: &order}
	j.Orders.Order(host, word)
	w := Wait{
		For: fmt.Sprintf("kubeadm's %d phases", len(order.Phases)), Long: 35 * time.Minute, Next: "the node becomes Ready",
		Hint: "look at the host's console",
	}
	return until(ctx, w, in, report, func(s Signal) (bool, error) {
		switch {
		case s.Kind == KindHello:
			return s.Hello.Have == word.Digest(), nil
		case s.Kind == KindReport && s.Report.Status == agent.StatusFailed:
			return false, tryAgain(reported(*s.Report), 10*time.Second, "the host tries again")
		}
		return false, nil
	})
}
