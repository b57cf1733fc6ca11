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
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// able is a host whose controller has a boot order and a virtual CD.
type able struct {
	*stage
	order   []string
	cd      string
	refuses map[string]error // by method or "insert", "eject"
}

func (a *able) SetBoot(ctx context.Context, method string) error {
	if err := a.refuses[method]; err != nil {
		return err
	}
	return a.stage.SetBoot(ctx, method)
}

func (a *able) NetworkFirst(context.Context) ([]string, error) {
	a.note("network first")
	if err := a.refuses[act.BootOrder]; err != nil {
		return nil, err
	}
	was := a.order
	a.order, a.method = []string{"Boot0002", "Boot0001"}, act.BootOrder
	return was, nil
}

func (a *able) SetBootOrder(ctx context.Context, order []string) error {
	a.note("order %v", order)
	a.order = order
	return ctx.Err()
}

func (a *able) InsertMedia(_ context.Context, image string) error {
	a.note("insert %s", image)
	a.cd = image
	return a.refuses["insert"]
}

func (a *able) EjectMedia(ctx context.Context, image string) error {
	a.note("eject %s", image)
	if err := errors.Join(ctx.Err(), a.refuses["eject"]); err != nil {
		return err
	}
	a.cd = ""
	return nil
}

const image = "http://10.17.0.1:8080/boot/52-54-00-17-00-11/ipxe.iso"

func readImage() act.Signal { return act.Signal{Kind: act.KindMedia, Note: "the image is read"} }

func newAble() (*able, act.Install) {
	a := &able{stage: newStage(), order: []string{"Boot0001", "Boot0002"}, refuses: map[string]error{}}
	i := installer(a.stage)
	i.Machine = func(string) (act.Machine, error) { return a, nil }
	i.Methods = func(string) []string { return []string{"uefi-http", "uefi-pxe", act.BootOrder, act.VirtualMedia} }
	i.Image = func(string) string { return image }
	return a, i
}

// notes returns the notes and evidence of all events that begin so.
func (s *stage) notes(prefix string) string {
	var out []string
	for _, ev := range s.told {
		if strings.HasPrefix(ev.Note, prefix) {
			out = append(out, ev.Note+" ("+ev.Evidence+"; "+ev.Next+")")
		}
	}
	return strings.Join(out, "\n")
}

// TestEscalation: a firmware that takes an override and doesn't follow it is
// booted by the other overrides, by the boot order, by virtual media. Each step
// up is told with its evidence, and what lasts is put back.
func TestEscalation(t *testing.T) {
	const claimed = "order install | close"
	for name, c := range map[string]struct {
		boots   string // the method that works
		refuses map[string]error
		want    string
		told    []string
	}{
		"override": {boots: "uefi-http", want: "open | power Off | boot by uefi-http | power On | " + claimed},
		"not offered": {boots: "uefi-pxe", refuses: map[string]error{"uefi-http": fmt.Errorf("%w: the BMC offers no boot target UefiHttp", act.ErrOtherWay)},
			want: "open | power Off | open | power Off | boot by uefi-pxe | power On | " + claimed,
			told: []string{"it did not boot by uefi-http", "offers no boot target UefiHttp", "booted by uefi-pxe"}},
		"boot order": {boots: act.BootOrder,
			want: "open | power Off | boot by uefi-http | power On | open | power Off | boot by uefi-pxe | power On | open | power Off | network first | power On | order [Boot0001 Boot0002] | " + claimed,
			told: []string{"it did not boot by uefi-pxe", "waited 15m0s for the host's DHCP request; last seen: nothing yet", "booted by boot-order"}},
		"virtual media": {boots: act.VirtualMedia, refuses: map[string]error{act.BootOrder: fmt.Errorf("%w: the BMC tells of no boot order", act.ErrOtherWay)},
			want: "open | power Off | boot by uefi-http | power On | open | power Off | boot by uefi-pxe | power On | open | power Off | network first | open | power Off | insert " + image + " | boot by virtual-media | power On | eject " + image + " | " + claimed,
			told: []string{"it did not boot by boot-order", "tells of no boot order", "booted by virtual-media"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, i := newAble()
				v := installVerb()
				a.refuses = c.refuses
				a.boots(written(), hello(agent.Hello{Stage: agent.StageNode, Generation: v.Generation}))
				talk := a.started
				a.started = func(method string, n int) {
					if method != c.boots {
						return
					}
					if method == act.VirtualMedia {
						a.signals(time.Second, readImage())
					}
					talk(method, n)
				}
				if err := i.Do(limited(t, v), step.Step{Host: node, Do: v}, v, a.report); err != nil {
					t.Fatal(err)
				}
				if got := a.did(); got != c.want {
					t.Errorf("it did\n%s, want\n%s", got, c.want)
				}
				told := a.notes("it did not boot by")
				for _, want := range c.told {
					if !strings.Contains(told, want) {
						t.Errorf("told %q, want %q in it", told, want)
					}
				}
				if a.cd != "" || a.order[0] != "Boot0001" {
					t.Errorf("left behind: CD %q, order %v", a.cd, a.order)
				}
			})
		})
	}
}

// TestEscalationEnds: a host that boots by nothing is held, within the time of
// its verb, with what was seen of each way.
func TestEscalationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, i := newAble()
		v := installVerb()
		err := i.Do(limited(t, v), step.Step{Host: node, Do: v}, v, a.report)
		wantKind[*step.Hold](t, err, "by uefi-http: waited 15m0s for the host's DHCP request", "by uefi-pxe: ", "by boot-order: ",
			"by virtual-media: waited 15m0s for the management controller to read the boot image; last seen: nothing yet", "reach this machine's address")
		if a.cd != "" || a.order[0] != "Boot0001" || a.answered() {
			t.Errorf("left behind: CD %q, order %v", a.cd, a.order)
		}
	})
}

// TestEscalationHeard: a host whose firmware asks for an address boots from the
// network already; its boot order is left alone, another loader may help.
func TestEscalationHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, i := newAble()
		v := installVerb()
		a.started = func(string, int) { a.signals(time.Second, dhcp()) }
		err := i.Do(limited(t, v), step.Step{Host: node, Do: v}, v, a.report)
		wantKind[*step.Hold](t, err, "by virtual-media: waited 10m0s for the installer's claim")
		if strings.Contains(a.did(), "network first") || !strings.Contains(a.did(), "insert") {
			t.Errorf("it did %s", a.did())
		}
	})
}

// TestEscalationUndone: what lasts is put back also when the step is cut, and
// when it can't be, a person is told what it was.
func TestEscalationUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, i := newAble()
		v := installVerb()
		i.Methods = func(string) []string { return []string{act.BootOrder} }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := i.Do(ctx, step.Step{Host: node, Do: v}, v, a.report); !errors.Is(err, context.DeadlineExceeded) || a.order[0] != "Boot0001" {
			t.Errorf("cut: %v, order %v", err, a.order)
		}
		i.Methods = func(string) []string { return []string{act.VirtualMedia} }
		a.refuses["eject"] = errors.New("POST EjectMedia: 500 Internal Server Error")
		a.refuses["insert"] = errors.New("POST InsertMedia: 500 Internal Server Error")
		err := i.Do(t.Context(), step.Step{Host: node, Do: v}, v, a.report)
		wantWords(t, err, "InsertMedia: 500")
		if told := a.notes("could not put back the empty drive"); !strings.Contains(told, "EjectMedia: 500") || !strings.Contains(told, "by hand") {
			t.Errorf("told %q", told)
		}
	})
}

// TestEscalationBare: a controller that has neither boot order nor drive is held
// with that reason.
func TestEscalationBare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newStage(), installVerb()
		i := installer(s)
		i.Methods = func(string) []string { return []string{act.BootOrder, act.VirtualMedia} }
		wantKind[*step.Hold](t, i.Do(limited(t, v), step.Step{Host: node, Do: v}, v, s.report), "has no boot order for us", "has no virtual media for us")
		if strings.Contains(s.did(), "power On") {
			t.Errorf("it did %s", s.did())
		}
	})
}
