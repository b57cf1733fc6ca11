package deb

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// Family makes trees of Debian packages.
type Family struct {
	Suite string // "trixie"
}

// excluded are folders that no node reads. Licences stay.
func excluded() []string {
	return []string{"usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/bash-completion"}
}

// prune removes what no node reads. dpkg could leave it out (path-exclude), but
// then mmdebstrap filters every essential package in Perl: 5 s of 15.
func prune(root string) error {
	for _, dir := range excluded() {
		if err := os.RemoveAll(filepath.Join(root, dir)); err != nil {
			return err
		}
	}
	docs := filepath.Join(root, "usr/share/doc")
	return filepath.WalkDir(docs, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "copyright" {
			return err
		}
		return os.Remove(name)
	})
}

// System implements family.Family with mmdebstrap: the essential packages, those
// named and what they depend on, without recommendations.
func (f Family) System(ctx context.Context, root string, from []family.Package, names []string) error {
	if _, err := family.Pick(from, names); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(root), "repository-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := repository(scratch, f.Suite, from); err != nil {
		return fmt.Errorf("make a repository of the packages: %w", err)
	}
	// mmdebstrap gives files that scripts make this time.
	c := command.Command{Env: []string{"SOURCE_DATE_EPOCH=" + epoch}, Args: f.mmdebstrap(root, scratch, names)}
	if _, err := command.Run(ctx, c); err != nil {
		return fmt.Errorf("make a Debian system (%s): %w", f.Suite, err)
	}
	// It names the repository of the moment.
	if err := os.Remove(filepath.Join(root, "etc/apt/sources.list")); err != nil {
		return err
	}
	return prune(root)
}

// mmdebstrap gives the command line. The packages' digests are the bundle's, so
// the repository that was made of them needs no signature. Nothing of the tree
// has to outlive a power cut, so dpkg needn't wait for the disk.
func (f Family) mmdebstrap(root, repository string, names []string) []string {
	return append([]string{"mmdebstrap", "--variant=essential", "--mode=root", "--format=directory", "--architectures=amd64",
		`--aptopt=Acquire::Languages "none"`, `--aptopt=APT::Sandbox::User "root"`, "--dpkgopt=force-unsafe-io",
		"--include=" + strings.Join(names, ",")}, f.Suite, root, "deb [trusted=yes] copy://"+repository+" ./")
}

// Add implements family.Family with the system's own dpkg.
func (f Family) Add(ctx context.Context, root, file string) error {
	const inside = "/ra2-add.deb"
	if err := copyFile(file, filepath.Join(root, inside)); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(root, inside))
	args := []string{"chroot", root, "dpkg", "--force-unsafe-io", "--install", inside}
	if _, err := command.Run(ctx, command.Command{Args: args, Env: []string{"DEBIAN_FRONTEND=noninteractive"}}); err != nil {
		return fmt.Errorf("install %s: %w", file, err)
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

// Unpack implements family.Family.
func (f Family) Unpack(ctx context.Context, dir string, from []family.Package, names []string) ([]family.Package, error) {
	packages, err := standFor(from, names)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		if _, err := command.Run(ctx, command.Command{Args: []string{"dpkg-deb", "--extract", p.File, dir}}); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", p, err)
		}
	}
	return packages, nil
}

// kernelParts are how the names of the packages begin that a kernel consists
// of: Debian has all of it in one, Ubuntu the modules in another.
func kernelParts() []string { return []string{"linux-image-", "linux-modules-"} }

func isKernel(name string) bool {
	return slices.ContainsFunc(kernelParts(), func(part string) bool { return strings.HasPrefix(name, part) })
}

// standFor picks packages. One of a kernel brings those of the kernel that it
// depends on: linux-image-amd64 of Debian and linux-image-generic of Ubuntu are
// empty but for that.
func standFor(from []family.Package, names []string) ([]family.Package, error) {
	picked, err := family.Pick(from, names)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := 0; i < len(picked); i++ { // it grows
		if !isKernel(picked[i].Name) || seen[picked[i].Name] {
			continue
		}
		seen[picked[i].Name] = true
		control, err := ReadControl(picked[i].File)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", picked[i], err)
		}
		parts := slices.DeleteFunc(control.Depends(), func(name string) bool { return !isKernel(name) })
		more, err := family.Pick(from, parts)
		if err != nil {
			return nil, &family.Lacking{Names: parts, For: picked[i].Name}
		}
		picked = append(picked, more...)
	}
	slices.SortFunc(picked, func(a, b family.Package) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(picked, func(a, b family.Package) bool { return a.Name == b.Name }), nil
}

// Installed implements family.Family by dpkg's database.
func (f Family) Installed(_ context.Context, root string) ([]family.Package, error) {
	text, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var all []family.Package
	for stanza := range strings.SplitSeq(string(text), "\n\n") {
		c := Control{stanza}
		if strings.HasSuffix(c.Field("Status"), " installed") {
			all = append(all, family.Package{Name: c.Field("Package"), Version: c.Field("Version"), Arch: c.Field("Architecture")})
		}
	}
	slices.SortFunc(all, func(a, b family.Package) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
