package provisioner_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/store"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

func quiet(step.Event) {}

// finished checks that every host ended where it should.
func finished(t *testing.T, when string, r *rack) {
	t.Helper()
	for name, m := range r.state() {
		want := machine{on: true, smt: "Enabled", disk: r.want.Generations[name], complete: true, joined: true, node: true}
		if d := cmp.Diff(want, m, cmp.AllowUnexported(machine{})); d != "" {
			t.Errorf("%s: %s (-want +got):\n%s", when, name, d)
		}
	}
	if r.world.formed != 1 && !strings.Contains(when, "born") {
		t.Errorf("%s: the cluster was formed %d times", when, r.world.formed)
	}
}

// TestUp brings up a rack, and checks that a second turn has nothing to do.
func TestUp(t *testing.T) {
	r, s := newRack(), &store.Mem{}
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	finished(t, "up", r)
	turn, err := r.site(s, quiet).Plan(t.Context())
	if err != nil || !turn.Plan.Empty() {
		t.Errorf("the plan of a finished site: %v, %v", turn.Plan, err)
	}
	for name, n := range r.wiped {
		if n != 1 {
			t.Errorf("%s was erased %d times", name, n)
		}
	}
}

// TestPowerLoss checks that a rack that lost power is woken: no disk is erased,
// and nothing is formed a second time.
func TestPowerLoss(t *testing.T) {
	r, s := newRack(), &store.Mem{}
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range r.hosts {
		m.on = false
	}
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	finished(t, "after a power loss", r)
	for name, n := range r.wiped {
		if n != 1 {
			t.Errorf("%s was erased %d times", name, n)
		}
	}
}

// TestDeafMachine checks that a machine that forgets its settings is reported,
// and not set again for ever.
func TestDeafMachine(t *testing.T) {
	r, s := newRack(), &store.Mem{}
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.deaf = true
	r.hosts["w-a"].smt = "Disabled"
	err := r.site(s, quiet).Converge(t.Context())
	if err == nil || !strings.Contains(err.Error(), "w-a/firmware: done, and still: LogicalProc: Disabled → Enabled") {
		t.Errorf("Converge() error = %v", err)
	}
}

// TestChange checks that a changed inventory rebuilds the nodes it touches, one
// control plane at a time, and no other.
func TestChange(t *testing.T) {
	r, s := newRack(), &store.Mem{}
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cp-a", "cp-b", "cp-c", "w-b"} {
		r.want.Generations[name] = "generation-2-" + name
	}
	if err := r.site(s, quiet).Converge(t.Context()); err != nil {
		t.Fatal(err)
	}
	finished(t, "after a change", r)
	want := map[string]int{"cp-a": 2, "cp-b": 2, "cp-c": 2, "w-a": 1, "w-b": 2}
	if d := cmp.Diff(want, r.wiped); d != "" {
		t.Errorf("disks erased (-want +got):\n%s", d)
	}
}

// TestDeclined checks that nothing happens to a site whose plan is not approved.
func TestDeclined(t *testing.T) {
	r := newRack()
	site := r.site(&store.Mem{}, quiet)
	no := errors.New("no")
	site.Approve = func(context.Context, step.Plan, facts.Seen) error { return no }
	if err := site.Converge(t.Context()); !errors.Is(err, no) {
		t.Errorf("Converge() error = %v", err)
	}
	if len(r.wiped) > 0 {
		t.Errorf("disks were erased: %v", r.wiped)
	}
}

var errCrash = errors.New("crash")

// crashing is a store that fails for ever after n saves, as a dead process does.
type crashing struct {
	workflow.Store
	n int
}

func (c *crashing) Save(ctx context.Context, rec step.Record, v workflow.Version) (workflow.Version, error) {
	if c.n--; c.n < 0 {
		return "", errCrash
	}
	return c.Store.Save(ctx, rec, v)
}

// TestCrashAnywhere kills a run at each of its saves in turn, runs it again and
// checks that the site ends the same.
func TestCrashAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		r, s := newRack(), &store.Mem{}
		err := r.site(&crashing{s, n}, quiet).Converge(t.Context())
		if err == nil {
			if n < 20 {
				t.Fatalf("a whole run took only %d saves", n)
			}
			return
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("crash at save %d: %v", n, err)
		}
		if err := r.site(s, quiet).Converge(t.Context()); err != nil {
			t.Fatalf("after a crash at save %d: %v", n, err)
		}
		finished(t, "after a crash (born)", r)
	}
}

// TestCutInTheMiddle kills a run inside each step that can look done and isn't,
// and checks that the next run does it to the end.
func TestCutInTheMiddle(t *testing.T) {
	for _, id := range []step.ID{"cp-a/installed", "w-b/installed", "cluster/born", "cp-c/member", "w-a/member"} {
		r, s := newRack(), &store.Mem{}
		ctx, cancel := context.WithCancel(t.Context())
		r.kill, r.cut = cancel, func(now step.ID) bool { return now == id }
		if err := r.site(s, quiet).Converge(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("cut in %s: error = %v, want context.Canceled", id, err)
		}
		r.cut = func(step.ID) bool { return false }
		if err := r.site(s, quiet).Converge(t.Context()); err != nil {
			t.Fatalf("cut in %s: second run: %v", id, err)
		}
		finished(t, "cut in "+string(id)+" (born)", r)
	}
}
