package app_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/workload"
)

// texts are the files of testdata by name, without ".yaml".
type texts map[string]string

func load(t *testing.T) texts {
	t.Helper()
	all := texts{}
	for _, name := range []string{"written", "running", "facts"} {
		data, err := os.ReadFile("testdata/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// facts is what facts.yaml holds.
type facts struct {
	Chart *app.Chart
	Live  *app.Live
	Runs  []app.Run
}

// judge judges the written workload, or the running one, by row.
func (x texts) judge(t *testing.T, base string) map[string]conform.Result {
	t.Helper()
	var f facts
	if err := yaml.NewDecoder(bytes.NewReader([]byte(x["facts"])), yaml.Strict()).Decode(&f); err != nil {
		t.Fatal(err)
	}
	w := app.Workload{Version: app.Version{Major: 1, Minor: 37}, Time: time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC), Chart: f.Chart}
	file := base + ".yaml"
	objects, err := workload.Parse(file, "", []byte(x[base]))
	if err != nil {
		t.Fatal(err)
	}
	w.Objects = objects
	if base == "running" {
		w.Live, w.Runs = f.Live, f.Runs
		for i := range w.Objects {
			w.Objects[i].File = ""
		}
	}
	catalogue, err := ra2.Load()
	if err != nil {
		t.Fatal(err)
	}
	results, err := app.Judge(catalogue, w)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]conform.Result{}
	for _, r := range results {
		by[r.ID] = r
	}
	return by
}

// mutation is one violation that is seeded.
type mutation struct {
	Row  string // that has to fail
	In   string // the text that is changed
	Run  string // the kind of the run that is changed, in facts
	Old  string // what is replaced, once
	New  string
	Says string // the words of the finding
}

func mutations(t *testing.T) []mutation {
	t.Helper()
	data, err := os.ReadFile("testdata/mutations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []mutation
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// apply returns the texts with one violation, and which workload shows it.
func (m mutation) apply(t *testing.T, x texts) (texts, string) {
	t.Helper()
	text, before, after := x[m.In], "", ""
	if m.Run != "" {
		i := strings.Index(text, "- {kind: "+m.Run+",")
		if i < 0 {
			t.Fatalf("no run %s", m.Run)
		}
		before, text = text[:i], text[i:]
		line, rest, _ := strings.Cut(text, "\n")
		text, after = line, "\n"+rest
	}
	if !strings.Contains(text, m.Old) {
		t.Fatalf("%s has no %q", m.In, m.Old)
	}
	changed := texts{}
	for name, each := range x {
		changed[name] = each
	}
	changed[m.In] = before + strings.Replace(text, m.Old, m.New, 1) + after
	if m.In == "facts" {
		return changed, "running"
	}
	return changed, m.In
}

// TestViolations seeds one violation at a time: the row fails, says why, and names
// where; before, it didn't fail.
func TestViolations(t *testing.T) {
	good := load(t)
	before := map[string]map[string]conform.Result{"written": good.judge(t, "written"), "running": good.judge(t, "running")}
	covered, seen := map[string]bool{}, 0
	for _, m := range mutations(t) {
		covered[m.Row] = true
		t.Run(m.Row+" "+m.New, func(t *testing.T) {
			changed, base := m.apply(t, good)
			got := changed.judge(t, base)[m.Row]
			for _, f := range before[base][m.Row].Findings {
				if f.Verdict == conform.Fail && strings.Contains(f.Got, m.Says) {
					t.Errorf("it is said before anything was changed: %s", f.Got)
				}
			}
			i := slices.IndexFunc(got.Findings, func(f conform.Finding) bool { return f.Verdict == conform.Fail && strings.Contains(f.Got, m.Says) })
			if got.Verdict != conform.Fail || i < 0 {
				t.Fatalf("%s, %+v\nwant a fail that says %q", got.Verdict, got.Findings, m.Says)
			}
			if (m.Run == "") != (got.How == conform.Setting) && m.In == "written" {
				t.Errorf("it rests on %s", got.How)
			}
			if e := got.Findings[i].Evidence; m.In == "written" && !slices.ContainsFunc(e, func(e conform.Evidence) bool { return e.File == "written.yaml" && e.Line > 0 }) {
				t.Errorf("the evidence names no place: %+v", e)
				return
			}
			seen++
		})
	}
	t.Logf("ra2.app: %d of %d violations seen, of %d of %d rows", seen, len(mutations(t)), len(covered), len(before["written"]))
	for id := range before["written"] {
		if !covered[id] {
			t.Errorf("no violation of %s is seeded", id)
		}
	}
}

// TestConformant checks that the workload that meets RA2 fails nowhere, and what
// nobody can say of it before it runs.
func TestConformant(t *testing.T) {
	good := load(t)
	var open []string
	for id, r := range good.judge(t, "written") {
		if r.Verdict == conform.Fail && id != "ra2.app.011" { // facts.yaml names its registry: here it passes too
			t.Errorf("%s: %+v", id, r.Findings)
		}
		if r.Verdict == conform.Unknown {
			open = append(open, strings.TrimPrefix(id, "ra2.app."))
		}
	}
	slices.Sort(open)
	const want = "008 017 018 019 020 021 022 023 024 039 040 046"
	if got := strings.Join(open, " "); got != want {
		t.Errorf("unknown before it runs: %s, want %s", got, want)
	}
	for _, id := range []string{"008", "013", "014", "020", "021", "022", "023", "024", "036", "038", "039", "040", "042", "046"} {
		if r := good.judge(t, "running")["ra2.app."+id]; r.Verdict != conform.Pass {
			t.Errorf("%s as it runs: %s %+v", id, r.Verdict, r.Findings)
		}
	}
}
