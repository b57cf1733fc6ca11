// Package workflow runs plans: order, limits, retries, timeouts, events. It
// knows steps and nothing of what they do.
package workflow

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// A Store remembers one Record. Save fails with ErrConflict when someone else
// saved since the version was loaded.
type Store interface {
	Load(ctx context.Context) (step.Record, Version, error)
	Save(ctx context.Context, rec step.Record, seen Version) (Version, error)
}

// Version is a store's own mark of one saved Record.
type Version string

// ErrConflict says that another run changed the record.
var ErrConflict = errors.New("another run changed the record")

// A Doer does the steps of one verb. It must be safe to run again after it was
// cut short anywhere. It reports every wait: what for, last evidence, deadline.
type Doer func(ctx context.Context, s step.Step, report step.Reporter) error

// Doers finds the doer of a verb.
type Doers map[reflect.Type]Doer

// On registers do for the verb V.
func On[V step.Verb](d Doers, do func(ctx context.Context, s step.Step, v V, report step.Reporter) error) {
	d[reflect.TypeFor[V]()] = func(ctx context.Context, s step.Step, r step.Reporter) error {
		return do(ctx, s, s.Do.(V), r)
	}
}

// Engine runs plans against a Store.
type Engine struct {
	Do    Doers
	Store Store
	Tell  func(step.Event) // called from one goroutine at a time
	Limit int              // steps at once
}

// Run runs p until nothing more can start. A failed step stops only what needs
// it. Every change of a step is saved before anything that follows from it
// happens, so a run that dies forgets nothing it knew. One goroutine, this
// one, owns the record. The error joins the errors of all failed steps.
func (e *Engine) Run(ctx context.Context, p step.Plan) error {
	if err := e.able(p); err != nil {
		return err
	}
	rec, version, err := e.Store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load the record: %w", err)
	}
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{
		engine: e, cancel: cancel, rec: rec, version: version,
		now: map[step.ID]step.Status{}, back: make(chan result), notes: make(chan step.Event),
	}
	for {
		for _, s := range ready(p, r.now, e.Limit) {
			if work.Err() == nil && r.save(ctx, event(s, step.Started, 1)) {
				r.launch(work, s, 1, 0)
			}
		}
		if r.running == 0 {
			return errors.Join(append(r.errs, context.Cause(ctx))...)
		}
		select {
		case ev := <-r.notes:
			e.Tell(ev)
		case res := <-r.back:
			r.settle(work, res)
		}
	}
}

// able refuses a plan with a verb that this build can't do, before the first step.
func (e *Engine) able(p step.Plan) error {
	for _, s := range p.Steps {
		if e.Do[reflect.TypeOf(s.Do)] == nil {
			return fmt.Errorf("%s: this build cannot do %T", s.ID, s.Do)
		}
	}
	return nil
}

// run is the state of one Run, owned by its goroutine.
type run struct {
	engine  *Engine
	cancel  context.CancelFunc
	rec     step.Record
	version Version
	now     map[step.ID]step.Status // what this run did so far
	running int
	errs    []error
	back    chan result
	notes   chan step.Event
}

type result struct {
	step step.Step
	try  int
	err  error
}

// save stores the event, then tells it. After a failed save nothing more starts.
func (r *run) save(ctx context.Context, ev step.Event) bool {
	next := r.rec.With(ev)
	v, err := r.engine.Store.Save(context.WithoutCancel(ctx), next, r.version)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("save the record: %w", err))
		r.cancel()
		return false
	}
	r.rec, r.version, r.now[ev.Step] = next, v, ev.Status
	r.engine.Tell(ev)
	return true
}

// launch runs one try of a step in its own goroutine.
func (r *run) launch(ctx context.Context, s step.Step, try int, after time.Duration) {
	r.running++
	report := func(ev step.Event) {
		ev.Step, ev.Host, ev.Try, ev.Status, ev.Time = s.ID, s.Host, try, step.Noted, time.Now()
		select {
		case r.notes <- ev:
		case <-ctx.Done():
		}
	}
	go func() {
		if err := sleep(ctx, after); err != nil {
			r.back <- result{s, try, err}
			return
		}
		limit := s.Do.Limits().Timeout
		bound, cancel := context.WithTimeoutCause(ctx, limit, &Timeout{s.ID, limit})
		defer cancel()
		err := r.engine.Do[reflect.TypeOf(s.Do)](bound, s, report)
		if err != nil && ctx.Err() == nil && bound.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(bound), err)
		}
		r.back <- result{s, try, err}
	}()
}

// settle takes the result of one try: done, again, held or failed. A step that
// was cut short because the whole run ends stays open in the record.
func (r *run) settle(ctx context.Context, res result) {
	r.running--
	again, temporary := errors.AsType[*step.Retry](res.err)
	hold, held := errors.AsType[*step.Hold](res.err)
	ev := event(res.step, step.Failed, res.try)
	switch {
	case res.err == nil:
		ev.Status, ev.Reaches = step.Done, res.step.Reaches
		r.save(ctx, ev)
		return
	case ctx.Err() != nil:
		return
	case temporary && res.try < res.step.Do.Limits().Tries:
		ev.Status, ev.Note = step.Retried, again.Error()
		if r.save(ctx, ev) {
			r.launch(ctx, res.step, res.try+1, again.After)
		}
		return
	case held:
		ev.Status, ev.Next = step.Held, hold.Hint
	}
	ev.Note = res.err.Error()
	r.errs = append(r.errs, &StepError{Step: res.step.ID, Host: res.step.Host, Try: res.try, Err: res.err})
	r.save(ctx, ev)
}

func event(s step.Step, status step.Status, try int) step.Event {
	return step.Event{Time: time.Now(), Step: s.ID, Host: s.Host, Status: status, Try: try}
}

// Timeout says that one try of a step took longer than its verb allows.
type Timeout struct {
	Step  step.ID
	After time.Duration
}

// Error implements error.
func (t *Timeout) Error() string { return fmt.Sprintf("no end after %v", t.After) }

// StepError says which step failed, where and at which try.
type StepError struct {
	Step step.ID
	Host string
	Try  int
	Err  error
}

// Error implements error.
func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }

// Unwrap returns the doer's error.
func (e *StepError) Unwrap() error { return e.Err }

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
