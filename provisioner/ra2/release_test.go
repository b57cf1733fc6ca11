package ra2_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

var (
	text   = flag.String("source", "", "git directory of github.com/anuket-project/RA2: the ids are compared with those of its text")
	update = flag.Bool("update", false, "with -source, write testdata/ids-*.txt anew")
)

func load(t testing.TB, r ra2.Release) ra2.Catalogue {
	t.Helper()
	c, err := r.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// counted is what the head of a catalogue's file counts.
type counted struct {
	Base   ra2.Release
	Counts struct {
		Entries int               `yaml:"entries"`
		IDs     int               `yaml:"unique_ids"`
		Levels  map[ra2.Level]int `yaml:"by_level"`
	}
	Add    []map[string]any
	Change []map[string]any
	Remove []map[string]any
}

func file(t *testing.T, r ra2.Release) (f counted) {
	t.Helper()
	name := string(r) + ".yaml"
	if r == ra2.Pieman {
		name = "catalog.yaml"
	}
	data, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(data, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestReleases compares each release, with all changes applied, with what its
// file counts, and with the ids of RA2's own text in their order.
func TestReleases(t *testing.T) {
	for _, r := range ra2.Releases() {
		c, want := load(t, r), file(t, r).Counts
		ids, levels := map[string]bool{}, map[ra2.Level]int{}
		var order []string
		for _, row := range c.Rows {
			if row.ID == "" || row.Title == "" || row.Paraphrase == "" || row.Profile == "" || row.Level == ra2.ConditionalMust && row.Condition == "" {
				t.Errorf("%s: incomplete: %+v", r, row)
			}
			ids[row.ID] = true
			levels[row.Level]++
			order = append(order, row.ID)
		}
		if c.Release != r || len(c.Rows) != want.Entries || len(ids) != want.IDs || !reflect.DeepEqual(levels, want.Levels) {
			t.Errorf("%s: %d rows, %d ids, %v; the file counts %+v", r, len(c.Rows), len(ids), levels, want)
		}
		if is := ofText(t, c); !slices.Equal(order, is) {
			t.Errorf("%s: the ids are\n%v\nand those of the text\n%v", r, order, is)
		}
	}
}

// entry is a row's first cell in a table of the text. Rows in comments begin
// with "..".
var entry = regexp.MustCompile(`(?m)^ +\* - (ra2\.[a-z0-9]+\.[0-9]+)\s*$`)

// ofText returns the ids of a release's text, as they were taken from it, or
// takes them now.
func ofText(t *testing.T, c ra2.Catalogue) []string {
	t.Helper()
	name := filepath.Join("testdata", "ids-"+string(c.Release)+".txt")
	if *text != "" {
		out, err := exec.Command("git", "--git-dir", *text, "show", c.Source.Commit+":doc/ref_arch/kubernetes/chapters/chapter04.rst").Output()
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, found := range entry.FindAllStringSubmatch(string(out), -1) {
			ids = append(ids, found[1])
		}
		if !*update {
			return ids
		}
		if err := os.WriteFile(name, []byte(strings.Join(ids, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// TestChanges wants each change to say where it is from, and to change what it
// names: a line that changes nothing is a mistake.
func TestChanges(t *testing.T) {
	for _, r := range ra2.Releases()[1:] {
		f := file(t, r)
		was, is := load(t, f.Base), load(t, r)
		if was.Source.Commit == is.Source.Commit || was.Source.Kubernetes >= is.Source.Kubernetes {
			t.Errorf("%s is of %+v, as %s is", r, is.Source, f.Base)
		}
		named := map[string]bool{}
		for _, c := range slices.Concat(f.Add, f.Change, f.Remove) {
			id, from := c["id"].(string), c["from"].(string)
			named[id] = true
			if !regexp.MustCompile(`^chapter0[1-7]\.rst, [A-Z].+`).MatchString(from) {
				t.Errorf("%s: %s is from %q; name the file and the table", r, id, from)
			}
			before, after := fields(t, row(was, id)), fields(t, row(is, id))
			for field := range c {
				_, known := after[field]
				switch {
				case slices.Contains([]string{"id", "from", "after", "how"}, field):
				case !known:
					t.Errorf("%s: %s has a field %s, which nobody reads", r, id, field)
				case reflect.DeepEqual(before[field], after[field]):
					t.Errorf("%s: %s names its %s, and nothing changes", r, id, field)
				}
			}
		}
		for _, now := range is.Rows {
			if id := now.ID + now.Variant; !named[id] && !reflect.DeepEqual(row(was, id), now) {
				t.Errorf("%s: %s changed, and no line says so", r, id)
			}
		}
	}
}

// fields returns a row as its file has it.
func fields(t *testing.T, r ra2.Row) (all map[string]any) {
	t.Helper()
	data, err := yaml.Marshal(r)
	if err == nil {
		err = yaml.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func row(c ra2.Catalogue, id string) ra2.Row {
	r, _ := c.Entry(id)
	return r
}

// TestParseRelease wants an unknown name to be answered with the list.
func TestParseRelease(t *testing.T) {
	for _, r := range ra2.Releases() {
		if got, err := ra2.ParseRelease(string(r)); err != nil || got != r {
			t.Errorf("%s: %s, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "Pieman", "orinoco"} {
		_, err := ra2.ParseRelease(name)
		if err == nil || !strings.Contains(err.Error(), "pieman, quinnipiac, head") {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := ra2.Release(name).Load(); err == nil {
			t.Errorf("%q has a catalogue", name)
		}
	}
}

// TestLaterRows spot-checks what the changes make of some rows.
func TestLaterRows(t *testing.T) {
	later, all := load(t, ra2.Head), load(t, ra2.Quinnipiac)
	for r, version := range map[ra2.Release]string{ra2.Pieman: "1.29", ra2.Quinnipiac: "1.31", ra2.Head: "1.33"} {
		c := load(t, r)
		k, _ := c.Row("ra2.k8s.005")
		if minor, _ := k.Thresholds["release_minor"].(string); c.Source.Kubernetes != version || !strings.HasPrefix(minor, version+" ") {
			t.Errorf("%s requires %s, and ra2.k8s.005 says %q", r, c.Source.Kubernetes, minor)
		}
		if skew, err := c.Threshold("ra2.k8s.005", "max_skew_minors"); err != nil || skew != 3 {
			t.Errorf("%s: a threshold that no release changes is %v, %v", r, skew, err)
		}
	}
	if words, err := all.Words("ra2.stg.006", "removed_volume_sources"); err != nil || !slices.Equal(words, []string{"cephfs", "rbd"}) {
		t.Errorf("%v, %v", words, err)
	}
	if words, err := later.Words("ra2.stg.006", "removed_volume_sources"); err != nil || len(words) < 10 {
		t.Errorf("%v, %v", words, err)
	}
	if _, err := load(t, ra2.Pieman).Words("ra2.stg.006", "removed_volume_sources"); err == nil {
		t.Error("Pieman forbids volumes of Kubernetes' own tree")
	}
	if smt, _ := all.Row("ra2.ch.004"); smt.Level != ra2.ConditionalMust || len(smt.Flags) > 0 {
		t.Errorf("%+v", smt)
	}
	ids, err := ra2.AllIDs()
	if err != nil || len(ids) != 186 || !slices.Contains(ids, "ra2.mon.003") {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}
