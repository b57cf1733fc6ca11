package conform

import (
	"strings"
	"testing"
)

// TestEveryEntryIsBound wants a check, or a statement why there can be none,
// for each of the catalogue's entries, and tells how many there are of each.
func TestEveryEntryIsBound(t *testing.T) {
	rows, err := Rows()
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
	if len(rows) != 166 || count[Statement] != 15 {
		t.Errorf("%d rows, %v", len(rows), count)
	}
	t.Logf("%d rows: %v", len(rows), count)
}
