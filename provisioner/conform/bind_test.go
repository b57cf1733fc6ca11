package conform

import (
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// TestEveryEntryIsBound wants a check, or a statement why there can be none,
// for each of the catalogue's entries, and tells how many there are of each.
func TestEveryEntryIsBound(t *testing.T) {
	for release, want := range map[ra2.Release][2]int{ra2.Pieman: {166, 15}, ra2.Quinnipiac: {177, 15}, ra2.Head: {187, 17}} {
		everyEntryIsBound(t, release, want[0], want[1])
	}
	if _, err := RowsOf("orinoco"); err == nil {
		t.Error("a release that isn't there has rows")
	}
}

func everyEntryIsBound(t *testing.T, release ra2.Release, all, statements int) {
	t.Helper()
	rows, err := RowsOf(release)
	if err != nil {
		t.Fatal(err)
	}
	count := map[How]int{}
	for _, r := range rows {
		count[r.How]++
		switch {
		case r.How != Setting && r.How != Behaviour && r.How != Statement:
			t.Errorf("%s is judged by %q", r.ID, r.How)
		case (r.How == Statement) != (r.Check == nil):
			t.Errorf("%s: a statement has no check, and all else has one", r.ID)
		case r.How == Statement && (len(strings.Fields(r.Why)) < 8 || r.Stated != Unknown && r.Stated != NotApplicable):
			t.Errorf("%s: %q doesn't say why no check is possible", r.ID, r.Why)
		}
	}
	if len(rows) != all || count[Statement] != statements {
		t.Errorf("%s: %d rows, %v", release, len(rows), count)
	}
	t.Logf("%s: %d rows: %v", release, len(rows), count)
}
