package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in an inventory file.
type Problem struct {
	File   string // as given to Parse
	Line   int    // from 1
	Column int    // from 1
	Path   string // "spec.nodes[2].bmc.url"; empty means the whole file
	Wrong  string // what is wrong, without secrets
	Fix    string // what would be right
}

// String returns "file:line:column: path: what is wrong" and the fix on a
// second line.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Wrong)
	if p.Fix != "" {
		b.WriteString("\n    " + p.Fix)
	}
	return b.String()
}

// Problems is everything that is wrong, in the order of the file.
type Problems []Problem

// Error lists all problems, one after the other.
func (ps Problems) Error() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	if len(ps) == 1 {
		return b.String() + "1 problem"
	}
	return fmt.Sprintf("%s%d problems", b.String(), len(ps))
}

// Err returns ps as an error, or nil when there is no problem.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

func (ps Problems) sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(out)
}

// nearest returns the known word that word was probably meant to be, or "".
func nearest(word string, known []string) string {
	best, least := "", min(1+max(1, len(word)/3), len(word))
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of single letters to insert, delete or replace to
// turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
