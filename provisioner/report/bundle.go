package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// BundleList is the document that `bundle list -o json` prints. Its schema is
// docs/schema/bundle-list.schema.json.
type BundleList struct {
	Version string       `json:"version"`          // of ra2-deploy
	Bundle  string       `json:"bundle"`           // digest that names it, "sha256:…"
	Signer  string       `json:"signer,omitempty"` // ID of the key that its signature names, which was not checked
	Bytes   int64        `json:"bytes"`            // of all content
	Items   []BundleItem `json:"items"`            // sorted by kind, name, version, architecture and source; never null
}

// BundleItem is one thing in a bundle.
type BundleItem struct {
	bundle.Item
	Bytes int64 `json:"bytes"` // of its content; of an image, its layers too
}

// BundleCheck is the document that `bundle verify -o json` prints. Its schema is
// docs/schema/bundle-check.schema.json.
type BundleCheck struct {
	Version  string           `json:"version"`          // of ra2-deploy
	Time     time.Time        `json:"time"`             // when the check ended
	Path     string           `json:"path"`             // that was checked
	Good     bool             `json:"good"`             // there are no problems
	Bundle   string           `json:"bundle,omitempty"` // digest that names it, of one that is good
	Items    int              `json:"items"`            // in a bundle that is good
	Bytes    int64            `json:"bytes"`            // of all content of a bundle that is good
	Signer   string           `json:"signer,omitempty"` // ID of the key that its signature names
	Trusted  bool             `json:"trusted"`          // the signature was checked with the key that was given
	Problems []bundle.Problem `json:"problems"`         // all that is wrong; never null
}

// ListBundle makes the document of a listing.
func ListBundle(version string, l bundle.Listing) BundleList {
	d := BundleList{Version: version, Bundle: string(l.Bundle.Digest()), Signer: l.Signer, Bytes: l.Total, Items: []BundleItem{}}
	for _, i := range l.Bundle.Items() {
		d.Items = append(d.Items, BundleItem{i, l.Bytes[i.Digest]})
	}
	return d
}

// Text gives the list for people: a line for each item, and the sums.
func (d BundleList) Text() string {
	rows := [][]string{{"KIND", "NAME", "VERSION", "ARCH", "SIZE", "SOURCE"}}
	for _, i := range d.Items {
		rows = append(rows, []string{string(i.Kind), i.Name, i.Version, i.Arch, Size(i.Bytes), i.Source})
	}
	var b strings.Builder
	b.WriteString(columns(rows))
	signed := "not signed"
	if d.Signer != "" {
		signed = "signed by key " + d.Signer + " (see bundle verify --key)"
	}
	fmt.Fprintf(&b, "bundle %s: %s, %s; %s\n", d.Bundle, d.kinds(), Size(d.Bytes), signed)
	return b.String()
}

// kinds counts: "130 deb, 10 image, 3 file".
func (d BundleList) kinds() string {
	count := map[bundle.Kind]int{}
	for _, i := range d.Items {
		count[i.Kind]++
	}
	var parts []string
	for _, k := range []bundle.Kind{bundle.Deb, bundle.RPM, bundle.Image, bundle.File} {
		if count[k] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[k], k))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// columns aligns rows; the fourth column's numbers stand at the right.
func columns(rows [][]string) string {
	const number = 4
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for n, cell := range r {
			width[n] = max(width[n], len(cell))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		var line strings.Builder
		for n, cell := range r {
			if n == number {
				fmt.Fprintf(&line, "%*s  ", width[n], cell)
			} else {
				fmt.Fprintf(&line, "%-*s  ", width[n], cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// Size gives a number of bytes for people, in units of a thousand.
func Size(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d MB", n/1_000_000)
	case n >= 10_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d B", n)
}
