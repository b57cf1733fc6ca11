// Package family says what a family of distributions must be able to do so that
// images are made of its packages: images/deb does it for those of .deb
// packages, images/rpm for those of .rpm packages.
package family

import (
	"context"
	"fmt"
)

// Package is one package of a distribution.
type Package struct {
	Name    string
	Version string // as the package manager writes it, with epoch and release
	Arch    string // as the package manager writes it: amd64, all, x86_64, noarch
	File    string // the package on this host; "" of one that is installed
	Digest  string // sha256 of the file in hex; "" of one that is installed
	Size    int64  // of the file in bytes
}

// String gives "name version", as manifests list packages.
func (p Package) String() string { return p.Name + " " + p.Version }

// Family makes trees of packages. Nothing here asks the network. All of it runs
// as root, since files of a system belong to their owners.
type Family interface {
	// System makes a system at root, which must not exist, of the packages named
	// and all that they need. from is all there is to choose from; files that no
	// node reads (manuals, translations) are left out. The same packages give the
	// same files, whenever and wherever they lie.
	System(ctx context.Context, root string, from []Package, names []string) error
	// Add installs one more package file into the system at root, which has all
	// that it needs.
	Add(ctx context.Context, root, file string) error
	// Unpack unpacks packages into dir, and installs nothing; a package that only
	// stands for a kernel gives that. It returns what it unpacked, sorted by name.
	Unpack(ctx context.Context, dir string, from []Package, names []string) ([]Package, error)
	// Installed lists the packages of the system at root by its own database,
	// sorted by name.
	Installed(ctx context.Context, root string) ([]Package, error)
}

// Lacking says that a bundle doesn't hold packages that are wanted.
type Lacking struct {
	Names []string
	For   string // what they are wanted for, "package kubelet"; "" for the image itself
}

// Error implements error.
func (l *Lacking) Error() string {
	what := fmt.Sprintf("the bundle has no package %s", l.Names[0])
	if len(l.Names) > 1 {
		what = fmt.Sprintf("the bundle lacks %d packages: %v", len(l.Names), l.Names)
	}
	if l.For != "" {
		what += ", which " + l.For + " needs"
	}
	return what
}

// Pick returns the packages with these names, in their order. The error is
// *Lacking when there are some that from doesn't have.
func Pick(from []Package, names []string) ([]Package, error) {
	by := map[string]Package{}
	for _, p := range from {
		by[p.Name] = p
	}
	var picked []Package
	var lacking []string
	for _, name := range names {
		if p, ok := by[name]; ok {
			picked = append(picked, p)
		} else {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		return nil, &Lacking{Names: lacking}
	}
	return picked, nil
}
