package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func conformance(t *testing.T, s conform.Snapshot) report.Conformance {
	t.Helper()
	rows, err := conform.Rows()
	if err != nil {
		t.Fatal(err)
	}
	c, err := report.NewConformance("test", s, conform.Judge(rows, s), 46)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConformanceFitsAScreen wants about a screen of the worst reports: nothing
// was told, each of 200 kubelets failed in its own words, every row fails.
func TestConformanceFitsAScreen(t *testing.T) {
	nothing := conform.Snapshot{Ended: time.Now()}
	many := mutate.Conformant()
	for i := range 200 {
		n := many.Nodes[5]
		n.Name = fmt.Sprintf("w-%03d", i)
		many.Nodes = append(many.Nodes, n)
		many.Missing[conform.KubeletOf(n.Name)] = fmt.Sprintf("failed: GET https://10.17.0.10:6443/api/v1/nodes/%s/proxy/configz: timeout", n.Name)
		many.Missing[conform.FactsOf(n.Name)] = "failed: the Job on " + n.Name + " didn't end"
	}
	broken := conformance(t, mutate.Conformant())
	for i := range broken.Rows {
		f := conform.Finding{Verdict: conform.Fail, Subject: "node/a", Want: "x", Got: "y", Do: "z", Evidence: []conform.Evidence{{Command: "kubectl get nodes"}}}
		broken.Rows[i].Verdict, broken.Rows[i].Findings = conform.Fail, []conform.Finding{f, f}
	}
	for name, c := range map[string]report.Conformance{"nothing": conformance(t, nothing), "many": conformance(t, many), "broken": broken} {
		text := report.ConformanceText(c)
		if lines := strings.Count(text, "\n"); lines > 75 {
			t.Errorf("%s: %d lines:\n%s", name, lines, text)
		}
		if !strings.Contains(text, "166 rows judged: ") {
			t.Errorf("%s has no last line", name)
		}
	}
	text := report.ConformanceText(broken) // in which node/a, that fails twice, is named once
	if !strings.Contains(text, "rows that fail and are not shown: 152; --all shows every row") || !strings.Contains(text, "\n         ra2.os.004 005; ra2.k8s.001") || strings.Contains(text, "more: node/a") {
		t.Errorf("what was left out isn't said:\n%s", text)
	}
}

// TestConformanceCounts wants that what binds and is open counts against a
// cluster, and nothing else.
func TestConformanceCounts(t *testing.T) {
	row := func(id string, l ra2.Level, v conform.Verdict) conform.Result {
		return conform.Result{ID: id, Level: l, Verdict: v, Findings: []conform.Finding{{Verdict: v}}}
	}
	c, err := report.NewConformance("test", conform.Snapshot{}, []conform.Result{
		row("1", ra2.Must, conform.Pass), row("2", ra2.Must, conform.Fail), row("3", ra2.ConditionalMust, conform.Unknown), row("4", ra2.Should, conform.Fail),
		row("5", ra2.May, conform.Unknown), row("6", ra2.Must, conform.Waived), row("7", ra2.ConditionalMust, conform.NotApplicable),
	}, 0)
	if err != nil || c.Summary.Against != 2 || c.Summary.Rows != 7 || c.Summary.Verdicts[conform.Fail] != 2 || c.Summary.Levels[ra2.Must][conform.Waived] != 1 {
		t.Errorf("%+v, %v", c.Summary, err)
	}
}

// TestDiff compares reports of which rows came, went, and changed.
func TestDiff(t *testing.T) {
	seen := func(value string) []conform.Evidence {
		return []conform.Evidence{{Object: "node/a", Path: ".x", Value: value, Time: time.Now()}}
	}
	row := func(id string, v conform.Verdict, value string) conform.Result {
		return conform.Result{ID: id, Title: "t", Level: ra2.Must, Verdict: v, Findings: []conform.Finding{{Verdict: v, Subject: "node/a", Got: value, Evidence: seen(value)}}}
	}
	older := report.Conformance{Kubernetes: "v1.36.3", Rows: []conform.Result{
		row("same", conform.Pass, "1"), row("worse", conform.Pass, "1"), row("better", conform.Fail, "1"), row("other", conform.Pass, "1"), row("gone", conform.Pass, "1"),
	}}
	newer := report.Conformance{Kubernetes: "v1.37.2", Rows: []conform.Result{
		row("same", conform.Pass, "1"), row("worse", conform.Fail, "2"), row("better", conform.Pass, "2"), row("other", conform.Pass, "2"), row("new", conform.Pass, "1"),
	}}
	want := `note     Kubernetes: v1.37.2, was v1.36.3
pass → fail  worse  t: node/a 2
fail → pass  better  t: node/a 2
pass     other        t: node/a .x is 2
not judged → pass  new  t: node/a 1
pass → not judged  gone  t: 
4 rows with another verdict, 1 with other evidence; 1 stand against conformance that didn't
`
	if got := report.DiffText(report.Diff(older, newer)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if d := report.Diff(older, older); len(d.Changes) > 0 || d.Worse != 0 {
		t.Errorf("%+v", d)
	}
}
