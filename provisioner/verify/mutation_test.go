package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/apiserver"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/seed"
)

// rig is a real API server that holds what a mutation makes of the conformant
// snapshot. Kubelets are played: they answer to the API server, which is proxy to
// them, with the configuration that the snapshot has.
type rig struct {
	config *rest.Config
	server *seed.Server
	rows   []conform.Row
	played *atomic.Pointer[conform.Snapshot]
	at     map[string]netip.AddrPort
	whole  []conform.Result // of the conformant cluster, while the server holds it
}

// newRig starts one with flags of its own.
func newRig(t *testing.T, rows []conform.Row, flags ...string) *rig {
	t.Helper()
	var cidrs []string
	for _, c := range mutate.Conformant().ServiceCIDRs {
		cidrs = append(cidrs, c.Spec.CIDRs...)
	}
	r := &rig{rows: rows, played: new(atomic.Pointer[conform.Snapshot]), at: map[string]netip.AddrPort{}}
	for _, n := range mutate.Conformant().Nodes {
		r.at[n.Name] = r.kubelet(t, n.Name)
	}
	r.config = apiserver.Start(t, append([]string{"--service-cluster-ip-range=" + strings.Join(cidrs, ",")}, flags...)...)
	r.open(t)
	return r
}

func (r *rig) open(t *testing.T) {
	t.Helper()
	var err error
	if r.server, err = seed.Open(r.config, r.at); err != nil {
		t.Fatal(err)
	}
}

// kubelet starts what answers for the kubelet of a node.
func (r *rig) kubelet(t *testing.T, node string) netip.AddrPort {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/configz" {
			http.NotFound(w, req)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"kubeletconfig": r.played.Load().Kubelets[node]})
	}))
	server.Listener = outside(t)
	server.StartTLS()
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

// judge makes the server hold a snapshot, collects what it tells, and judges that
// by all rows.
func (r *rig) judge(ctx context.Context, s conform.Snapshot) ([]conform.Result, error) {
	r.played.Store(&s)
	if err := r.server.Become(ctx, s); err != nil {
		return nil, err
	}
	cluster, err := OpenConfig(r.config, 10000)
	if err != nil {
		return nil, err
	}
	taken, err := cluster.Snapshot(ctx)
	for part, why := range taken.Missing {
		if err == nil && s.Has(part) {
			err = fmt.Errorf("%s is missing: %s", part, why)
		}
	}
	return conform.Judge(r.rows, seed.Complete(taken, s)), err
}

// mutated returns what a mutation starts from, and what it makes of that.
func mutated(m mutate.Mutation) (from, to conform.Snapshot) {
	make := func(changes ...func(*conform.Snapshot)) conform.Snapshot {
		s := mutate.Conformant()
		for _, c := range changes {
			if c != nil {
				c(&s)
			}
		}
		return s
	}
	return make(m.On), make(m.On, m.Break)
}

// TestMutationsOnServer makes of a real API server what each mutation makes of a
// snapshot in memory, collects, and wants the verdict to turn to fail, and back; and
// of every other row the verdict that it has in memory.
func TestMutationsOnServer(t *testing.T) {
	rows, err := conform.Rows()
	if err != nil {
		t.Fatal(err)
	}
	rows = slices.DeleteFunc(rows, func(r conform.Row) bool { return r.Section() == "app" })
	r := newRig(t, rows)
	whole := mutate.Conformant()
	base, err := r.judge(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	alike(t, "the conformant cluster", base, conform.Judge(rows, whole))
	column := mutate.Column{Place: "api"}
	for _, m := range mutate.All() {
		t.Run(m.Row+" "+m.Name, func(t *testing.T) {
			trial := r.try(t, m)
			column.Trials = append(column.Trials, trial)
			switch {
			case trial.Why != "":
				t.Skip(trial.Why)
			case !trial.Killed():
				t.Errorf("was %s, broken %s, mended %s", trial.Was, trial.Is, trial.Back)
			}
			t.Logf("%s, with it %v", trial.How, trial.Beside)
		})
	}
	if err := column.Keep(os.Getenv("RA2_MUTATIONS")); err != nil {
		t.Fatal(err)
	}
}

// try makes one mutation.
func (r *rig) try(t *testing.T, m mutate.Mutation) mutate.Trial {
	trial := mutate.Trial{Row: m.Row, Name: m.Name}
	from, to := mutated(m)
	d, err := seed.Compare(from, to)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case !d.InAPI():
		trial.Why = "an API server doesn't tell it: " + strings.Join(d.Beside, ", ")
		return trial
	case d.Version:
		trial.Why = "a version is built into kube-apiserver, and there is one"
		return trial
	}
	breaking := r
	before := r.whole
	if m.On != nil || before == nil {
		if before, err = r.judge(t.Context(), from); err != nil {
			t.Fatalf("before it: %v", err)
		}
	}
	r.whole = nil
	if len(d.Settings) > 0 {
		trial.How = "a server with " + strings.Join(d.Settings, " ")
		breaking = newRig(t, r.rows, d.Settings...)
	}
	broken, err := breaking.judge(t.Context(), to)
	if refused, ok := errors.AsType[*apierrors.StatusError](err); ok && apierrors.IsInvalid(refused) {
		trial.Why = "the API server refuses it: " + conform.Trim(refused.ErrStatus.Message)
	} else if err != nil {
		t.Fatal(err)
	}
	after, err := r.judge(t.Context(), from)
	if err != nil {
		t.Fatalf("after it: %v", err)
	}
	if m.On == nil {
		r.whole = after
	}
	if trial.Why != "" {
		return trial
	}
	alike(t, "before it", before, conform.Judge(r.rows, from))
	alike(t, "broken", broken, conform.Judge(r.rows, to))
	alike(t, "mended", after, conform.Judge(r.rows, from))
	i := slices.IndexFunc(r.rows, func(row conform.Row) bool { return row.ID == m.Row })
	trial.Was, trial.Is, trial.Back = before[i].Verdict, broken[i].Verdict, after[i].Verdict
	for j := range broken {
		if j != i && broken[j].Verdict != before[j].Verdict {
			trial.Beside = append(trial.Beside, broken[j].ID)
		}
	}
	return trial
}

// alike wants of each row the verdict that it has in memory.
func alike(t *testing.T, what string, real, memory []conform.Result) {
	t.Helper()
	for i, r := range real {
		if r.Verdict != memory[i].Verdict {
			t.Errorf("%s: %s is %s on a real server, and %s in memory: %+v", what, r.ID, r.Verdict, memory[i].Verdict, r.Findings)
		}
	}
}
