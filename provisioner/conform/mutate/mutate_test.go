package mutate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// ours are the rows that are judged without naming a workload.
func ours(t *testing.T) []conform.Row {
	t.Helper()
	rows, err := conform.Rows()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rows, func(r conform.Row) bool { return r.Section() == "app" })
}

// TestConformant checks that the snapshot that mutations break passes each row
// that applies to it.
func TestConformant(t *testing.T) {
	absent := []string{"ra2.ch.005", "ra2.ch.011", "ra2.os.003"} // virtual machines, Windows
	for _, r := range ours(t) {
		got := conform.Judge([]conform.Row{r}, Conformant())[0]
		if want := map[bool]conform.Verdict{true: conform.NotApplicable, false: conform.Pass}[slices.Contains(absent, r.ID)]; r.How != conform.Statement && got.Verdict != want {
			t.Errorf("%s %s: %+v", r.ID, got.Verdict, got.Findings)
		}
		for _, f := range got.Findings {
			if r.How != conform.Statement && len(f.Evidence) == 0 {
				t.Errorf("%s: a finding without evidence: %+v", r.ID, f)
			}
		}
	}
}

// TestScore breaks each row and prints how many checks see it. `task mutation` does
// the same beside a real API server.
func TestScore(t *testing.T) {
	rows := ours(t)
	outcomes, err := Run(rows, All())
	if err != nil {
		t.Fatal(err)
	}
	score := Sum(rows, outcomes)
	t.Logf("%d mutations; %s", len(outcomes), score)
	for _, id := range slices.Sorted(maps.Keys(score.Unbreakable)) {
		t.Logf("can't fail: %s: %s", id, score.Unbreakable[id])
	}
	if len(score.Survived) > 0 || len(score.Untried) > 0 {
		t.Errorf("a check that can't fail proves nothing:\n%s", score)
	}
}

// TestMissingIsUnknown takes one part after the other away. A row may then be
// unknown, or be judged as before because it doesn't need the part; it may
// never be judged otherwise, since an absent part is no empty one.
func TestMissingIsUnknown(t *testing.T) {
	rows := ours(t)
	whole := conform.Judge(rows, Conformant())
	for part := range Conformant().Told {
		s := Conformant()
		delete(s.Told, part)
		forget(&s, part)
		s.Missing[part] = "not allowed: by this test"
		for i, r := range conform.Judge(rows, s) {
			before := whole[i].Verdict
			switch {
			case r.ID == "ra2.ntw.011" && part == conform.ProbeOf(conform.ProbeNATLess):
				// asked only where somebody wanted the probe
			case r.Verdict != before && r.Verdict != conform.Unknown:
				t.Errorf("%s without %s: %s, was %s: %+v", r.ID, part, r.Verdict, before, r.Findings)
			case r.Verdict == conform.Unknown && before != conform.Unknown && !says(r, "by this test") && !says(r, "not asked"):
				t.Errorf("%s without %s doesn't say what is missing: %+v", r.ID, part, r.Findings)
			}
		}
	}
}

func says(r conform.Result, word string) bool {
	return slices.ContainsFunc(r.Findings, func(f conform.Finding) bool { return strings.Contains(strings.Join(f.Missing, " "), word) })
}

// TestNothingIsUnknown judges a snapshot of nothing at all.
func TestNothingIsUnknown(t *testing.T) {
	for _, r := range conform.Judge(ours(t), conform.Snapshot{Ended: time.Now()}) {
		if r.How != conform.Statement && r.ID != "ra2.ntw.011" && r.Verdict != conform.Unknown {
			t.Errorf("%s: %s: %+v", r.ID, r.Verdict, r.Findings)
		}
	}
}

// BenchmarkJudge judges a cluster of 1,000 workers with 30 pods on each.
func BenchmarkJudge(b *testing.B) {
	rows, err := conform.Rows()
	if err != nil {
		b.Fatal(err)
	}
	s := Conformant()
	s.Want, s.Hosts = nil, nil
	for i := range 1000 {
		addWorker(&s, fmt.Sprintf("w-%04d", i))
	}
	tell(&s)
	for b.Loop() {
		conform.Judge(rows, s)
	}
}

func addWorker(s *conform.Snapshot, name string) {
	n := s.Nodes[len(s.Nodes)-1]
	n.Name = name
	s.Nodes = append(s.Nodes, n)
	s.Kubelets[name], s.Facts[name] = s.Kubelets["worker-a"], s.Facts["worker-a"]
	for range 30 {
		p := s.Pods[len(s.Pods)-1]
		p.Spec.NodeName = name
		s.Pods = append(s.Pods, p)
	}
}
