package mutate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Memory returns the column of mutations that were judged in memory.
func Memory(outcomes []Outcome) Column {
	c := Column{Place: "memory", Why: map[string]string{}}
	for _, o := range outcomes {
		c.Trials = append(c.Trials, Trial{Row: o.Row, Name: o.Name, Was: o.Was, Is: o.Is, Back: o.Was})
	}
	return c
}

// Table is what became of each row's mutations, in each place where they were made.
type Table struct {
	Rows    []conform.Row
	Columns []Column
}

// made returns how many mutations of a row were made, and how many of these were
// seen; and why none was.
func (c Column) made(row string) (tried, killed int, why string) {
	var reasons []string
	for _, t := range c.Trials {
		switch {
		case t.Row != row:
		case t.Why != "":
			reasons = append(reasons, t.Why)
		case t.Killed():
			tried, killed = tried+1, killed+1
		default:
			tried++
		}
	}
	slices.Sort(reasons)
	why = strings.Join(slices.Compact(reasons), "; ")
	if c.Why[row] != "" {
		why = c.Why[row]
	}
	return tried, killed, why
}

// Survivors are the mutations that nobody saw.
func (t Table) Survivors() []string {
	var all []string
	for _, c := range t.Columns {
		for _, m := range c.Trials {
			if m.Why == "" && !m.Killed() {
				all = append(all, fmt.Sprintf("%s: %s, %s: was %s, broken %s, mended %s", c.Place, m.Row, m.Name, m.Was, m.Is, m.Back))
			}
		}
	}
	return all
}

// String returns the score for people: of each place how many rows fail there when
// they are broken, then of each row how many of its mutations were made and seen,
// then the rows of which none was, and why.
func (t Table) String() string {
	var b strings.Builder
	can := Unbreakable(t.Rows)
	breakable := slices.DeleteFunc(slices.Clone(t.Rows), func(r conform.Row) bool { return can[r.ID] != "" })
	for _, c := range t.Columns {
		rows, made, seen := 0, 0, 0
		for _, r := range breakable {
			tried, killed, _ := c.made(r.ID)
			made, seen = made+tried, seen+killed
			if tried > 0 && tried == killed {
				rows++
			}
		}
		fmt.Fprintf(&b, "%-8s %3d of %d rows that can fail do (%d %%), by %d of %d mutations\n", c.Place, rows, len(breakable), 100*rows/max(len(breakable), 1), seen, made)
	}
	for _, s := range t.Survivors() {
		fmt.Fprintf(&b, "SURVIVED %s\n", s)
	}
	fmt.Fprintf(&b, "\n%-14s", "row")
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "%8s", c.Place)
	}
	for _, r := range breakable {
		fmt.Fprintf(&b, "\n%-14s", r.ID)
		for _, c := range t.Columns {
			b.WriteString(cell(c.made(r.ID)))
		}
	}
	fmt.Fprintf(&b, "\n\nno row of these can fail (%d of %d):\n", len(can), len(t.Rows))
	b.WriteString(grouped(can))
	for _, c := range t.Columns {
		if why := c.without(breakable); len(why) > 0 {
			fmt.Fprintf(&b, "\n%s: not broken here (%d):\n%s", c.Place, len(why), grouped(why))
		}
	}
	return b.String()
}

// cell is how many mutations of a row were seen.
func cell(tried, killed int, _ string) string {
	switch {
	case tried == 0:
		return fmt.Sprintf("%8s", "-")
	case tried == killed:
		return fmt.Sprintf("%8d", killed)
	}
	return fmt.Sprintf("%8s", fmt.Sprintf("%d of %d", killed, tried))
}

// without says of each row of which no mutation was made why.
func (c Column) without(rows []conform.Row) map[string]string {
	all := map[string]string{}
	for _, r := range rows {
		if tried, _, why := c.made(r.ID); tried == 0 && why == "" {
			all[r.ID] = "nothing was tried, and nobody said why"
		} else if tried == 0 {
			all[r.ID] = why
		}
	}
	return all
}

// grouped lists rows by reasons.
func grouped(why map[string]string) string {
	rows := map[string][]string{}
	for id, reason := range why {
		rows[reason] = append(rows[reason], id)
	}
	var b strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(rows)) {
		slices.Sort(rows[reason])
		fmt.Fprintf(&b, "  %s: %s\n", strings.Join(rows[reason], ", "), reason)
	}
	return b.String()
}
