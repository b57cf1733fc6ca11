package conform

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

var (
	rowID    = regexp.MustCompile(`ra2\.([a-z0-9]+)\.(\d{3})[ab]?`)
	rowsOfTo = regexp.MustCompile(`ra2\.([a-z0-9]+)\.(\d{3}) to ra2\.[a-z0-9]+\.(\d{3})`)
)

// named returns the ids that a text names, also by "ra2.plat.003 to ra2.plat.014".
func named(t *testing.T, text string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, m := range rowID.FindAllStringSubmatch(text, -1) {
		all["ra2."+m[1]+"."+m[2]] = true
	}
	for _, m := range rowsOfTo.FindAllStringSubmatch(text, -1) {
		from, err1 := strconv.Atoi(m[2])
		to, err2 := strconv.Atoi(m[3])
		if err1 != nil || err2 != nil || to <= from {
			t.Fatalf("%s: %v, %v", m[0], err1, err2)
		}
		for n := from; n <= to; n++ {
			all[fmt.Sprintf("ra2.%s.%03d", m[1], n)] = true
		}
	}
	return all
}

// TestDecisions wants that docs/ra2-decisions.md decides each row about which the
// catalogue notes a doubt, and names no row that no release has; and that a
// paragraph about rows of a running cluster says what it rejects.
func TestDecisions(t *testing.T) {
	data, err := os.ReadFile("../../docs/ra2-decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	decided, known := named(t, string(data)), map[string]bool{}
	for _, release := range ra2.Releases() {
		catalogue, err := release.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range catalogue.Rows {
			known[r.ID] = true
			if r.Note != "" && !decided[r.ID] {
				t.Errorf("%s isn't decided: %s", r.ID, r.Note)
			}
		}
	}
	for id := range decided {
		if !known[id] {
			t.Errorf("%s is decided, and no release has it", id)
		}
	}
	_, running, _ := strings.Cut(string(data), "## How the rows of a running cluster are read")
	for paragraph := range strings.SplitSeq(running, "\n\n") {
		if title, ok := strings.CutPrefix(paragraph, "**"); ok && len(named(t, title)) > 0 && !strings.Contains(title, "*Rejected:*") {
			t.Errorf("rejects nothing: %.80s", title)
		}
	}
}
