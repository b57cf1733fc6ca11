package conform

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// binding says how one entry of the catalogue is judged.
type binding struct {
	how    How
	needs  []Part
	check  func(Snapshot) []Finding
	stated Verdict
	why    string
}

// setting binds a check that reads.
func setting(check func(Snapshot) []Finding, needs ...Part) binding {
	return binding{how: Setting, check: check, needs: needs}
}

// behaviour binds a check that rests on what a probe did.
func behaviour(check func(Snapshot) []Finding, needs ...Part) binding {
	return binding{how: Behaviour, check: check, needs: needs}
}

// permits states that a row only allows something, so that nothing can break
// it.
func permits(what string) binding {
	return binding{how: Statement, stated: NotApplicable, why: "it permits " + what + " and asks nothing, so that nothing can break it"}
}

// cannot states that no check on a cluster can answer a row.
func cannot(why string) binding { return binding{how: Statement, stated: Unknown, why: why} }

// Rows returns the rows of the default release.
func Rows() ([]Row, error) { return RowsOf(ra2.Default) }

// RowsOf returns all rows of a release's catalogue, in its order, each with its
// check or with the statement why none is possible. An entry that has neither is
// an error: a fault of the build. A check serves all releases that have its row;
// what they ask differently it takes from the row's numbers and words.
func RowsOf(release ra2.Release) ([]Row, error) {
	if _, err := ra2.ParseRelease(string(release)); err != nil {
		return nil, err
	}
	catalogues, err := ra2.All()
	if err != nil {
		return nil, err
	}
	catalogue := catalogues[slices.IndexFunc(catalogues, func(c ra2.Catalogue) bool { return c.Release == release })]
	bound := map[string]binding{}
	for _, part := range sections() {
		maps.Copy(bound, part)
	}
	var rows []Row
	var errs []error
	for _, entry := range catalogue.Rows {
		id := entry.ID + entry.Variant
		b, ok := bound[id]
		if !ok || (b.check == nil) == (b.why == "") {
			errs = append(errs, fmt.Errorf("%s has no check, and no statement why not", id))
			continue
		}
		rows = append(rows, Row{
			ID: id, Title: entry.Title, Says: entry.Paraphrase, Level: entry.Level, Profile: entry.Profile, Condition: entry.Condition,
			How: b.how, Needs: b.needs, Check: b.check, Stated: b.stated, Why: b.why, catalogue: &catalogue,
		})
		delete(bound, id)
	}
	for _, id := range slices.Sorted(maps.Keys(bound)) {
		if !slices.ContainsFunc(catalogues, func(c ra2.Catalogue) bool { _, has := c.Entry(id); return has }) {
			errs = append(errs, fmt.Errorf("%s is bound, and no catalogue has such an entry", id))
		}
	}
	return rows, errors.Join(errs...)
}

// sections returns the bindings of each section of chapter 4.
func sections() []map[string]binding {
	return []map[string]binding{ch(), operatingSystem(), kubernetes(), network(), storage(), monitoring(), platform(), lifecycle(), workloads()}
}
