package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/store"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// engine returns an engine whose Install and Join do what do says, and the
// events it told, as "step:status".
func engine(do func(context.Context, step.Step, step.Reporter) error) (*workflow.Engine, *[]string) {
	told := &[]string{}
	d := workflow.Doers{}
	workflow.On(d, func(ctx context.Context, s step.Step, _ step.Install, r step.Reporter) error { return do(ctx, s, r) })
	workflow.On(d, func(ctx context.Context, s step.Step, _ step.Join, r step.Reporter) error { return do(ctx, s, r) })
	return &workflow.Engine{
		Do: d, Store: &store.Mem{}, Limit: 8,
		Tell: func(e step.Event) { *told = append(*told, fmt.Sprintf("%s:%s", e.Step, e.Status)) },
	}, told
}

func plan(steps ...step.Step) step.Plan { return step.Plan{Steps: steps} }

func install(host string) step.Step {
	return step.Step{ID: step.ID(host + "/installed"), Host: host, Do: step.Install{}, Reaches: "g1"}
}

func join(host string, needs ...step.ID) step.Step {
	return step.Step{ID: step.ID(host + "/member"), Host: host, Needs: needs, Do: step.Join{}}
}

// TestRetryTakesNoTime checks that an hour of waiting costs none, and that a
// step is tried as often as its verb allows and no more.
func TestRetryTakesNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		e, told := engine(func(context.Context, step.Step, step.Reporter) error {
			tries++
			return &step.Retry{After: time.Hour, Reason: "no DHCP request yet"}
		})
		err := e.Run(t.Context(), plan(install("a")))
		if err == nil || !strings.Contains(err.Error(), "a/installed: no DHCP request yet") {
			t.Errorf("Run() error = %v", err)
		}
		if want := (step.Install{}).Limits().Tries; tries != want {
			t.Errorf("%d tries, want %d", tries, want)
		}
		const want = "a/installed:started a/installed:retried a/installed:retried a/installed:failed"
		if got := strings.Join(*told, " "); got != want {
			t.Errorf("events:\n got %s\nwant %s", got, want)
		}
	})
}

// TestTimeoutIsFailure checks that a doer that hangs is cut off when its verb
// says so, and that the error names the step and the time.
func TestTimeoutIsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := engine(func(ctx context.Context, _ step.Step, _ step.Reporter) error {
			<-ctx.Done()
			return fmt.Errorf("waiting for the claim: %w", ctx.Err())
		})
		err := e.Run(t.Context(), plan(install("a")))
		if err == nil || !strings.Contains(err.Error(), "a/installed: no end after 3h0m0s: waiting for the claim") {
			t.Errorf("Run() error = %v", err)
		}
	})
}

// TestFailedBlocksOnlyWhatNeedsIt checks that the other host goes on.
func TestFailedBlocksOnlyWhatNeedsIt(t *testing.T) {
	e, told := engine(func(_ context.Context, s step.Step, _ step.Reporter) error {
		if s.Host == "a" {
			return &step.Hold{Reason: "the disk isn't there", Hint: "push it in"}
		}
		return nil
	})
	err := e.Run(t.Context(), plan(install("a"), join("a", "a/installed"), install("b"), join("b", "b/installed")))
	if err == nil || err.Error() != "a/installed: the disk isn't there" {
		t.Errorf("Run() error = %v", err)
	}
	all := strings.Join(*told, " ")
	if strings.Contains(all, "a/member") || !strings.Contains(all, "a/installed:held") || !strings.Contains(all, "b/member:done") {
		t.Errorf("events: %s", all)
	}
}

// TestReportsComeInOrder checks that a doer's notes carry its step, and stand
// between start and end.
func TestReportsComeInOrder(t *testing.T) {
	e, told := engine(func(_ context.Context, _ step.Step, report step.Reporter) error {
		report(step.Event{Note: "41%"})
		report(step.Event{Note: "82%"})
		return nil
	})
	if err := e.Run(t.Context(), plan(install("a"))); err != nil {
		t.Fatal(err)
	}
	const want = "a/installed:started a/installed:noted a/installed:noted a/installed:done"
	if got := strings.Join(*told, " "); got != want {
		t.Errorf("events:\n got %s\nwant %s", got, want)
	}
	rec, _, _ := e.Store.Load(t.Context())
	if last := rec["a/installed"]; last.Status != step.Done || last.Reaches != "g1" {
		t.Errorf("the record says %+v", last)
	}
}

// TestInterruptedStaysOpen checks that a run that is told to end leaves its
// step open in the record, so that the next run doesn't trust it.
func TestInterruptedStaysOpen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e, _ := engine(func(ctx context.Context, _ step.Step, _ step.Reporter) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if err := e.Run(ctx, plan(install("a"), join("a", "a/installed"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Run() error = %v, want context.Canceled", err)
	}
	rec, _, _ := e.Store.Load(t.Context())
	if !rec["a/installed"].Status.Open() || len(rec) != 1 {
		t.Errorf("the record says %v", rec)
	}
}

// TestUnknownVerb checks that a plan this build can't do is refused whole.
func TestUnknownVerb(t *testing.T) {
	e, told := engine(nil)
	err := e.Run(t.Context(), plan(install("a"), step.Step{ID: "a/off", Host: "a", Do: step.PowerOff{}}))
	if err == nil || !strings.Contains(err.Error(), "a/off: this build cannot do step.PowerOff") || len(*told) > 0 {
		t.Errorf("Run() error = %v, events %v", err, *told)
	}
}

// TestLimit checks that no more than Limit steps run at once, and one on each host.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, most := make(chan int, 1), 0
		running <- 0
		e, _ := engine(func(ctx context.Context, _ step.Step, _ step.Reporter) error {
			n := <-running + 1
			most = max(most, n)
			running <- n
			time.Sleep(time.Minute)
			running <- <-running - 1
			return nil
		})
		e.Limit = 3
		var steps []step.Step
		for i := range 9 {
			steps = append(steps, install(fmt.Sprint(i)))
		}
		if err := e.Run(t.Context(), plan(steps...)); err != nil || most != 3 {
			t.Errorf("Run() = %v with %d steps at once, want 3", err, most)
		}
	})
}

// TestConflict checks that a second run is noticed before anything is done.
func TestConflict(t *testing.T) {
	e, _ := engine(func(context.Context, step.Step, step.Reporter) error {
		t.Error("a step ran")
		return nil
	})
	e.Store = conflict{}
	if err := e.Run(t.Context(), plan(install("a"))); !errors.Is(err, workflow.ErrConflict) {
		t.Errorf("Run() error = %v, want ErrConflict", err)
	}
}

type conflict struct{}

func (conflict) Load(context.Context) (step.Record, workflow.Version, error) { return nil, "1", nil }

func (conflict) Save(context.Context, step.Record, workflow.Version) (workflow.Version, error) {
	return "", workflow.ErrConflict
}
