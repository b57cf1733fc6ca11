package act

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Wake switches on a host that holds its image.
type Wake struct {
	Machine func(node string) (Machine, error)
	Heard   func(node string) facts.Agent
	Members Members
	Signals *Signals
	POST    time.Duration
}

// Do implements the verb. A host that runs and stays silent is power-cycled
// once; it is never written anew here.
func (k Wake) Do(ctx context.Context, s step.Step, v step.Wake, report step.Reporter) error {
	m, err := k.Machine(s.Host)
	if err != nil {
		return err
	}
	in, stop := k.Signals.Watch(s.Host)
	defer stop()
	began := time.Now()
	if err := m.Power(ctx, PowerOn, report); err != nil {
		return err
	}
	w := Wait{For: "the installed system to say hello", Long: k.POST + 2*time.Minute, Next: "the node is looked at again"}
	err = k.awake(ctx, s.Host, v, w, began, in, report)
	if _, silent := errors.AsType[*Silence](err); !silent {
		return err
	}
	began = time.Now()
	if err := m.Power(ctx, PowerCycle, report); err != nil {
		return err
	}
	if err := k.awake(ctx, s.Host, v, w, began, in, report); err != nil {
		return &step.Hold{
			Reason: "the host holds its image and stays silent",
			Hint:   "look at its console; `ra2-deploy rebuild " + s.Host + " INVENTORY` writes it anew",
			Err:    err,
		}
	}
	return nil
}

// awake waits for a hello of the wanted generation, or for the node to be Ready by
// a word that is newer than its power.
func (k Wake) awake(ctx context.Context, host string, v step.Wake, w Wait, began time.Time, in <-chan Signal, report step.Reporter) error {
	last := nothing
	return poll(ctx, w, time.Second, report, func(ctx context.Context) (bool, string) {
		a := k.Heard(host)
		if a.Stage == agent.StageNode && a.Generation == v.Generation {
			lacks(a.Root, report)
			return true, ""
		}
		if m, err := k.Members.Member(ctx, host); err == nil && m.Since(began).Ready {
			return true, ""
		}
		if a.Stage == agent.StageNode {
			return false, fmt.Sprintf("it runs generation %q and should run %q", a.Generation, v.Generation)
		}
		last = latest(in, last)
		return false, last
	})
}

// latest returns the note of the newest signal that has one, else last.
func latest(in <-chan Signal, last string) string {
	for {
		select {
		case s := <-in:
			if s.Note != "" {
				last = s.Note
			}
		default:
			return last
		}
	}
}

// Off switches a host off.
type Off struct {
	Machine func(node string) (Machine, error)
}

// Do implements the verb.
func (o Off) Do(ctx context.Context, s step.Step, _ step.PowerOff, report step.Reporter) error {
	m, err := o.Machine(s.Host)
	if err != nil {
		return err
	}
	return m.Power(ctx, PowerOff, report)
}
