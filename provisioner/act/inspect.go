package act

import (
	"context"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Inspect netboots a host and lets it tell what it is made of.
type Inspect struct {
	Netboot
	// Told returns nil when what the host told with its claim is kept.
	Told func(node string) error
}

// Do implements the verb. The host never gets an order, so that the installer
// writes nothing; it is switched off while it waits for one.
func (i Inspect) Do(ctx context.Context, s step.Step, _ step.Inspect, report step.Reporter) error {
	m, err := i.Machine(s.Host)
	if err != nil {
		return err
	}
	in, stop := i.Signals.Watch(s.Host)
	defer stop()
	i.Orders.Order(s.Host, agent.Word{})
	defer i.Boots.Close(s.Host)
	i.next = "the host is switched off and judged"
	if err := i.boot(ctx, s.Host, m, in, report); err != nil {
		return err
	}
	i.Boots.Close(s.Host)
	if err := m.Power(ctx, PowerOff, report); err != nil {
		return err
	}
	if err := i.Told(s.Host); err != nil {
		return &step.Hold{
			Reason: "the host was booted, and what it is made of is still not known",
			Hint:   "an image of an older ra2-deploy can't tell: build it anew; or waive the requirements with a reason and an end", Err: err,
		}
	}
	return nil
}
