package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images"
)

// ImageDiff is the document that `image diff -o json` prints: what B has that A
// has not, and the other way round. Its schema is docs/schema/image-diff.schema.json.
type ImageDiff struct {
	Version    string       `json:"version"` // of ra2-deploy
	A          ImageSide    `json:"a"`
	B          ImageSide    `json:"b"`
	Same       bool         `json:"same"`       // the two have the same bytes
	Packages   []Changed    `json:"packages"`   // sorted by name, as all lists here; never null
	Units      []Changed    `json:"units"`      // "enabled", "masked", or empty for neither
	Sysctls    []Changed    `json:"sysctls"`    // kernel settings
	KernelLine WordsChanged `json:"kernelLine"` // but for the hash of the root
	Parts      []PartDiff   `json:"parts"`      // all partitions and files
}

// ImageSide names one of two images.
type ImageSide struct {
	Digest        string `json:"digest"` // "sha256:…"
	Bundle        string `json:"bundle"` // digest of the bundle that it was made of
	Distribution  string `json:"distribution"`
	Kernel        string `json:"kernel"`        // "cloud" or "generic"
	KernelRelease string `json:"kernelRelease"` // as uname -r tells
	Kubernetes    string `json:"kubernetes"`    // version; empty for none
	SignedBy      string `json:"signedBy"`      // fingerprint of the certificate; empty for no signature
}

// Changed is one thing that differs.
type Changed struct {
	Name string `json:"name"`
	A    string `json:"a"` // empty when only B has it
	B    string `json:"b"` // empty when only A has it
}

// WordsChanged are words of a line that only one has, in their order.
type WordsChanged struct {
	Gone []string `json:"gone"` // never null
	Came []string `json:"came"` // never null
}

// PartDiff is a partition, or a file of the image's folder.
type PartDiff struct {
	Name   string `json:"name"`
	A      int64  `json:"a"`      // bytes; 0 when only B has it
	B      int64  `json:"b"`      // bytes; 0 when only A has it
	Differ bool   `json:"differ"` // the bytes differ
}

// DiffImages compares two images by their manifests.
func DiffImages(version string, a, b images.Manifest) ImageDiff {
	d := ImageDiff{
		Version: version, A: side(a), B: side(b), Same: a.Digest == b.Digest, Packages: changed(versions(a), versions(b)),
		Units: changed(a.Units, b.Units), Sysctls: changed(a.Sysctls, b.Sysctls),
		KernelLine: WordsChanged{Gone: lacks(words(a), words(b)), Came: lacks(words(b), words(a))},
		Parts:      []PartDiff{},
	}
	names := map[string]bool{}
	for _, m := range []images.Manifest{a, b} {
		for name := range m.Parts {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.Parts = append(d.Parts, PartDiff{name, a.PartBytes[name], b.PartBytes[name], a.Parts[name] != b.Parts[name]})
	}
	d.Parts = append(d.Parts, PartDiff{images.FileImage, a.CompressedBytes, b.CompressedBytes, a.CompressedDigest != b.CompressedDigest})
	return d
}

func side(m images.Manifest) ImageSide {
	return ImageSide{Digest: "sha256:" + m.Digest, Bundle: m.Bundle, Distribution: m.Distribution, Kernel: m.Kernel,
		KernelRelease: m.KernelRelease, Kubernetes: m.KubernetesVersion, SignedBy: m.SignedBy}
}

// versions gives an image's packages by name.
func versions(m images.Manifest) map[string]string {
	all := map[string]string{}
	for _, line := range m.Packages {
		name, version, _ := strings.Cut(line, " ")
		all[name] = version
	}
	return all
}

// words gives those of the kernel line. Any change at all of the root changes
// its hash, which says nothing.
func words(m images.Manifest) []string {
	return slices.DeleteFunc(strings.Fields(m.KernelLine), func(w string) bool { return strings.HasPrefix(w, "ra2.verity=") })
}

// lacks gives the words of a that b doesn't have.
func lacks(a, b []string) []string {
	out := []string{}
	for _, w := range a {
		if !slices.Contains(b, w) {
			out = append(out, w)
		}
	}
	return out
}

func changed(a, b map[string]string) []Changed {
	names := maps.Clone(b)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, a)
	out := []Changed{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			out = append(out, Changed{name, a[name], b[name]})
		}
	}
	return out
}

// Text gives the difference for people: "-" only A has, "+" only B has, "~"
// both have and it differs.
func (d ImageDiff) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "A  %s\n   %s\nB  %s\n   %s\n", d.A.Digest, d.A.text(), d.B.Digest, d.B.text())
	if d.Same {
		b.WriteString("the same image\n")
		return b.String()
	}
	for _, list := range []struct {
		name string
		all  []Changed
	}{{"packages", d.Packages}, {"units", d.Units}, {"kernel settings", d.Sysctls}} {
		fmt.Fprintf(&b, "%s: %s\n", list.name, count(list.all))
		for _, c := range list.all {
			b.WriteString("  " + c.text() + "\n")
		}
	}
	line := "the same"
	if len(d.KernelLine.Gone)+len(d.KernelLine.Came) > 0 {
		line = ""
		for sign, words := range []([]string){d.KernelLine.Gone, d.KernelLine.Came} {
			for _, w := range words {
				line += "\n  " + []string{"- ", "+ "}[sign] + w
			}
		}
	}
	b.WriteString("kernel line: " + strings.TrimPrefix(line, " ") + "\n")
	rows := [][]string{}
	for _, p := range d.Parts {
		what := "the same bytes"
		if p.Differ {
			what = fmt.Sprintf("%s  %+.1f MB", Size(p.B), float64(p.B-p.A)/1e6)
		}
		rows = append(rows, []string{"  " + p.Name, Size(p.A), what})
	}
	b.WriteString("sizes:\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%-16s %9s  %s\n", r[0], r[1], r[2])
	}
	return b.String()
}

func (s ImageSide) text() string {
	kubernetes := s.Kubernetes
	if kubernetes == "" {
		kubernetes = "none"
	}
	text := fmt.Sprintf("%s, kernel %s (%s), Kubernetes %s, of bundle %s", s.Distribution, s.KernelRelease, s.Kernel, kubernetes, s.Bundle)
	if s.SignedBy != "" {
		text += ", signed by " + s.SignedBy
	}
	return text
}

// count sums up a list: "2 came, 1 is gone, 3 differ".
func count(all []Changed) string {
	came, gone, differ := 0, 0, 0
	for _, c := range all {
		switch {
		case c.A == "":
			came++
		case c.B == "":
			gone++
		default:
			differ++
		}
	}
	if len(all) == 0 {
		return "the same"
	}
	return fmt.Sprintf("%d came, %d gone, %d differ", came, gone, differ)
}

func (c Changed) text() string {
	switch {
	case c.A == "":
		return "+ " + c.Name + " " + c.B
	case c.B == "":
		return "- " + c.Name + " " + c.A
	}
	return "~ " + c.Name + " " + c.A + " → " + c.B
}
