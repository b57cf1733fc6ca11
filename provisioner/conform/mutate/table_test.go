package mutate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

func TestKilled(t *testing.T) {
	const pass, fail, unknown, none = conform.Pass, conform.Fail, conform.Unknown, conform.NotApplicable
	for _, c := range []struct {
		was, is, back conform.Verdict
		want          bool
	}{
		{pass, fail, pass, true}, {none, fail, none, true}, {fail, pass, fail, true}, // a repair is a mutation too
		{pass, pass, pass, false}, {pass, unknown, pass, false}, {pass, fail, fail, false}, {unknown, fail, unknown, false}, {fail, fail, fail, false}, {fail, unknown, fail, false}, {fail, none, fail, false},
	} {
		if got := (Trial{Was: c.was, Is: c.is, Back: c.back}).Killed(); got != c.want {
			t.Errorf("was %s, broken %s, mended %s: %v", c.was, c.is, c.back, got)
		}
	}
}

func TestTable(t *testing.T) {
	rows := []conform.Row{{ID: "ra2.x.001"}, {ID: "ra2.x.002"}, {ID: "ra2.x.003"}, {ID: "ra2.x.004", How: conform.Statement, Why: "it permits everything"}}
	seen := func(row string) Trial {
		return Trial{Row: row, Was: conform.Pass, Is: conform.Fail, Back: conform.Pass}
	}
	table := Table{rows, []Column{
		{Place: "memory", Trials: []Trial{seen("ra2.x.001"), seen("ra2.x.001"), seen("ra2.x.002"), seen("ra2.x.003")}},
		{Place: "api", Trials: []Trial{seen("ra2.x.001"), {Row: "ra2.x.001", Why: "the server refuses it"}, {Row: "ra2.x.002", Name: "a deaf one", Was: conform.Pass, Is: conform.Pass, Back: conform.Pass}},
			Why: map[string]string{"ra2.x.003": "a node tells it"}},
	}}
	got := table.String()
	for _, want := range []string{
		"memory     3 of 3 rows that can fail do (100 %), by 4 of 4 mutations", "api        1 of 3 rows that can fail do (33 %), by 1 of 2 mutations",
		"SURVIVED api: ra2.x.002, a deaf one: was pass, broken pass, mended pass", "ra2.x.001            2       1", "ra2.x.003            1       -",
		"ra2.x.004: it permits everything", "ra2.x.003: a node tells it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "the server refuses it") {
		t.Errorf("a row that was broken is listed as one that wasn't:\n%s", got)
	}
}

func TestKeep(t *testing.T) {
	dir := t.TempDir()
	if err := (Column{Place: "api"}).Keep(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "api.json")); err != nil {
		t.Error(err)
	}
	if err := (Column{Place: "api"}).Keep(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("what wasn't kept is no error")
	}
}
