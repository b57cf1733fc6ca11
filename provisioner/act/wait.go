// Package act does the steps of a plan: one file per verb, each with the one
// to three methods that it needs of the tools. A doer reports every wait.
package act

import (
	"context"
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// A Wait names what a doer waits for.
type Wait struct {
	For  string        // "the DHCP request of 52:54:00:17:00:11"
	Long time.Duration // after which it gives up
	Next string        // what follows
	Hint string        // what a person does when it never comes
}

// until waits for a signal that match takes for the end. Every signal on the
// way becomes the last evidence. A wait that is never answered is an error
// that tells all of it.
func until(ctx context.Context, w Wait, in <-chan Signal, report step.Reporter, match func(Signal) (bool, error)) error {
	deadline := time.Now().Add(w.Long)
	last := nothing
	report(step.Event{Note: "waiting for " + w.For, Deadline: deadline, Next: w.Next})
	timer := time.NewTimer(w.Long)
	defer timer.Stop()
	for {
		select {
		case s := <-in:
			if s.Note != "" {
				last = s.Note
			}
			if ev, ok := told(s); ok {
				ev.Deadline, ev.Next = deadline, w.Next
				report(ev)
			}
			if done, err := match(s); done || err != nil {
				return err
			}
		case <-timer.C:
			return &Silence{Wait: w, Last: last}
		case <-ctx.Done():
			return cut(ctx, w, last)
		}
	}
}

// poll asks until look says yes, every pause, and gives up after w.Long.
func poll(ctx context.Context, w Wait, pause time.Duration, report step.Reporter, look func(context.Context) (bool, string)) error {
	deadline := time.Now().Add(w.Long)
	bound, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for told := ""; ; {
		ok, evidence := look(bound)
		if ok {
			return nil
		}
		if evidence == "" {
			evidence = nothing
		}
		if evidence != told && bound.Err() == nil { // what a look says when it is cut short is no evidence
			told = evidence
			report(step.Event{Note: "waiting for " + w.For, Evidence: evidence, Deadline: deadline, Next: w.Next})
		}
		select {
		case <-tick.C:
		case <-bound.Done():
			if ctx.Err() != nil {
				return cut(ctx, w, told)
			}
			return &Silence{Wait: w, Last: told}
		}
	}
}

// nothing is the evidence of a wait before the first signal.
const nothing = "nothing yet"

// cut is the error of a wait that ended because its step did.
func cut(ctx context.Context, w Wait, last string) error {
	return fmt.Errorf("waiting for %s (last seen: %s): %w", w.For, last, context.Cause(ctx))
}

// drain forgets the signals of a host's life before it was switched off.
func drain(in <-chan Signal) {
	for {
		select {
		case <-in:
		default:
			return
		}
	}
}

// told turns a signal into an event for the user; progress of a phase and
// marks are told, a hello is not.
func told(s Signal) (step.Event, bool) {
	ev := step.Event{Note: s.Note, Evidence: s.Evidence}
	switch s.Kind {
	case KindDHCP:
		ev.Mark = step.MarkFirmware
	case KindScript:
		ev.Mark = step.MarkLoader
	case KindClaim:
		ev.Mark = step.MarkInstaller
	case KindReport:
		ev.Mark = s.Report.Mark
	}
	return ev, s.Kind != KindHello && (ev.Note != "" || ev.Mark != "")
}

// Silence is a wait that nothing answered.
type Silence struct {
	Wait Wait
	Last string // the last evidence
}

// Error implements error.
func (s *Silence) Error() string {
	text := fmt.Sprintf("waited %v for %s; last seen: %s", s.Wait.Long, s.Wait.For, s.Last)
	if s.Wait.Hint != "" {
		text += "; " + s.Wait.Hint
	}
	return text
}
