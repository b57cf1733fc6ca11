package act_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// verifying is a host whose firmware takes keys, and brings Secure Boot in force
// some time after a start; 0 is never.
type verifying struct {
	*stage
	enroll error
	lag    time.Duration
	since  time.Time
}

func (v *verifying) Enroll(context.Context) error { v.note("enroll"); return v.enroll }

func (v *verifying) Power(ctx context.Context, to string, tell step.Reporter) error {
	v.since = time.Now()
	return v.stage.Power(ctx, to, tell)
}

func (v *verifying) SecureBoot(context.Context) (bool, string, error) {
	on := v.lag > 0 && !v.since.IsZero() && time.Since(v.since) >= v.lag
	return on, fmt.Sprintf("in force: %t", on), nil
}

// TestEnroll: what is switched on counts once it is in force; a controller that
// takes no keys needs a person; a host that is written next isn't restarted.
func TestEnroll(t *testing.T) {
	for name, c := range map[string]struct {
		host    verifying
		restart bool
		want    string // of the error
		did     string
	}{
		"before an install": {verifying{}, false, "", "enroll"},
		"running":           {verifying{lag: 5 * time.Minute}, true, "", "enroll | power Cycle"},
		"never in force":    {verifying{}, true, "waited 15m0s for Secure Boot to be in force", "enroll | power Cycle"},
		"by hand":           {verifying{enroll: fmt.Errorf("%w: 405", act.ErrByHand)}, true, "enroll: false", "enroll"},
		"no answer":         {verifying{enroll: errors.New("no route to host")}, true, "no route to host", "enroll"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := c.host
				h.stage = newStage()
				e := act.Enroll{Machine: func(string) (act.Verifier, error) { return &h, nil }, POST: 15 * time.Minute}
				err := e.Do(t.Context(), step.Step{Host: node}, step.Enroll{Restart: c.restart}, h.report)
				text := ""
				if err != nil {
					text = err.Error()
				}
				if hold, ok := errors.AsType[*step.Hold](err); ok {
					text += hold.Hint
				}
				if c.want == "" && err != nil || !strings.Contains(text, c.want) {
					t.Errorf("%v, wanted %q", err, c.want)
				}
				if h.did() != c.did {
					t.Errorf("it did %s, wanted %s", h.did(), c.did)
				}
			})
		})
	}
}
