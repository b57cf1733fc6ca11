package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// ConformanceDiff is what `verify diff -o json` prints: how a report differs
// from an older one. Its schema is docs/schema/conformance-diff.schema.json.
type ConformanceDiff struct {
	From    string      `json:"from"`    // digest of the older report
	To      string      `json:"to"`      // digest of the newer one
	Notes   []string    `json:"notes"`   // what else differs, and makes the two hard to compare; never null
	Changes []RowChange `json:"changes"` // in the order of the rows; never null
	Worse   int         `json:"worse"`   // rows that stand against conformance now, and didn't; of two releases, only those that ask the same in both
}

// RowChange is a row whose verdict changed, or whose findings see something
// else.
type RowChange struct {
	ID       string             `json:"id"`
	Title    string             `json:"title"`
	Was      conform.Verdict    `json:"was"`                // empty: the older report didn't judge it
	Is       conform.Verdict    `json:"is"`                 // empty: the newer one doesn't
	Said     string             `json:"said,omitempty"`     // what the newer report found first, or what is missing
	Evidence []conform.Evidence `json:"evidence,omitempty"` // of the newer report, where the older one had another value or none
}

// Diff compares two reports.
func Diff(from, to Conformance) ConformanceDiff {
	d := ConformanceDiff{From: from.Digest, To: to.Digest, Notes: []string{}, Changes: []RowChange{}}
	for _, n := range []struct{ what, was, is string }{
		{"cluster", from.Cluster, to.Cluster}, {"ra2-deploy", from.Version, to.Version}, {"requirements", from.Catalogue.name(), to.Catalogue.name()},
		{"Kubernetes", from.Kubernetes, to.Kubernetes},
	} {
		if n.was != n.is {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: %s, was %s", n.what, n.is, n.was))
		}
	}
	asks, otherwise := releases(from, to), 0
	for _, now := range to.Rows {
		before, judged := rowOf(from.Rows, now.ID)
		c := RowChange{ID: now.ID, Title: now.Title, Was: before.Verdict, Is: now.Verdict, Said: said(now), Evidence: fresh(before, now)}
		other := asks(now.ID)
		if other != "" {
			c.Said = other + "; " + c.Said
		}
		if !judged || before.Verdict != now.Verdict || len(c.Evidence) > 0 {
			d.Changes = append(d.Changes, c)
		}
		switch {
		case !now.Stands() || before.Stands():
		case other != "":
			otherwise++
		default:
			d.Worse++
		}
	}
	if otherwise > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("%s against conformance by what RA2 %s asks and RA2 %s didn't: they don't count as worse", Count(otherwise, "row")+" stand", to.Catalogue.Release, from.Catalogue.Release))
	}
	for _, before := range from.Rows {
		if _, judged := rowOf(to.Rows, before.ID); !judged {
			d.Changes = append(d.Changes, RowChange{ID: before.ID, Title: before.Title, Was: before.Verdict})
		}
	}
	return d
}

func rowOf(rows []conform.Result, id string) (conform.Result, bool) {
	i := slices.IndexFunc(rows, func(r conform.Result) bool { return r.ID == id })
	if i < 0 {
		return conform.Result{}, false
	}
	return rows[i], true
}

// fresh returns the evidence of a row that the older report didn't have with
// this value. When it was seen is no difference.
func fresh(before, now conform.Result) []conform.Evidence {
	type key struct{ object, path, value string }
	old := map[key]bool{}
	for _, f := range before.Findings {
		for _, e := range f.Evidence {
			old[key{e.Object, e.Path, e.Value}] = true
		}
	}
	var all []conform.Evidence
	for _, f := range now.Findings {
		for _, e := range f.Evidence {
			if !old[key{e.Object, e.Path, e.Value}] {
				all = append(all, e)
			}
		}
	}
	return all
}

// DiffText returns a difference for people: a line for each row whose verdict
// changed, and the number of those that only see something else.
func DiffText(d ConformanceDiff) string {
	var b strings.Builder
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note     %s\n", conform.Trim(n))
	}
	changed, seen := 0, 0
	for _, c := range d.Changes {
		c = plain(c)
		if c.Was == c.Is {
			seen++
			fmt.Fprintf(&b, "%-8s %-12s %s: %s\n", c.Is, c.ID, c.Title, conform.Trim(sees(c)))
			continue
		}
		changed++
		was, is := string(c.Was), string(c.Is)
		if was == "" {
			was = "not judged"
		}
		if is == "" {
			is = "not judged"
		}
		fmt.Fprintf(&b, "%s → %s  %s  %s: %s\n", was, is, c.ID, c.Title, conform.Trim(sees(c)))
	}
	fmt.Fprintf(&b, "%s with another verdict, %d with other evidence; %d stand against conformance that didn't\n", Count(changed, "row"), seen, d.Worse)
	return b.String()
}

// plain returns a change without what a terminal obeys: reports come from others.
func plain(c RowChange) RowChange {
	c.ID, c.Title, c.Was, c.Is = conform.Trim(c.ID), conform.Trim(c.Title), conform.Verdict(conform.Trim(string(c.Was))), conform.Verdict(conform.Trim(string(c.Is)))
	return c
}

// sees says of a change what the newer report found first, or else its first
// new evidence.
func sees(c RowChange) string {
	if c.Was != c.Is && c.Said != "" || len(c.Evidence) == 0 {
		return c.Said
	}
	e := c.Evidence[0]
	text := strings.Join(strings.Fields(e.Object+" "+e.Path+" is "+e.Value), " ")
	if more := len(c.Evidence) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// said returns what a row's verdict rests on, in short.
func said(r conform.Result) string {
	i := slices.IndexFunc(r.Findings, func(f conform.Finding) bool { return f.Verdict == r.Verdict })
	if i < 0 {
		return ""
	}
	f := r.Findings[i]
	if len(f.Missing) > 0 {
		return strings.TrimSpace(f.Subject + " missing: " + f.Missing[0])
	}
	return strings.TrimSpace(f.Subject + " " + f.Got)
}
