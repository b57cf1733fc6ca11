package mutate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// ours are the rows of a release that are judged without naming a workload.
func ours(t *testing.T, release ra2.Release) []conform.Row {
	t.Helper()
	rows, err := conform.RowsOf(release)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rows, func(r conform.Row) bool { return r.Section() == "app" })
}

// TestConformant checks that the snapshot that mutations break passes each row
// that applies to it.
func TestConformant(t *testing.T) {
	absent := []string{"ra2.ch.005", "ra2.ch.011", "ra2.os.003"} // virtual machines, Windows
	var rows []conform.Row
	for _, release := range ra2.Releases() {
		rows = append(rows, ours(t, release)...)
	}
	for _, r := range rows {
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

// TestScore breaks each row of each release and prints how many checks see it. `task
// mutation` does the same beside a real API server.
func TestScore(t *testing.T) {
	for _, release := range ra2.Releases() {
		rows := ours(t, release)
		outcomes, err := Run(rows, Of(release))
		if err != nil {
			t.Fatal(err)
		}
		score := Sum(rows, outcomes)
		t.Logf("%s: %d mutations; %s", release, len(outcomes), score)
		for _, id := range slices.Sorted(maps.Keys(score.Unbreakable)) {
			t.Logf("can't fail: %s: %s", id, score.Unbreakable[id])
		}
		if len(score.Survived) > 0 || len(score.Untried) > 0 {
			t.Errorf("a check that can't fail proves nothing:\n%s", score)
		}
	}
}

// TestLaterOnly wants what only a later release forbids to pass by the one before:
// the check takes it from the catalogue, and not from itself.
func TestLaterOnly(t *testing.T) {
	for i, release := range ra2.Releases()[1:] {
		older := ours(t, ra2.Releases()[i])
		for _, m := range Of(release)[len(Of(ra2.Releases()[i])):] {
			at := slices.IndexFunc(older, func(r conform.Row) bool { return r.ID == m.Row })
			if at < 0 {
				continue // the row itself came with the release
			}
			s := Conformant()
			m.Break(&s)
			if got := conform.Judge(older[at:at+1], s)[0]; got.Verdict != conform.Pass {
				t.Errorf("%s: %s fails before %s, too: %+v", m.Row, m.Name, release, got.Findings)
			}
		}
	}
}

// TestMissingIsUnknown takes one part after the other away. A row may then be
// unknown, or be judged as before because it doesn't need the part; it may
// never be judged otherwise, since an absent part is no empty one.
func TestMissingIsUnknown(t *testing.T) {
	for _, release := range ra2.Releases() {
		missingIsUnknown(t, ours(t, release))
	}
}

func missingIsUnknown(t *testing.T, rows []conform.Row) {
	t.Helper()
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

// TestSought takes away what nodes and probes tell. A row that fails by it, and wouldn't
// without it, has to have looked for it: else nobody asks the nodes where only that row
// is judged, and it gets a better verdict than among all.
func TestSought(t *testing.T) {
	made := func(p conform.Part) bool {
		return strings.HasPrefix(string(p), "facts/") || strings.HasPrefix(string(p), "probes/")
	}
	rows, tried := ours(t, ra2.Default), 0
	for _, m := range All() {
		i := slices.IndexFunc(rows, func(r conform.Row) bool { return r.ID == m.Row })
		s := Conformant()
		if m.On != nil {
			m.On(&s)
		}
		m.Break(&s)
		for part := range maps.Clone(s.Told) {
			if made(part) {
				delete(s.Told, part)
				forget(&s, part)
			}
		}
		if got := conform.Judge(rows[i:i+1], s)[0]; got.Verdict == conform.Fail {
			continue
		}
		tried++
		if !slices.ContainsFunc(conform.Sought(rows[i:i+1], s), made) {
			t.Errorf("%s, %s: it looks for nothing that nodes or probes tell", m.Row, m.Name)
		}
	}
	if tried < 60 {
		t.Errorf("only %d mutations rest on nodes or probes", tried)
	}
}

// TestOwnPods wants no row to change its verdict for pods that a run of verify has left
// when it was killed.
func TestOwnPods(t *testing.T) {
	rows := ours(t, ra2.Default)
	before, s := conform.Judge(rows, Conformant()), Conformant()
	left := s.Pods[len(s.Pods)-1]
	left.Namespace, left.Name, left.Spec.Containers = "ra2-verify-probes-x7k2p", "ra2-server-dpxm7", []corev1.Container{{Name: "main", Image: "ra2-deploy.io/probe:v1"}}
	s.Pods = append(s.Pods, left)
	for i, r := range conform.Judge(rows, s) {
		if r.Verdict != before[i].Verdict {
			t.Errorf("%s was %s, and is %s: %+v", r.ID, before[i].Verdict, r.Verdict, r.Findings)
		}
	}
}

func says(r conform.Result, word string) bool {
	return slices.ContainsFunc(r.Findings, func(f conform.Finding) bool { return strings.Contains(strings.Join(f.Missing, " "), word) })
}

// TestNothingIsUnknown judges a snapshot of nothing at all.
func TestNothingIsUnknown(t *testing.T) {
	for _, r := range conform.Judge(ours(t, ra2.Head), conform.Snapshot{Ended: time.Now()}) {
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
