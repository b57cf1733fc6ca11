package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// rowOf returns a row with so many findings of a verdict.
func rowOf(id int, level ra2.Level, v conform.Verdict, findings int) conform.Result {
	r := conform.Result{ID: fmt.Sprintf("ra2.app.%03d", id), Title: "Title", Level: level, How: conform.Setting, Verdict: v}
	for i := range findings {
		f := conform.Finding{Verdict: v, Subject: fmt.Sprintf("deployment/shop/web-%d", i), Got: ".spec.x 1", Do: "change it"}
		if v == conform.Unknown {
			f.Missing = []string{fmt.Sprintf("what tells of %d", id%2)}
		} else {
			f.Evidence = []conform.Evidence{{File: "web.yaml", Line: 7 + i}}
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func seal(t *testing.T, w *report.Workload) {
	t.Helper()
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
}

// TestWorkloadForms wants the same rows in each form, under the workload's own name,
// and the digest of the document.
func TestWorkloadForms(t *testing.T) {
	w := report.Workload{Workload: "namespace shop", Kubernetes: "1.37", Disturbed: 3, Rows: []conform.Result{
		rowOf(8, ra2.Must, conform.Fail, 2), rowOf(9, ra2.Must, conform.Unknown, 1), rowOf(13, ra2.Must, conform.Pass, 1), rowOf(14, ra2.Must, conform.NotApplicable, 1),
	}}
	seal(t, &w)
	var junit, page bytes.Buffer
	if err := errors.Join(w.WriteJUnit(&junit), w.WritePage(&page)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`name="RA2 Pieman: namespace shop" tests="4" failures="1" errors="1"`, `skipped="1"`, `<property name="workload" value="namespace shop">`, `value="` + w.Digest + `"`} {
		if !strings.Contains(junit.String(), want) {
			t.Errorf("no %s in\n%s", want, &junit)
		}
	}
	for _, want := range []string{"Not conformant, by 4 of 43 rows", "<dt>Workload</dt>", "read, and disturbed by 3 experiments until ", `id="ra2.app.014"`, w.Digest} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %s in the page", want)
		}
	}
	before := w.Digest
	if seal(t, &w); w.Digest != before {
		t.Error("the digest counts itself")
	}
	w.Rows[2].Verdict = conform.Fail
	if seal(t, &w); w.Digest == before {
		t.Error("a change of the content doesn't change the digest")
	}
}

func TestWorkloadText(t *testing.T) {
	w := report.Workload{Workload: "manifests deploy/", Kubernetes: "1.37", Objects: 2, NotJudged: []string{"a", "b", "c", "d", "e"}, Rows: []conform.Result{
		rowOf(7, ra2.Should, conform.Fail, 1), rowOf(8, ra2.Must, conform.Fail, 5), rowOf(9, ra2.Must, conform.Unknown, 1), rowOf(11, ra2.Must, conform.Unknown, 2),
		rowOf(12, ra2.Must, conform.Unknown, 1), rowOf(13, ra2.Must, conform.Pass, 1), rowOf(14, ra2.Must, conform.NotApplicable, 1),
	}}
	seal(t, &w)
	want := `manifests deploy/: 2 objects, judged for Kubernetes 1.37
of kinds that ra2-deploy doesn't know, and not judged: a, b, c, and 2 more
fail     ra2.app.008 Title (must, by setting)
         deployment/shop/web-0  .spec.x 1  (web.yaml:7)
         deployment/shop/web-1  .spec.x 1  (web.yaml:8)
         deployment/shop/web-2  .spec.x 1  (web.yaml:9)
         and 2 objects more
         do: change it
fail     ra2.app.007 Title (should, by setting)
         deployment/shop/web-0  .spec.x 1  (web.yaml:7)
         do: change it
unknown  ra2.app.009, 011: missing: what tells of 1
unknown  ra2.app.012 Title: missing: what tells of 0
7 rows: 2 fail, 3 unknown, 1 pass, 1 not-applicable
7 rows judged: not conformant, 4 of those that bind fail or are unknown (report ` + w.Digest[:19] + `)
`
	if got := w.Text(false); got != want || w.Against != 4 {
		t.Errorf("%d against it:\n%s\nwant\n%s", w.Against, got, want)
	}
	if all := w.Text(true); strings.Count(all, "deployment/shop/web-") != 12 || !strings.Contains(all, "pass     ra2.app.013") {
		t.Errorf("with all:\n%s", all)
	}
}

// TestWorkloadTextIsShort lets everything fail, for everything.
func TestWorkloadTextIsShort(t *testing.T) {
	var w report.Workload
	for id := range 43 {
		w.Rows = append(w.Rows, rowOf(id, ra2.Must, conform.Fail, 1000))
	}
	seal(t, &w)
	if text := w.Text(false); strings.Count(text, "\n") > 80 || !strings.Contains(text, "and 31 rows more that fail: ra2.app.012, 013,") {
		t.Errorf("%d lines:\n%s", strings.Count(text, "\n"), text)
	}
}
