package act_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// firmwareHost is a host whose firmware takes its time: its controller shows
// old attributes for a while after POST, and has words about its job.
type firmwareHost struct {
	*stage
	wrote map[string]any
	lag   time.Duration // from the power cycle until the new values show; 0 is never
	since time.Time
	job   func(time.Duration) (string, string, error)
	asked int
}

func (f *firmwareHost) SetBIOS(_ context.Context, want map[string]any) error {
	f.wrote = want
	return nil
}

func (f *firmwareHost) Power(ctx context.Context, to string, tell step.Reporter) error {
	f.since = time.Now()
	return f.stage.Power(ctx, to, tell)
}

func (f *firmwareHost) BIOS(context.Context) (map[string]any, error) {
	if f.lag > 0 && time.Since(f.since) >= f.lag {
		return f.wrote, nil
	}
	return map[string]any{"LogicalProc": "Disabled"}, nil
}

func (f *firmwareHost) BIOSJob(context.Context) (string, string, error) {
	f.asked++
	return f.job(time.Since(f.since))
}

// TestSetBIOSJobs: a job that says it is done while the values are old is
// waited for, one that is forgotten as well, and one that failed ends the wait.
func TestSetBIOSJobs(t *testing.T) {
	always := func(state, said string, err error) func(time.Duration) (string, string, error) {
		return func(time.Duration) (string, string, error) { return state, said, err }
	}
	for _, c := range []struct {
		name string
		lag  time.Duration
		job  func(time.Duration) (string, string, error)
		took time.Duration
		want string // of the error; empty: it succeeds
	}{
		{"done, and the values lag behind", 4 * time.Minute, always("done", "job /jobs/1 is done", nil), 4 * time.Minute, ""},
		{"forgotten, and the values come", 4 * time.Minute, always("unknown", "job /jobs/1 is unknown: the BMC no longer knows it", nil), 4 * time.Minute, ""},
		{"done, and the values never come", 0, always("done", "job /jobs/1 is done", nil), 15 * time.Minute,
			"waited 15m0s for the attributes to be in force after POST; last seen: LogicalProc is Disabled and should be Enabled; job /jobs/1 is done; look into"},
		{"forgotten, and the values never come", 0, always("unknown", "job /jobs/1 is unknown: the BMC no longer knows it", nil), 15 * time.Minute, "the BMC no longer knows it"},
		{"failed", 0, func(since time.Duration) (string, string, error) {
			if since > 3*time.Minute {
				return "failed", "job /jobs/1 is failed: SYS053: unable to apply LogicalProc", nil
			}
			return "waiting", "job /jobs/1 is waiting", nil
		}, 3*time.Minute + 2*time.Second, "the BMC could not apply the settings: job /jobs/1 is failed: SYS053: unable to apply LogicalProc; LogicalProc is Disabled and should be Enabled"},
		{"the values come before the job is done", time.Minute, func(since time.Duration) (string, string, error) {
			if since >= 4*time.Minute {
				return "done", "job /jobs/1 is done", nil
			}
			return "waiting", "job /jobs/1 is waiting", nil
		}, 4 * time.Minute, ""},
		{"the job is stuck", time.Minute, always("waiting", "job /jobs/1 is waiting: Task successfully scheduled.", nil), 15 * time.Minute,
			"last seen: all values are told already, and job /jobs/1 is waiting: Task successfully scheduled.; look into"},
		{"no answer about the job", 4 * time.Minute, always("unknown", "", errors.New("GET /jobs/1: 503 Service Unavailable")), 4 * time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &firmwareHost{stage: newStage(), lag: c.lag, job: c.job}
				v := step.SetBIOS{Attributes: map[string]any{"LogicalProc": "Enabled"}, Restart: true}
				b := act.SetBIOS{Machine: func(string) (act.Firmware, error) { return h, nil }, POST: 15 * time.Minute}
				began := time.Now()
				err := b.Do(t.Context(), step.Step{Host: node, Do: v}, v, h.report)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if h.asked == 0 {
					t.Error("the job was not asked for")
				}
			})
		})
	}
}

// TestFirmwareLag: the installer claims while the controller still shows the
// values of before POST. The order to write waits for the new ones.
func TestFirmwareLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := installVerb()
		h := &firmwareHost{stage: newStage(), wrote: map[string]any{"LogicalProc": "Enabled"}, lag: 2 * time.Minute,
			job: func(time.Duration) (string, string, error) { return "", "", nil }}
		h.boots(written(), hello(agent.Hello{Stage: agent.StageNode, Generation: v.Generation}))
		v.Firmware = h.wrote
		i := installer(h.stage)
		i.Machine = func(string) (act.Machine, error) { return h, nil }
		if err := i.Do(limited(t, v), step.Step{Host: node, Do: v}, v, h.report); err != nil {
			t.Fatal(err)
		}
		if did := h.did(); !strings.Contains(did, "power On | order install") {
			t.Errorf("it did %s", did)
		}
		if h.asked < 10 {
			t.Errorf("it looked %d times in a minute and a half", h.asked)
		}
	})
}
