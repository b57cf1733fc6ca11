// Package aptrepo makes the lists of an apt repository (Debian's "Debian
// repository format") from packages. The same packages give the same bytes.
package aptrepo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Package is one Debian binary package in a repository. Read fills what the
// package itself tells.
type Package struct {
	Name, Version, Arch string
	Control             string // the whole paragraph, without an empty line

	Suite  string // "trixie"; the directory below dists
	Path   string // below the repository
	Size   int64
	SHA256 string // hex
}

// Component is the only one in each suite.
const Component = "main"

// anyArch is the architecture of packages that fit every machine.
const anyArch = "all"

// Lists returns Release and Packages of each suite, by path below the
// repository, with the by-hash names of each list.
func Lists(all []Package) (map[string][]byte, error) {
	suites := map[string][]Package{}
	for _, p := range all {
		suites[p.Suite] = append(suites[p.Suite], p)
	}
	out := map[string][]byte{}
	for name, packages := range suites {
		lists, err := suiteLists(packages)
		if err != nil {
			return nil, err
		}
		dir := path.Join("dists", name)
		out[path.Join(dir, "Release")] = release(name, archs(packages), lists)
		for at, text := range lists {
			out[path.Join(dir, at)] = text
			out[path.Join(dir, path.Dir(at), "by-hash", "SHA256", sum(text))] = text
		}
	}
	return out, nil
}

// archs returns the machines that packages are for; "all" alone when they fit
// every one.
func archs(packages []Package) []string {
	seen := map[string]bool{}
	for _, p := range packages {
		seen[p.Arch] = true
	}
	if len(seen) > 1 {
		delete(seen, anyArch)
	}
	return slices.Sorted(maps.Keys(seen))
}

// suiteLists returns Packages for each architecture, plain and with gzip.
func suiteLists(packages []Package) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, arch := range archs(packages) {
		var list bytes.Buffer
		for _, p := range packages {
			if p.Arch == arch || p.Arch == anyArch {
				fmt.Fprintf(&list, "%s\nFilename: %s\nSize: %d\nSHA256: %s\n\n", strings.TrimRight(p.Control, "\n"), p.Path, p.Size, p.SHA256)
			}
		}
		small, err := packed(list.Bytes())
		if err != nil {
			return nil, err
		}
		at := path.Join(Component, "binary-"+arch, "Packages")
		out[at], out[at+".gz"] = list.Bytes(), small
	}
	return out, nil
}

// release lists the lists. It has no date of its own: the same packages are the
// same repository, whenever they are served.
func release(suite string, archs []string, lists map[string][]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Origin: ra2-deploy\nLabel: ra2-deploy bundle\nSuite: %[1]s\nCodename: %[1]s\nDate: Thu, 01 Jan 1970 00:00:00 UTC\n", suite)
	fmt.Fprintf(&b, "Architectures: %s\nComponents: %s\nAcquire-By-Hash: yes\n", strings.Join(archs, " "), Component)
	if !slices.Contains(archs, anyArch) {
		b.WriteString("No-Support-for-Architecture-all: Packages\n") // they are in the list of each architecture
	}
	b.WriteString("SHA256:\n")
	for _, at := range slices.Sorted(maps.Keys(lists)) {
		fmt.Fprintf(&b, " %s %d %s\n", sum(lists[at]), len(lists[at]), at)
	}
	return b.Bytes()
}

// packed is text with gzip, without a time or a name.
func packed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}
