package report

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// name is the release of a report's requirements, with its revision.
func (c Catalogue) name() string { return fmt.Sprintf("RA2 %s (%.7s)", c.Release, c.Commit) }

// releases returns what says of a row whether the newer report's release asks
// something else of it than the older one's: empty when both ask the same, as they
// always do of one release.
func releases(from, to Conformance) func(id string) string {
	older, knowsOlder := catalogueOf(from.Catalogue.Commit)
	newer, knowsNewer := catalogueOf(to.Catalogue.Commit)
	return func(id string) string {
		if from.Catalogue.Commit == to.Catalogue.Commit {
			return ""
		}
		was, before := rowOf(from.Rows, id)
		is, _ := rowOf(to.Rows, id)
		same := before && was.Says == is.Says && was.Level == is.Level
		if knowsOlder && knowsNewer {
			a, b := entryOf(older, id), entryOf(newer, id)
			before = a.ID != ""
			same = a.Level == b.Level && a.Paraphrase == b.Paraphrase && a.Condition == b.Condition && reflect.DeepEqual(a.Thresholds, b.Thresholds)
		}
		switch {
		case !before:
			return "new in RA2 " + to.Catalogue.Release
		case !same:
			return "RA2 " + to.Catalogue.Release + " asks something else"
		}
		return ""
	}
}

// catalogueOf returns the catalogue of a revision, if this program has it.
func catalogueOf(commit string) (ra2.Catalogue, bool) {
	for _, r := range ra2.Releases() {
		if c, err := r.Load(); err == nil && c.Source.Commit == commit {
			return c, true
		}
	}
	return ra2.Catalogue{}, false
}

// entryOf returns an entry by a row's id, which holds its variant.
func entryOf(c ra2.Catalogue, id string) ra2.Row {
	i := slices.IndexFunc(c.Rows, func(r ra2.Row) bool { return r.ID+r.Variant == id })
	if i < 0 {
		return ra2.Row{}
	}
	return c.Rows[i]
}
