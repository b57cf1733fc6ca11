package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// A sabotage breaks rows on a lab's cluster, or mends rows that fail on it: a repair is
// a mutation too. Each verdict has to turn, and to turn back when it is undone. A deed is
// a line "kubectl …", or "MACHINE: " and a script that runs there as root.
type sabotage struct {
	rows     string // "ra2.k8s.012b ra2.k8s.019"
	name     string
	on, off  []string // what makes the row be judged at all, and what takes that away
	do, undo []string
	play     func(*bench, <-chan struct{}) // goes on beside, until the channel is closed
}

// TestSiteMutations breaks nodes and what runs on them, one thing after the other: what a
// real API server can't show (provisioner/verify has the rest). The machines show
// the kernel's files of a server, testdata/server.sh, so that rows about hardware can be
// broken by a file. About twenty minutes.
func TestSiteMutations(t *testing.T) {
	needsSite(t)
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl isn't installed")
	}
	worker := "    - {name: worker-a, zone: a, roles: [worker], class: lab}"
	b := newBench(t, "e2e-broken", "twins.yaml", ", kernel: cloud, kubernetes: false", "", worker, worker+"\n"+strings.ReplaceAll(worker, "worker-a", "worker-b"))
	b.must(b.run("image", "build", b.inventory()))
	b.must(b.inside("up", "--yes", b.inventory()))
	server, err := os.ReadFile("testdata/server.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"cp-a", "worker-a", "worker-b"} {
		b.must(b.node(m, string(server)))
	}
	b.deed("kubectl label node worker-a profile.anuket.io/network-intensive=true")
	b.sabotaged(sabotages())
}

// sabotaged makes all of it, and keeps what it came to for who prints the score. What
// concerns other rows each is done at once: a look at a cluster takes its time.
func (b *bench) sabotaged(groups [][]sabotage) {
	before := b.verdicts()
	column := mutate.Column{Place: "lab", Why: map[string]string{}}
	for _, group := range groups {
		b.part(group[0].rows, func(b *bench) { column.Trials = append(column.Trials, b.sabotage(group, before)...) })
	}
	column.Why = untried(before, column.Trials)
	if err := column.Keep(os.Getenv("RA2_MUTATIONS")); err != nil {
		b.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(column.Why)) {
		b.Logf("not broken here: %s: %s", id, column.Why[id])
	}
}

// sabotage makes what belongs together, and undoes it whatever came of it.
func (b *bench) sabotage(group []sabotage, before map[string]conform.Result) (trials []mutate.Trial) {
	var ids []string
	var all sabotage
	for _, s := range group {
		all.on, all.do = append(all.on, s.on...), append(all.do, s.do...)
		all.off, all.undo = slices.Concat(s.off, all.off), slices.Concat(s.undo, all.undo) // the last is undone first
		for id := range strings.FieldsSeq(s.rows) {
			ids, trials = append(ids, id), append(trials, mutate.Trial{Row: id, Name: s.name})
		}
	}
	b.deeds(all.on)
	defer b.deeds(all.off)
	if all.on != nil {
		before = b.turned(ids, func(string) conform.Verdict { return conform.Pass })
	}
	broken := b.broken(group, all, func() map[string]conform.Result {
		return b.turned(ids, func(id string) conform.Verdict { return opposite(before[id].Verdict) })
	})
	mended := b.turned(ids, func(id string) conform.Verdict { return before[id].Verdict })
	for i := range trials {
		t := &trials[i]
		t.Was, t.Is, t.Back = before[t.Row].Verdict, broken[t.Row].Verdict, mended[t.Row].Verdict
		if !t.Killed() {
			b.Errorf("%s: was %s, then %s, and then %s: %+v", t.Row, t.Was, t.Is, t.Back, broken[t.Row].Findings)
		}
	}
	return trials
}

// broken looks while all of it is in force.
func (b *bench) broken(group []sabotage, all sabotage, look func() map[string]conform.Result) map[string]conform.Result {
	ended := make(chan struct{})
	var played sync.WaitGroup
	for _, s := range group {
		if s.play != nil {
			played.Go(func() { s.play(b, ended) })
		}
	}
	defer b.deeds(all.undo)
	defer played.Wait()
	defer close(ended)
	b.deeds(all.do)
	return look()
}

func opposite(v conform.Verdict) conform.Verdict {
	if v == conform.Fail {
		return conform.Pass
	}
	return conform.Fail
}

// turned judges rows until each has its verdict, or three minutes have gone: a kubelet
// that was started anew, or an API server, takes its time. It returns the last verdicts.
func (b *bench) turned(ids []string, want func(id string) conform.Verdict) map[string]conform.Result {
	b.Helper()
	until := time.Now().Add(3 * time.Minute)
	for {
		got := b.verdicts(ids...)
		open := slices.ContainsFunc(ids, func(id string) bool { return got[id].Verdict != want(id) })
		if !open || time.Now().After(until) {
			return got
		}
		time.Sleep(time.Second)
	}
}

// verdicts judges rows, or all, by the cluster alone: no inventory tells of its hosts. A
// cluster that can't be asked at this moment has none.
func (b *bench) verdicts(ids ...string) map[string]conform.Result {
	b.Helper()
	args := []string{"verify", "--cluster", b.state("secrets/kubeconfig"), "--yes", "--image", "ra2-deploy.io/probe:v1", "--rate", "50", "-o", "json"}
	for _, id := range ids {
		args = append(args, "--rows", id)
	}
	r := b.inside(args...)
	all := map[string]conform.Result{}
	if r.code == 1 && len(ids) > 0 {
		return all
	}
	c, err := report.ReadConformance([]byte(r.out))
	if err != nil {
		b.Fatalf("%v\n%s", err, r)
	}
	for _, row := range c.Rows {
		all[row.ID] = row
	}
	return all
}

// deeds does one after the other.
func (b *bench) deeds(lines []string) {
	b.Helper()
	for _, line := range lines {
		b.deed(line)
	}
}

func (b *bench) deed(line string) result {
	b.Helper()
	if args, ok := strings.CutPrefix(line, "kubectl "); ok {
		var r result
		// A deed before this may have started the API server anew.
		b.until("the API server answers kubectl "+args, 2*time.Minute, func() (bool, string) {
			r = b.kubectl(args)
			return r.code == 0 || !unanswered.MatchString(r.err), r.err
		})
		return b.must(r)
	}
	machine, script, ok := strings.Cut(line, ": ")
	if !ok {
		b.Fatalf("%q is no deed", line)
	}
	return b.must(b.node(machine, script))
}

// unanswered matches kubectl's words of a server that isn't there.
var unanswered = regexp.MustCompile(`was refused|connection refused|no route to host|i/o timeout|TLS handshake timeout`)

// node runs a script on a machine, as its root.
func (b *bench) node(machine, script string) result {
	b.Helper()
	return b.start("nsenter", "-t", fmt.Sprint(b.pid1(machine)), "-a", "--", "sh", "-ec", script).wait()
}

// objects asks kubectl for objects.
func (b *bench) objects(what string, to any) error {
	r := b.kubectl("get " + what + " -o json")
	if r.code != 0 {
		return fmt.Errorf("%s", r)
	}
	return json.Unmarshal([]byte(r.out), to)
}

// untried says of each row that wasn't broken why: what the report of the lab says of it,
// or that an API server alone shows it.
func untried(before map[string]conform.Result, trials []mutate.Trial) map[string]string {
	why := map[string]string{}
	for id, r := range before {
		if r.How == conform.Statement || slices.ContainsFunc(trials, func(t mutate.Trial) bool { return t.Row == id }) {
			continue
		}
		f := r.Findings[slices.IndexFunc(r.Findings, func(f conform.Finding) bool { return f.Verdict == r.Verdict })]
		switch said := strings.Join(append([]string{f.Got}, f.Missing...), "; "); r.Verdict {
		case conform.NotApplicable, conform.Unknown, conform.Fail:
			why[id] = fmt.Sprintf("the lab's cluster is %s: %s", r.Verdict, strings.Trim(said, "; "))
		default:
			why[id] = "objects of the API decide it: it is broken on a real API server"
		}
	}
	return why
}
