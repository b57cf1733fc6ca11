// Package ra2 is the catalogue of the requirements of Anuket RA2 chapter 4
// (Kubernetes based Reference Architecture), one row for each.
package ra2

import (
	_ "embed" // the catalogue
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed catalog.yaml
var source string

// Catalogue is all requirements, in the order of the document.
type Catalogue struct {
	Source Source
	Rows   []Row
	index  map[string]int
}

// Source names the release of RA2 that the rows paraphrase.
type Source struct {
	Document   string `yaml:"document"`
	Release    string `yaml:"release"`
	Kubernetes string `yaml:"kubernetes"`
	Commit     string `yaml:"commit"`
}

// Labels of nodes that offer a profile (ra2.k8s.011). The key that RA2 writes,
// anuket.io/profile/basic, has two slashes and is no legal one.
const (
	LabelBasic     = "profile.anuket.io/basic"             // "true"
	LabelIntensive = "profile.anuket.io/network-intensive" // "true": the high-performance profile
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
	Flags      []string       `yaml:"flags"` // traps of the text: "ambiguous", "contradictory", ...
	Note       string         `yaml:"note"`
}

// Load reads the catalogue. It is part of the program, so that an error is a
// fault of the build.
func Load() (Catalogue, error) {
	var file struct {
		Source Source `yaml:"source"`
		Rows   []Row  `yaml:"requirements"`
	}
	if err := yaml.Unmarshal([]byte(source), &file); err != nil {
		return Catalogue{}, fmt.Errorf("read the catalogue of RA2: %w", err)
	}
	c := Catalogue{file.Source, file.Rows, map[string]int{}}
	for i, r := range slices.Backward(file.Rows) {
		c.index[r.ID] = i
	}
	return c, nil
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

// Threshold returns a number that a requirement sets. A name with a point is
// one inside another: "edge_exception.sockets_min".
func (c Catalogue) Threshold(id, name string) (float64, error) {
	row, ok := c.Row(id)
	if !ok {
		return 0, fmt.Errorf("the catalogue has no requirement %s", id)
	}
	var value any = row.Thresholds
	for part := range strings.SplitSeq(name, ".") {
		inside, _ := value.(map[string]any)
		value = inside[part]
	}
	switch n := value.(type) {
	case uint64:
		return float64(n), nil
	case int64:
		return float64(n), nil
	case float64:
		return n, nil
	}
	return 0, fmt.Errorf("%s sets no number %s, only %v", id, name, slices.Sorted(maps.Keys(row.Thresholds)))
}
