// Package ra2 is the catalogue of the requirements of Anuket RA2 chapter 4
// (Kubernetes based Reference Architecture), one row for each, of each release
// of RA2. Pieman is written out; a later release is what it changes against
// the one before.
package ra2

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Catalogue is all requirements of one release, in the order of the document.
type Catalogue struct {
	Release Release
	Source  Source
	Rows    []Row
	index   map[string]int
}

// Source names the text that the rows paraphrase.
type Source struct {
	Document   string `yaml:"document"`
	Release    string `yaml:"release"`    // as people call it: "Pieman"
	Kubernetes string `yaml:"kubernetes"` // version that chapter 1 requires: "1.29"
	Commit     string `yaml:"commit"`     // of anuket-project/RA2
}

// Labels of nodes that offer a profile (ra2.k8s.011). The key that RA2 writes,
// anuket.io/profile/basic, has two slashes and is no legal one.
const (
	LabelBasic     = "profile.anuket.io/basic"             // "true"
	LabelIntensive = "profile.anuket.io/network-intensive" // "true": the high-performance profile
	LabelRealTime  = "profile.anuket.io/rt-tsn"            // "true": the flavour for time-sensitive networks, of Quinnipiac and later
)

// Level is how binding a requirement is (RFC 2119).
type Level string

// The levels. ConditionalMust binds when Condition holds.
const (
	Must            Level = "must"
	Should          Level = "should"
	May             Level = "may"
	ConditionalMust Level = "conditional-must"
)

// Row is one requirement.
type Row struct {
	ID         string         `yaml:"id"`      // "ra2.ch.008"; one id is used twice in the document
	Variant    string         `yaml:"variant"` // "a" and "b" of the id that is used twice; else empty
	Title      string         `yaml:"title"`
	Level      Level          `yaml:"level"`
	Condition  string         `yaml:"condition"` // in words, for ConditionalMust
	Profile    string         `yaml:"profile"`   // "all", "basic", "high-performance"
	Paraphrase string         `yaml:"paraphrase"`
	Thresholds map[string]any `yaml:"thresholds"`
	Trace      []string       `yaml:"trace"` // requirements of other chapters and of the Reference Model
	Flags      []string       `yaml:"flags"` // traps of the text: "ambiguous", "contradictory", ...
	Note       string         `yaml:"note"`
}

// IDs returns the ids of all requirements, sorted.
func (c Catalogue) IDs() []string { return slices.Sorted(maps.Keys(c.index)) }

// Row returns the first requirement with this id.
func (c Catalogue) Row(id string) (Row, bool) {
	i, ok := c.index[id]
	if !ok {
		return Row{}, false
	}
	return c.Rows[i], true
}

// Entry returns the requirement with this id and variant, like ra2.k8s.012a.
func (c Catalogue) Entry(id string) (Row, bool) {
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.ID+r.Variant == id })
	if i < 0 {
		return Row{}, false
	}
	return c.Rows[i], true
}

// indexed returns the catalogue with its rows found by id.
func (c Catalogue) indexed() Catalogue {
	c.index = map[string]int{}
	for i, r := range slices.Backward(c.Rows) {
		c.index[r.ID] = i
	}
	return c
}

// Threshold returns a number that a requirement sets. A name with a point is
// one inside another: "edge_exception.sockets_min".
func (c Catalogue) Threshold(id, name string) (float64, error) {
	value, err := c.threshold(id, name)
	if err != nil {
		return 0, err
	}
	switch n := value.(type) {
	case uint64:
		return float64(n), nil
	case int64:
		return float64(n), nil
	case float64:
		return n, nil
	}
	return 0, c.lacks(id, "number", name)
}

// Words returns a list of words that a requirement sets.
func (c Catalogue) Words(id, name string) ([]string, error) {
	value, err := c.threshold(id, name)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, c.lacks(id, "list", name)
	}
	words := make([]string, len(list))
	for i, word := range list {
		if words[i], ok = word.(string); !ok {
			return nil, c.lacks(id, "list of words", name)
		}
	}
	return words, nil
}

func (c Catalogue) threshold(id, name string) (any, error) {
	row, ok := c.Row(id)
	if !ok {
		return nil, fmt.Errorf("the catalogue of %s has no requirement %s", c.Release, id)
	}
	var value any = row.Thresholds
	for part := range strings.SplitSeq(name, ".") {
		inside, _ := value.(map[string]any)
		value = inside[part]
	}
	return value, nil
}

func (c Catalogue) lacks(id, what, name string) error {
	row, _ := c.Row(id)
	return fmt.Errorf("%s of %s sets no %s %s, only %v", id, c.Release, what, name, slices.Sorted(maps.Keys(row.Thresholds)))
}
