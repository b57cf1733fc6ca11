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
			var a, b ra2.Row
			a, before = older.Entry(id)
			b, _ = newer.Entry(id)
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
	all, err := ra2.All()
	i := slices.IndexFunc(all, func(c ra2.Catalogue) bool { return c.Source.Commit == commit })
	if err != nil || i < 0 {
		return ra2.Catalogue{}, false
	}
	return all[i], true
}
