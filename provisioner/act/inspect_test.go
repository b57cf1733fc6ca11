package act_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

func inspect(ctx context.Context, s *stage, told error) error {
	i := act.Inspect{Netboot: netboot(s), Told: func(string) error { return told }}
	return i.Do(ctx, step.Step{ID: "cp-a/inspected", Host: node, Do: step.Inspect{}}, step.Inspect{}, s.report)
}

// TestInspect boots a host, hears it and switches it off; no order is given.
func TestInspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.boots()
		if err := inspect(limited(t, step.Inspect{}), s, nil); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff("open | power Off | boot by uefi-http | power On | close | power Off", s.did()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"waiting for the host's DHCP request", "waiting for the installer's claim"}, s.waits(t)); d != "" {
			t.Errorf("waits (-want +got):\n%s", d)
		}
		if !s.word.Empty() {
			t.Errorf("the host was ordered %+v", s.word)
		}
	})
}

// TestInspectSecondMethod escalates as an install does.
func TestInspectSecondMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.started = func(method string, _ int) {
			if method == "uefi-pxe" {
				s.signals(30*time.Second, dhcp(), script(), claim())
			}
		}
		if err := inspect(limited(t, step.Inspect{}), s, nil); err != nil {
			t.Fatal(err)
		}
		want := "open | power Off | boot by uefi-http | power On | open | power Off | boot by uefi-pxe | power On | close | power Off"
		if d := cmp.Diff(want, s.did()); d != "" {
			t.Error(d)
		}
	})
}

// TestInspectFails checks each way in which nothing comes of it: a person is
// told, and nothing is answered to the host any more.
func TestInspectFails(t *testing.T) {
	for name, c := range map[string]struct {
		says  []act.Signal
		told  error
		words []string
	}{
		"silent":        {nil, nil, []string{"the host did not boot from the network", "by uefi-http: waited 15m0s", "by uefi-pxe: waited 15m0s"}},
		"loader only":   {[]act.Signal{dhcp(), script()}, nil, []string{"by uefi-pxe: waited 10m0s for the installer's claim"}},
		"refused":       {[]act.Signal{dhcp(), {Kind: act.KindRefused, Err: errSerial}}, nil, []string{"the host's claim was refused", errSerial.Error()}},
		"tells nothing": {[]act.Signal{dhcp(), script(), claim()}, errors.New("it never told what it is made of"), []string{"what it is made of is still not known"}},
		"an old life":   {[]act.Signal{hello(agent.Hello{Stage: agent.StageNode})}, nil, []string{"the host did not boot from the network"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.started = func(string, int) { s.signals(30*time.Second, c.says...) }
				err := inspect(limited(t, step.Inspect{}), s, c.told)
				wantKind[*step.Hold](t, err, c.words...)
				if hold, _ := errors.AsType[*step.Hold](err); hold.Hint == "" {
					t.Error("the hold tells no person what to do")
				}
				if s.answered() || strings.Contains(s.did(), "order") {
					t.Errorf("it did %s", s.did())
				}
			})
		})
	}
}
