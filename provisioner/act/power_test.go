package act_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// redfishHost is a host behind a real Redfish client.
type redfishHost struct{ *redfish.Client }

func (h redfishHost) Power(ctx context.Context, to string, _ step.Reporter) error {
	return h.Client.Power(ctx, redfish.Power(to))
}

func (h redfishHost) SetBIOS(ctx context.Context, want map[string]any) error {
	_, err := h.Client.SetBIOS(ctx, want)
	return err
}

func (h redfishHost) BIOSJob(ctx context.Context) (state, said string, err error) {
	j, err := h.Client.BIOSJob(ctx)
	return string(j.State), j.String(), err
}

// controller starts an emulated management controller and a client of it.
func controller(t *testing.T, cfg lab.Config) (*lab.Controller, redfishHost) {
	t.Helper()
	cfg.Username, cfg.Password = "admin", "hunter2-hunter2"
	c := lab.New(cfg)
	web := httptest.NewUnstartedServer(c)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	sum := sha256.Sum256(web.Certificate().Raw)
	client, err := redfish.New(redfish.Config{
		Host: node, URL: web.URL, Username: cfg.Username, Password: secret.New(cfg.Password),
		Fingerprint: "sha256:" + hex.EncodeToString(sum[:]), Poll: 5 * time.Millisecond, PowerTimeout: 10 * time.Second, MediaTimeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
		c.Close()
	})
	return c, redfishHost{client}
}

func setBIOS(t *testing.T, h redfishHost, v step.SetBIOS, post time.Duration) error {
	t.Helper()
	b := act.SetBIOS{Machine: func(string) (act.Firmware, error) { return h, nil }, POST: post}
	return b.Do(t.Context(), step.Step{Host: node, Do: v}, v, newStage().report)
}

func TestSetBIOS(t *testing.T) {
	attributes := map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Enabled"}
	t.Run("restart", func(t *testing.T) {
		c, h := controller(t, lab.Config{On: true, POST: 50 * time.Millisecond})
		if err := setBIOS(t, h, step.SetBIOS{Attributes: attributes, Restart: true}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if got := c.BIOS(); got["LogicalProc"] != "Enabled" || got["SriovGlobalEnable"] != "Enabled" || c.Power() != "On" {
			t.Errorf("power %s, in force %v", c.Power(), got)
		}
	})
	t.Run("pending", func(t *testing.T) {
		c, h := controller(t, lab.Config{})
		if err := setBIOS(t, h, step.SetBIOS{Attributes: attributes}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if c.BIOS()["LogicalProc"] != "Disabled" || c.Power() != "Off" {
			t.Error("the host was started for settings that its installation applies")
		}
		got, err := h.Facts(t.Context())
		if err != nil || got.PendingBIOS["LogicalProc"] != "Enabled" {
			t.Errorf("pending %v, %v", got.PendingBIOS, err)
		}
	})
	t.Run("forgotten", func(t *testing.T) {
		_, h := controller(t, lab.Config{On: true, Faults: lab.Faults{IgnoreBIOS: true}})
		err := setBIOS(t, h, step.SetBIOS{Attributes: attributes, Restart: true}, 300*time.Millisecond)
		wantKind[*act.Silence](t, err, "waited 300ms for the attributes to be in force after POST; last seen: LogicalProc is Disabled and should be Enabled, SriovGlobalEnable is Disabled")
	})
	t.Run("job stuck", func(t *testing.T) {
		_, h := controller(t, lab.Config{On: true, Faults: lab.Faults{StickJob: true}})
		err := setBIOS(t, h, step.SetBIOS{Attributes: attributes, Restart: true}, 300*time.Millisecond)
		wantKind[*act.Silence](t, err, "last seen: LogicalProc is Disabled and should be Enabled, SriovGlobalEnable is Disabled and should be Enabled; job /redfish/v1/TaskService/Tasks/JID_1001 is waiting: ",
			"look into the host's setup and into the job queue of its BMC")
	})
	t.Run("job forgotten", func(t *testing.T) {
		c, h := controller(t, lab.Config{On: true, POST: 50 * time.Millisecond, Faults: lab.Faults{PurgeJob: true}})
		if err := setBIOS(t, h, step.SetBIOS{Attributes: attributes, Restart: true}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if state, _, err := h.BIOSJob(t.Context()); state != "unknown" || err != nil || c.BIOS()["LogicalProc"] != "Enabled" {
			t.Errorf("job %s, %v, in force %v", state, err, c.BIOS())
		}
	})
	t.Run("unknown attribute", func(t *testing.T) {
		c, h := controller(t, lab.Config{On: true})
		err := setBIOS(t, h, step.SetBIOS{Attributes: map[string]any{"NoSuch": "On"}, Restart: true}, time.Minute)
		wantWords(t, err, "NoSuch")
		if c.Power() != "On" {
			t.Error("the host was restarted for nothing")
		}
	})
}

func TestOff(t *testing.T) {
	c, h := controller(t, lab.Config{On: true, Lag: 20 * time.Millisecond})
	off := act.Off{Machine: func(string) (act.Machine, error) { return h, nil }}
	for range 2 { // the second finds it done
		if err := off.Do(t.Context(), step.Step{Host: node}, step.PowerOff{}, newStage().report); err != nil || c.Power() != "Off" {
			t.Errorf("power %s, error %v", c.Power(), err)
		}
	}
	gone := errors.New(`the inventory has no node "cp-a"`)
	off.Machine = func(string) (act.Machine, error) { return nil, gone }
	if err := off.Do(t.Context(), step.Step{Host: node}, step.PowerOff{}, newStage().report); !errors.Is(err, gone) {
		t.Errorf("error = %v", err)
	}
}

// TestWake checks that a host that speaks or is Ready is awake, that a silent
// one is power-cycled once and then held, and that it is never written anew.
func TestWake(t *testing.T) {
	awake := facts.Agent{Stage: agent.StageNode, Generation: "sha256:new"}
	for name, c := range map[string]struct {
		speaks int // the boot after which it speaks
		as     facts.Agent
		ready  bool
		did    string
		hold   string
	}{
		"off":         {1, awake, false, "power On", ""},
		"ready":       {1, facts.Agent{}, true, "power On", ""},
		"hung":        {2, awake, false, "power On | power Cycle", ""},
		"silent":      {3, awake, false, "power On | power Cycle", "waited 17m0s for the installed system to say hello; last seen: 52:54:00:17:00:11 asked for an address"},
		"another":     {1, facts.Agent{Stage: agent.StageNode, Generation: "sha256:old"}, false, "power On | power Cycle", `last seen: it runs generation "sha256:old" and should run "sha256:new"`},
		"installer":   {1, facts.Agent{Stage: agent.StageInstaller}, false, "power On | power Cycle", "last seen: 52:54:00:17:00:11 asked for an address"},
		"was ready":   {2, awake, true, "power On | power Cycle", ""},
		"other phase": {2, facts.Agent{Stage: agent.StageNode, Generation: "sha256:new", Phase: "join"}, false, "power On | power Cycle", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, m := newStage(), &members{}
				if name == "was ready" { // what Kubernetes says of it when its power is already gone
					m.node = facts.Member{Exists: true, Ready: true, Renewed: time.Now().Add(-time.Second)}
				}
				heard := make(chan facts.Agent, 8)
				var last facts.Agent
				s.started = func(_ string, n int) {
					s.signals(time.Minute, dhcp(), act.Signal{Kind: act.KindHello})
					if n == c.speaks {
						m.set(func(m *members) { m.node.Ready = c.ready })
						heard <- c.as
					}
				}
				k := act.Wake{
					Machine: func(string) (act.Machine, error) { return s, nil }, Members: m, Signals: &s.Signals, POST: 15 * time.Minute,
					Heard: func(string) facts.Agent {
						select {
						case last = <-heard:
						default:
						}
						return last
					},
				}
				v := step.Wake{Generation: "sha256:new"}
				err := k.Do(limited(t, v), step.Step{Host: node, Do: v}, v, s.report)
				if c.hold == "" && err != nil {
					t.Fatal(err)
				}
				if c.hold != "" {
					wantKind[*step.Hold](t, err, "the host holds its image and stays silent", c.hold)
					if hold, _ := errors.AsType[*step.Hold](err); !strings.Contains(hold.Hint, "ra2-deploy rebuild cp-a") {
						t.Errorf("hint %q", hold.Hint)
					}
				}
				if got := s.did(); got != c.did {
					t.Errorf("it did %s, want %s", got, c.did)
				}
				if waits := s.waits(t); !slices.Equal(waits, []string{"waiting for the installed system to say hello"}) {
					t.Errorf("waits %q", waits)
				}
			})
		})
	}
}
