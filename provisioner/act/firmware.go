package act

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Firmware is what SetBIOS needs of a management controller.
type Firmware interface {
	Machine
	// SetBIOS writes the attributes that differ from both the values in force
	// and the pending ones, and reads the pending ones back.
	SetBIOS(ctx context.Context, attributes map[string]any) error
}

// SetBIOS writes firmware attributes.
type SetBIOS struct {
	Machine func(node string) (Firmware, error)
	POST    time.Duration // how long a restart may take
}

// Do implements the verb. Success is the value read back after POST, not a
// job that was accepted, nor one that says it is done.
func (b SetBIOS) Do(ctx context.Context, s step.Step, v step.SetBIOS, report step.Reporter) error {
	m, err := b.Machine(s.Host)
	if err != nil {
		return err
	}
	if err := m.SetBIOS(ctx, v.Attributes); err != nil {
		return err
	}
	if !v.Restart {
		report(step.Event{Note: "pending; the power-on that follows applies them"})
		return nil
	}
	if err := m.Power(ctx, PowerCycle, report); err != nil {
		return err
	}
	w := Wait{
		For: "the attributes to be in force after POST", Long: b.POST, Next: "the host is looked at again",
		Hint: "look into the host's setup and into the job queue of its BMC",
	}
	_, err = inForce(ctx, m, v.Attributes, w, report)
	return err
}

// firmwareHolds compares the attributes in force after POST with those that
// were written: a controller that accepts a setting and forgets it is found here,
// before the disk is touched. Some show old values for a while (lag) after the
// host has passed POST: the firmware hands the new ones over when it is through.
func firmwareHolds(ctx context.Context, m Machine, want map[string]any, lag time.Duration, report step.Reporter) error {
	if len(want) == 0 {
		return nil
	}
	w := Wait{For: "the BIOS attributes to be in force", Long: lag, Next: "the image is written"}
	last, err := inForce(ctx, m, want, w, report)
	_, silent := errors.AsType[*Silence](err)
	switch {
	case err == nil:
		return nil
	case silent && last.err != nil:
		return fmt.Errorf("read the BIOS attributes back after POST: %w", last.err)
	case silent:
		return &step.Hold{
			Reason: "written, restarted, and still: " + last.bad,
			Hint:   "the firmware accepts the setting and does not keep it; look into its setup or its job queue",
		}
	}
	return err
}

// look is one look at the attributes in force.
type look struct {
	bad string // which are not as they should be
	err error  // why they could not be read
}

// inForce waits until the attributes are in force. It ends early when the
// controller's own job failed: a person is needed. What a job says is evidence,
// the values are the proof.
func inForce(ctx context.Context, m Machine, want map[string]any, w Wait, report step.Reporter) (last look, err error) {
	var failed error
	err = poll(ctx, w, 2*time.Second, report, func(ctx context.Context) (bool, string) {
		got, err := m.BIOS(ctx)
		if err != nil {
			if ctx.Err() == nil { // a look that is cut short is no evidence
				last = look{err: err}
			}
			return false, err.Error()
		}
		last = look{bad: unkept(got, want)}
		state, said := jobSays(ctx, m)
		switch {
		case last.bad == "" && state != jobWaiting:
			return true, ""
		case last.bad == "": // some controllers tell the new values before they are in force
			last.bad = "all values are told already, and " + said
			return false, last.bad
		case state == jobFailed:
			failed = &step.Hold{
				Reason: "the BMC could not apply the settings: " + said + "; " + last.bad,
				Hint:   "mend what its job complains of, clear its queue of jobs, and run again",
			}
			return true, ""
		case said != "":
			return false, last.bad + "; " + said
		}
		return false, last.bad
	})
	if failed != nil {
		err = failed
	}
	return last, err
}

// The states of a controller's job that matter here.
const (
	jobWaiting = "waiting" // not done yet
	jobFailed  = "failed"
)

// jobSays asks a controller that can tell how the job of the last change
// stands. One that can't, or that has forgotten it, leaves the values to decide.
func jobSays(ctx context.Context, m Machine) (state, said string) {
	j, ok := m.(interface {
		BIOSJob(ctx context.Context) (state, said string, err error)
	})
	if !ok {
		return "", ""
	}
	state, said, err := j.BIOSJob(ctx)
	if err != nil {
		return "", "its job: " + err.Error()
	}
	return state, said
}

// unkept tells which attributes are not what they should be; empty is none.
// Values are compared as text: JSON knows no integers, inventories do.
func unkept(got, want map[string]any) string {
	var bad []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if text(got[k]) != text(want[k]) {
			bad = append(bad, fmt.Sprintf("%s is %s and should be %s", k, text(got[k]), text(want[k])))
		}
	}
	return strings.Join(bad, ", ")
}

// text writes a value of an attribute; large numbers have no exponent.
func text(v any) string {
	switch n := v.(type) {
	case nil:
		return "unknown"
	case float64:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
