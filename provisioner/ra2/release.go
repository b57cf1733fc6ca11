package ra2

import (
	_ "embed" // the catalogues
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed catalog.yaml
var pieman string

//go:embed quinnipiac.yaml
var quinnipiac string

//go:embed head.yaml
var head string

// Release is a release of RA2, as it is written on the command line.
type Release string

// The releases. Head is the main branch of anuket-project/RA2 at the commit
// that its catalogue names; it is no release yet.
const (
	Pieman     Release = "pieman"
	Quinnipiac Release = "quinnipiac"
	Head       Release = "head"
)

// Default is what clusters are judged by where nobody names a release.
const Default = Pieman

// Releases returns all releases, oldest first.
func Releases() []Release { return []Release{Pieman, Quinnipiac, Head} }

// ParseRelease returns the release of a name, or an error that lists them.
func ParseRelease(name string) (Release, error) {
	if r := Release(name); slices.Contains(Releases(), r) {
		return r, nil
	}
	var names []string
	for _, r := range Releases() {
		names = append(names, string(r))
	}
	return "", fmt.Errorf("there is no release %q of RA2 in this program; it has %s", name, strings.Join(names, ", "))
}

// delta is what a release changes against the one before.
type delta struct {
	Base   Release  `yaml:"base"`
	Source Source   `yaml:"source"`
	Add    []added  `yaml:"add"`
	Change []change `yaml:"change"`
	Remove []struct {
		ID   string `yaml:"id"`
		From string `yaml:"from"`
	} `yaml:"remove"`
}

// added is a row that came.
type added struct {
	Row   `yaml:",inline"`
	After string `yaml:"after"` // id and variant of the row before it
	From  string `yaml:"from"`  // file and table of the release's text
}

// change is what a row says otherwise; what isn't named stays as it was.
type change struct {
	ID         string         `yaml:"id"` // with its variant
	From       string         `yaml:"from"`
	Title      *string        `yaml:"title"`
	Level      *Level         `yaml:"level"`
	Condition  *string        `yaml:"condition"`
	Profile    *string        `yaml:"profile"`
	Paraphrase *string        `yaml:"paraphrase"`
	Thresholds map[string]any `yaml:"thresholds"` // the named ones
	Trace      []string       `yaml:"trace"`
	Flags      []string       `yaml:"flags"`
	Note       *string        `yaml:"note"`
}

// Load reads the catalogue of the default release. It is part of the program,
// so that an error is a fault of the build.
func Load() (Catalogue, error) { return Default.Load() }

// Load reads the catalogue of a release: Pieman's, changed by each release
// after it up to this one.
func (r Release) Load() (Catalogue, error) {
	if _, err := ParseRelease(string(r)); err != nil {
		return Catalogue{}, err
	}
	all, err := through(r)
	if err != nil {
		return Catalogue{}, err
	}
	return all[len(all)-1], nil
}

// All reads the catalogues of all releases, oldest first.
func All() ([]Catalogue, error) { return through(Head) }

// through reads the catalogues up to that of a release. Each file is read once.
func through(last Release) ([]Catalogue, error) {
	var file struct {
		Source Source `yaml:"source"`
		Rows   []Row  `yaml:"requirements"`
	}
	if err := yaml.Unmarshal([]byte(pieman), &file); err != nil {
		return nil, fmt.Errorf("read the catalogue of RA2 %s: %w", Pieman, err)
	}
	all := []Catalogue{Catalogue{Release: Pieman, Source: file.Source, Rows: file.Rows}.indexed()}
	for _, next := range []struct {
		release Release
		text    string
	}{{Quinnipiac, quinnipiac}, {Head, head}} {
		before := all[len(all)-1]
		if before.Release == last {
			break
		}
		c, err := before.changed(next.release, next.text)
		if err != nil {
			return nil, fmt.Errorf("read the catalogue of RA2 %s: %w", next.release, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// changed returns the catalogue that a file of changes makes of this one.
func (c Catalogue) changed(release Release, text string) (Catalogue, error) {
	var d delta
	if err := yaml.Unmarshal([]byte(text), &d); err != nil {
		return Catalogue{}, err
	}
	if d.Base != c.Release {
		return Catalogue{}, fmt.Errorf("it changes %s, and comes after %s", d.Base, c.Release)
	}
	rows, err := d.apply(c.Rows)
	return Catalogue{Release: release, Source: d.Source, Rows: rows}.indexed(), err
}

// apply returns the rows after the changes; rows themselves stay as they are.
// A change of a row that isn't there is an error.
func (d delta) apply(rows []Row) ([]Row, error) {
	rows = slices.Clone(rows)
	var errs []error
	at := func(id string) int {
		i := slices.IndexFunc(rows, func(r Row) bool { return r.ID+r.Variant == id })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%s is changed, and isn't there", id))
		}
		return i
	}
	for _, c := range d.Change {
		if i := at(c.ID); i >= 0 {
			rows[i] = c.of(rows[i])
		}
	}
	for _, a := range d.Add {
		if slices.ContainsFunc(rows, func(r Row) bool { return r.ID+r.Variant == a.ID+a.Variant }) {
			errs = append(errs, fmt.Errorf("%s is added, and is there already", a.ID+a.Variant))
		}
		if i := at(a.After); i >= 0 {
			rows = slices.Insert(rows, i+1, a.Row)
		}
	}
	for _, gone := range d.Remove {
		if i := at(gone.ID); i >= 0 {
			rows = slices.Delete(rows, i, i+1)
		}
	}
	return rows, errors.Join(errs...)
}

// of returns a row, changed.
func (c change) of(r Row) Row {
	set(&r.Title, c.Title)
	set(&r.Level, c.Level)
	set(&r.Condition, c.Condition)
	set(&r.Profile, c.Profile)
	set(&r.Paraphrase, c.Paraphrase)
	set(&r.Note, c.Note)
	if c.Trace != nil {
		r.Trace = c.Trace
	}
	if c.Flags != nil {
		r.Flags = c.Flags
	}
	if c.Thresholds != nil {
		all := map[string]any{}
		maps.Copy(all, r.Thresholds)
		maps.Copy(all, c.Thresholds)
		r.Thresholds = all
	}
	return r
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// AllIDs returns the ids of the requirements of all releases, sorted.
func AllIDs() ([]string, error) {
	catalogues, err := All()
	all := map[string]bool{}
	for _, c := range catalogues {
		for _, id := range c.IDs() {
			all[id] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), err
}
