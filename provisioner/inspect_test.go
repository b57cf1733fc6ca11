package provisioner_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/store"
)

// TestInspect brings up a rack in which two controllers don't tell all: those
// hosts are asked once, nothing is erased before, and a second up asks nobody.
func TestInspect(t *testing.T) {
	r, s := newRack(), &store.Mem{}
	r.hosts["cp-b"].vague, r.hosts["w-a"].vague = true, true
	site := r.site(s, func(ev step.Event) {
		if strings.HasSuffix(string(ev.Step), "/installed") && (!r.hosts["cp-b"].told || !r.hosts["w-a"].told) {
			t.Errorf("%s %s before all hosts told", ev.Step, ev.Status)
		}
	})
	if err := site.Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{"cp-b": 1, "w-a": 1}, r.asked); d != "" {
		t.Errorf("hosts asked (-want +got):\n%s", d)
	}
	for name, m := range r.hosts {
		m.vague, m.told = false, false // finished looks at the rest
		if r.wiped[name] != 1 {
			t.Errorf("%s was erased %d times", name, r.wiped[name])
		}
	}
	finished(t, "up", r)
	r.hosts["cp-b"].vague, r.hosts["cp-b"].told = true, true
	turn, err := r.site(s, quiet).Plan(t.Context())
	if err != nil || !turn.Plan.Empty() {
		t.Errorf("the plan of a finished site: %v, %v", turn.Plan, err)
	}
}

// TestInspectDumb checks that what the host itself can't tell either is refused,
// after one look at it and before anything is erased.
func TestInspectDumb(t *testing.T) {
	r := newRack()
	r.hosts["w-a"].vague, r.dumb = true, true
	err := r.site(&store.Mem{}, quiet).Converge(t.Context())
	refused, ok := errors.AsType[*provisioner.Refused](err)
	if !ok || len(refused.Findings) != 1 || refused.Findings[0].Host != "w-a" {
		t.Fatalf("Converge() error = %v", err)
	}
	if r.asked["w-a"] != 1 || len(r.wiped) > 0 {
		t.Errorf("asked %v, erased %v", r.asked, r.wiped)
	}
}

// TestInspectCut kills a run while a host is looked at: the next one does it again.
func TestInspectCut(t *testing.T) {
	r, s := newRack(), &store.Mem{}
	r.hosts["w-a"].vague = true
	ctx, cancel := context.WithCancel(t.Context())
	r.kill, r.cut = cancel, func(now step.ID) bool { return now == "w-a/inspected" }
	if err := r.site(s, quiet).Converge(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.cut = func(step.ID) bool { return false }
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{"w-a": 2}, r.asked); d != "" {
		t.Error(d)
	}
}

// TestInspectApproved checks that a host that is on, and may be somebody's, is
// restarted only with approval; one that is off needs none.
func TestInspectApproved(t *testing.T) {
	no := errors.New("no")
	for power, want := range map[bool]map[string]int{true: {}, false: {"w-a": 1}} {
		r := newRack()
		r.hosts["w-a"].vague, r.hosts["w-a"].on = true, power
		site := r.site(&store.Mem{}, quiet)
		site.Approve = func(context.Context, step.Plan, facts.Seen) error { return no }
		if err := site.Converge(t.Context()); !errors.Is(err, no) {
			t.Errorf("on %t: Converge() error = %v", power, err)
		}
		if d := cmp.Diff(want, maps.Clone(r.asked)); d != "" || len(r.wiped) > 0 {
			t.Errorf("on %t: asked (-want +got):\n%s", power, d)
		}
	}
}
