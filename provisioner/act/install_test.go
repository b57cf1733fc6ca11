package act_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

func installVerb() step.Install {
	return step.Install{Image: "sha256:1", Generation: "sha256:new", Disk: "serial:S6C"}
}

func installer(s *stage) act.Install {
	return act.Install{
		Netboot: netboot(s),
		Workflow: func(_ string, v step.Install) (agent.Install, error) {
			return agent.Install{Config: agent.NodeConfig{Generation: v.Generation}}, nil
		},
		Lag: 3 * time.Minute,
	}
}

func netboot(s *stage) act.Netboot {
	return act.Netboot{
		Machine: func(string) (act.Machine, error) { return s, nil },
		Methods: func(string) []string { return []string{"uefi-http", "uefi-pxe"} },
		Boots:   s, Orders: s, Signals: &s.Signals, POST: 15 * time.Minute,
	}
}

func install(ctx context.Context, s *stage, v step.Install) error {
	return installer(s).Do(ctx, step.Step{ID: "cp-a/installed", Host: node, Do: v}, v, s.report)
}

// boots makes the host boot to its claim, and the installed system follow the order.
func (s *stage) boots(after ...act.Signal) {
	s.started = func(string, int) { s.signals(30*time.Second, dhcp(), script(), claim()) }
	s.ordered = func(agent.Word) { s.signals(30*time.Second, after...) }
}

func TestInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newStage(), installVerb()
		v.Firmware = map[string]any{"LogicalProc": "Enabled", "Delay": 4000000}
		s.bios = map[string]any{"LogicalProc": "Enabled", "Delay": float64(4000000)} // JSON knows no integers
		s.started = func(string, int) { s.signals(30*time.Second, dhcp(), script(), claim()) }
		s.ordered = func(agent.Word) {
			s.signals(time.Minute, reports(agent.Report{Status: agent.StatusNoted, Note: "writing image to vda: 41%"}), written())
			synctest.Wait()
			if s.answered() {
				t.Error("the network boot is still answered while the host starts from its disk")
			}
			s.signals(time.Minute, hello(agent.Hello{Stage: agent.StageNode, Generation: v.Generation}))
		}
		if err := install(limited(t, v), s, v); err != nil {
			t.Fatal(err)
		}
		want := "open | power Off | boot by uefi-http | power On | read BIOS | order install | close"
		if got := s.did(); got != want {
			t.Errorf("it did\n%s, want\n%s", got, want)
		}
		marks := []string{step.MarkPowerOn, step.MarkFirmware, step.MarkLoader, step.MarkInstaller, step.MarkWritten, step.MarkKernel}
		if d := cmp.Diff(marks, s.marks()); d != "" {
			t.Errorf("marks (-want +got):\n%s", d)
		}
		waits := []string{
			"waiting for the host's DHCP request", "waiting for the installer's claim",
			"waiting for the image to be written and read back", "waiting for the installed system to say hello",
		}
		if d := cmp.Diff(waits, s.waits(t)); d != "" {
			t.Errorf("waits (-want +got):\n%s", d)
		}
	})
}

// TestInstallOldLife checks that what the host said before it was switched off
// counts for nothing: neither its claim nor its hello.
func TestInstallOldLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newStage(), installVerb()
		old := &shouting{stage: s, says: []act.Signal{dhcp(), script(), claim(), written(), hello(agent.Hello{Stage: agent.StageNode, Generation: v.Generation})}}
		i := installer(s)
		i.Machine = func(string) (act.Machine, error) { return old, nil }
		err := i.Do(limited(t, v), step.Step{Host: node, Do: v}, v, s.report)
		wantKind[*step.Hold](t, err, "last seen: nothing yet")
	})
}

// shouting is a host that says all it can while it is switched off.
type shouting struct {
	*stage
	says []act.Signal
}

func (o *shouting) Power(ctx context.Context, to string, tell step.Reporter) error {
	if to == act.PowerOff {
		for _, s := range o.says {
			o.Tell(node, s)
		}
	}
	return o.stage.Power(ctx, to, tell)
}

func TestInstallSecondMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newStage(), installVerb()
		s.boots(written(), hello(agent.Hello{Stage: agent.StageNode, Generation: v.Generation}))
		talk := s.started
		s.started = func(method string, n int) {
			if method == "uefi-pxe" {
				talk(method, n)
			}
		}
		if err := install(limited(t, v), s, v); err != nil {
			t.Fatal(err)
		}
		want := "open | power Off | boot by uefi-http | power On | open | power Off | boot by uefi-pxe | power On | order install | close"
		if got := s.did(); got != want {
			t.Errorf("it did\n%s, want\n%s", got, want)
		}
	})
}

// TestInstallSilent checks that a host that boots by no method is held, within
// the time that the verb has, with each method and what was seen last of it.
func TestInstallSilent(t *testing.T) {
	for name, c := range map[string]struct {
		says func(s *stage, method string)
		want []string
	}{
		"no request at all": {
			func(*stage, string) {},
			[]string{"by uefi-http: waited 15m0s for the host's DHCP request; last seen: nothing yet", "by uefi-pxe: waited 15m0s for the host's DHCP request", "is the boot NIC's cable"},
		},
		"loader and no more": {
			func(s *stage, method string) {
				s.signals(time.Minute, dhcp(), act.Signal{Kind: act.KindLoader, Note: "initrd 12 % by " + method})
			},
			[]string{
				"by uefi-http: waited 10m0s for the installer's claim; last seen: initrd 12 % by uefi-http",
				"by uefi-pxe: waited 10m0s for the installer's claim; last seen: initrd 12 % by uefi-pxe",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := newStage(), installVerb()
				s.started = func(method string, _ int) { c.says(s, method) }
				err := install(limited(t, v), s, v)
				wantKind[*step.Hold](t, err, append(c.want, "the host did not boot from the network")...)
				if hold, _ := errors.AsType[*step.Hold](err); hold.Hint == "" {
					t.Error("the hold tells no person what to do")
				}
				if s.answered() || strings.Contains(s.did(), "order install") {
					t.Errorf("it did %s", s.did())
				}
			})
		})
	}
}

// TestInstallFails checks each way in which a host that boots comes to nothing:
// what a fresh boot may mend is tried again, the rest is held.
func TestInstallFails(t *testing.T) {
	failed := agent.Report{Stage: agent.StageInstaller, Status: agent.StatusFailed, Note: "vda: read back: the digest is wrong", Evidence: "sha256:2"}
	held := failed
	held.Held, held.Note, held.Next = true, "no disk has serial:S6C; this host has vda (serial V1, 8 GB)", "correct the disk in the inventory"
	foreign := agent.Hello{Stage: agent.StageNode, Generation: "sha256:old"}
	for name, c := range map[string]struct {
		says  []act.Signal
		hold  bool
		words []string
	}{
		"writing failed":       {[]act.Signal{reports(failed)}, false, []string{"the host is booted again", failed.Note, failed.Evidence}},
		"the disk is missing":  {[]act.Signal{reports(held)}, true, []string{"the host stopped", held.Note}},
		"no kernel":            {[]act.Signal{written(), reports(failed)}, false, []string{failed.Note}},
		"wrong generation":     {[]act.Signal{written(), hello(foreign)}, false, []string{`it runs generation "sha256:old" and was given "sha256:new"`}},
		"restart in the midst": {[]act.Signal{dhcp(), script()}, false, []string{"the host restarted before the image was written"}},
		"silent while writing": {[]act.Signal{reports(agent.Report{Status: agent.StatusNoted, Note: "41%"})}, false, []string{"waited 25m0s for the image to be written and read back; last seen: 41%"}},
		"silent after writing": {[]act.Signal{written(), hello(agent.Hello{Stage: agent.StageInstaller})}, false, []string{"waited 12m0s for the installed system to say hello; last seen: nothing yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := newStage(), installVerb()
				s.boots(c.says...)
				err := install(limited(t, v), s, v)
				if c.hold {
					wantKind[*step.Hold](t, err, c.words...)
					if _, again := errors.AsType[*step.Retry](err); again {
						t.Error("what needs a person is tried again")
					}
				} else {
					wantKind[*step.Retry](t, err, c.words...)
				}
				if s.answered() {
					t.Error("the network boot is still answered")
				}
			})
		})
	}
}

func TestInstallRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newStage(), installVerb()
		s.started = func(string, int) { s.signals(time.Second, dhcp(), act.Signal{Kind: act.KindRefused, Err: errSerial}) }
		err := install(limited(t, v), s, v)
		wantKind[*step.Hold](t, err, "the host's claim was refused", errSerial.Error())
		if s.answered() || s.starts != 1 || strings.Contains(s.did(), "order install") {
			t.Errorf("it did %s", s.did())
		}
	})
}

// TestForgottenFirmware checks that a host whose firmware does not keep its
// settings never gets the order to write.
func TestForgottenFirmware(t *testing.T) {
	for name, c := range map[string]struct {
		bios map[string]any
		want string
	}{
		"forgotten": {map[string]any{"LogicalProc": "Disabled", "SriovGlobalEnable": "Enabled"}, "written, restarted, and still: LogicalProc is Disabled and should be Enabled"},
		"vanished":  {map[string]any{"SriovGlobalEnable": "Enabled"}, "LogicalProc is unknown and should be Enabled"},
		"unread":    {nil, "read the BIOS attributes back after POST: GET /redfish/v1/Systems/1/Bios: 503"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := newStage(), installVerb()
				s.boots(written())
				s.bios, v.Firmware = c.bios, map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Enabled"}
				err := install(limited(t, v), s, v)
				wantWords(t, err, c.want)
				if c.bios != nil {
					wantKind[*step.Hold](t, err)
				}
				if s.answered() || strings.Contains(s.did(), "order install") {
					t.Errorf("it did %s", s.did())
				}
			})
		})
	}
}

// TestInstallCut ends the step at each of its waits: nothing is answered to the
// host any more, and the error says what was waited for.
func TestInstallCut(t *testing.T) {
	for at, want := range map[time.Duration]string{
		10 * time.Second:  "waiting for the host's DHCP request (last seen: nothing yet)",
		40 * time.Second:  "waiting for the installer's claim",
		100 * time.Second: "waiting for the image to be written and read back",
		130 * time.Second: "waiting for the installed system to say hello (last seen: nothing yet)",
	} {
		synctest.Test(t, func(t *testing.T) {
			s, v := newStage(), installVerb()
			s.boots(written())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(at, cancel)
			err := install(ctx, s, v)
			if !errors.Is(err, context.Canceled) || s.answered() {
				t.Errorf("cut after %v: error = %v, answered = %t", at, err, s.answered())
			}
			wantWords(t, err, want)
			time.Sleep(time.Hour) // the host says the rest to nobody
		})
	}
}

// TestInstallTools checks that what a tool can't do ends the step, closed.
func TestInstallTools(t *testing.T) {
	broken := errors.New("PATCH /redfish/v1/Systems/1: 400 Bad Request")
	for name, change := range map[string]func(*act.Install){
		"machine": func(i *act.Install) { i.Machine = func(string) (act.Machine, error) { return nil, broken } },
		"workflow": func(i *act.Install) {
			i.Workflow = func(string, step.Install) (agent.Install, error) { return agent.Install{}, broken }
		},
		"override": func(i *act.Install) {
			s := i.Boots.(*stage)
			i.Machine = func(string) (act.Machine, error) { return &stubborn{s, broken}, nil }
		},
	} {
		s, v := newStage(), installVerb()
		i := installer(s)
		change(&i)
		err := i.Do(t.Context(), step.Step{Host: node, Do: v}, v, s.report)
		if !errors.Is(err, broken) || s.answered() || slices.Contains(s.diary, "power On") {
			t.Errorf("%s: error = %v, did %s", name, err, s.did())
		}
	}
}

// stubborn is a controller that takes no boot override.
type stubborn struct {
	*stage
	err error
}

func (o *stubborn) SetBoot(context.Context, string) error { return o.err }
