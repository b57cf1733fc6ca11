package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Orders gives a host its next word.
type Orders interface {
	Order(node string, w agent.Word)
}

// Install netboots a host and has the image written to its disk.
type Install struct {
	Netboot
	Workflow func(node string, v step.Install) (agent.Install, error)
	Lag      time.Duration // how long a controller may show old BIOS attributes after POST
}

// Do implements the verb. A host cut short anywhere is booted again: nothing
// of an earlier try is trusted.
func (i Install) Do(ctx context.Context, s step.Step, v step.Install, report step.Reporter) error {
	m, err := i.Machine(s.Host)
	if err != nil {
		return err
	}
	order, err := i.Workflow(s.Host, v)
	if err != nil {
		return err
	}
	in, stop := i.Signals.Watch(s.Host)
	defer stop()
	i.Orders.Order(s.Host, agent.Word{})
	defer i.Boots.Close(s.Host)
	i.next = "the image is written"
	if err := i.boot(ctx, s.Host, m, in, report); err != nil {
		return err
	}
	if err := firmwareHolds(ctx, m, v.Firmware, i.Lag, report); err != nil {
		return err
	}
	i.Orders.Order(s.Host, agent.Word{Install: &order})
	if err := i.written(ctx, in, report); err != nil {
		return again(err)
	}
	i.Boots.Close(s.Host) // a host that restarts now starts from its disk
	return again(i.speaks(ctx, in, v, report))
}

// written waits until the image is on the disk and was read back. A host that
// asks for its boot script again has lost the work: it is told at once.
func (i Install) written(ctx context.Context, in <-chan Signal, report step.Reporter) error {
	w := Wait{For: "the image to be written and read back", Long: 25 * time.Minute, Next: "the host starts the installed system"}
	return until(ctx, w, in, report, func(s Signal) (bool, error) {
		switch {
		case s.Kind == KindScript:
			return false, errors.New("the host restarted before the image was written")
		case s.Kind != KindReport:
			return false, nil
		case s.Report.Status == agent.StatusFailed:
			return false, reported(*s.Report)
		}
		return s.Report.Mark == step.MarkWritten, nil
	})
}

// speaks waits until the installed system says that it is what was wanted.
func (i Install) speaks(ctx context.Context, in <-chan Signal, v step.Install, report step.Reporter) error {
	w := Wait{For: "the installed system to say hello", Long: 12 * time.Minute, Next: "the node forms or joins the cluster"}
	return until(ctx, w, in, report, func(s Signal) (bool, error) {
		if s.Kind == KindReport && s.Report.Status == agent.StatusFailed {
			return false, reported(*s.Report) // the configuration could not be laid, the kernel not be started
		}
		if s.Kind != KindHello || s.Hello.Stage != agent.StageNode {
			return false, nil
		}
		if s.Hello.Generation != v.Generation {
			return false, fmt.Errorf("it runs generation %q and was given %q", s.Hello.Generation, v.Generation)
		}
		return true, started(s.Hello.Root, report)
	})
}

// started tells what the installed system says of itself. One whose root is
// wrong is no node, and one that doesn't have the signed words of its class is not
// what was wanted, whatever else it does; one whose root nobody verifies is, and
// that is told.
func started(root *facts.Root, report step.Reporter) error {
	note := "the installed system says hello; "
	switch {
	case root == nil:
		note += "it doesn't say whether its root is verified"
	case root.Verity == facts.RootCorrupt:
		return fmt.Errorf("its root partition doesn't hold what was written: %s", root.Why)
	case root.Line != "":
		return &step.Hold{
			Reason: "its kernel line is not what was signed", Err: errors.New(root.Line),
			Hint: "its console says what became of " + addonName + ": firmware that refuses it names it there, one that reads no add-ons says nothing; update that firmware, or take the words out of the host's class",
		}
	case root.Verity == facts.RootVerified:
		note += "each block of its root is verified"
	default:
		note += "nothing verifies its root: " + root.Why
	}
	report(step.Event{Mark: step.MarkKernel, Note: note})
	lacks(root, report)
	return nil
}

// addonName is where the signed words of a class lie on a host's system partition.
const addonName = `\loader\addons\ra2.addon.efi`

// lacks tells what of the kernel line of its class a host doesn't have.
func lacks(root *facts.Root, report step.Reporter) {
	if root != nil && len(root.Lacks) > 0 {
		report(step.Event{Note: "of the kernel line of its class, not in force: " + strings.Join(root.Lacks, "; ")})
	}
}

// first matches the first signal of one of these kinds.
func first(kinds ...Kind) func(Signal) (bool, error) {
	return func(s Signal) (bool, error) { return slices.Contains(kinds, s.Kind), nil }
}

// again lets the engine try once more what a fresh boot may mend.
func again(err error) error { return tryAgain(err, 5*time.Second, "the host is booted again") }

// tryAgain asks the engine for another try, unless a person is needed.
func tryAgain(err error, after time.Duration, reason string) error {
	if err == nil {
		return nil
	}
	if _, held := errors.AsType[*step.Hold](err); held {
		return err
	}
	return &step.Retry{After: after, Reason: reason, Err: err}
}

// reported is what a host says of its own failure. One that needs a person,
// because the disk isn't there, is held.
func reported(r agent.Report) error {
	text := r.Note
	if text == "" {
		text = r.Phase + " failed"
	}
	if r.Evidence != "" {
		text += "\n" + r.Evidence
	}
	err := errors.New(text)
	if r.Held {
		return &step.Hold{Reason: "the host stopped", Hint: r.Next, Err: err}
	}
	return err
}
