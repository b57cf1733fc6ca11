package rpm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// Family makes trees of rpm packages. It implements family.Family.
type Family struct {
	Database string // folder of the rpm database in a tree, an absolute path: "/usr/lib/sysimage/rpm"
}

// repository is the name of the one repository that systems are made from.
const repository = "bundle"

// System implements family.Family with dnf: the packages named and what they
// depend on, without weak dependencies and without documentation. The packages'
// digests are the bundle's, so the repository that is made of them needs no
// signature.
func (f Family) System(ctx context.Context, root string, from []family.Package, names []string) error {
	if _, err := family.Pick(from, names); err != nil {
		return err
	}
	config := func(none string) string {
		return options(none, "gpgcheck=0", "keepcache=0") + "\n[" + repository + "]\nname=" + repository + "\nbaseurl=file://" + filepath.Dir(none) + "/repository\n"
	}
	err := f.with(root, config, func(t tool) error {
		if err := lay(ctx, t, filepath.Join(t.dir, "repository"), from); err != nil {
			return err
		}
		// The package that owns /proc and /dev can't be installed while something
		// is mounted there; scriptlets of all others expect that.
		if err := t.dnf(ctx, root, "1", "--noplugins", "install", "filesystem"); err != nil {
			return err
		}
		return t.inside(ctx, root, t.dnfLine(root, "1", append([]string{"--noplugins", "install"}, names...)...)...)
	})
	if err == nil {
		err = f.settle(root)
	}
	if err != nil {
		return fmt.Errorf("make an rpm system: %w", err)
	}
	return nil
}

// with works with a tool for the tree at root.
func (f Family) with(root string, config func(string) string, work func(tool) error) error {
	if !filepath.IsAbs(f.Database) {
		return fmt.Errorf("the folder of the rpm database is %q, which is no absolute path", f.Database)
	}
	return withTool(root, config, func(t tool) error {
		if err := t.macros(f.Database); err != nil {
			return err
		}
		return work(t)
	})
}

// lay makes a repository of package files, under the names that they would have
// in one: dnf takes a file's architecture from its list, people from its name.
func lay(ctx context.Context, t tool, dir string, from []family.Package) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, p := range from {
		file, err := filepath.Abs(p.File)
		if err != nil {
			return err
		}
		if err := os.Symlink(file, filepath.Join(dir, p.Name+"-"+p.Version+"."+p.Arch+".rpm")); err != nil {
			return err
		}
	}
	_, err := t.run(ctx, "createrepo_c", "--quiet", dir)
	return err
}

// noConfig is the configuration where dnf isn't asked.
func noConfig(none string) string { return options(none) }

// Add implements family.Family.
func (f Family) Add(ctx context.Context, root, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	err = f.with(root, noConfig, func(t tool) error {
		return t.inside(ctx, root, "rpm", "--root", root, "--install", "--nosignature", "--excludedocs", file)
	})
	if err == nil {
		err = f.settle(root)
	}
	if err != nil {
		return fmt.Errorf("install %s: %w", filepath.Base(file), err)
	}
	return nil
}

// Unpack implements family.Family: rpm lays out the files and runs nothing.
func (f Family) Unpack(ctx context.Context, dir string, from []family.Package, names []string) ([]family.Package, error) {
	packages, err := family.Pick(from, names)
	if err != nil {
		return nil, err
	}
	// Packages of distributions with one /usr have paths through these links.
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(dir, "usr", name), 0o755); err != nil {
			return nil, err
		}
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	line := []string{"rpm", "--root", dir, "--install", "--nodeps", "--noscripts", "--notriggers", "--excludedocs", "--nosignature"}
	for _, p := range packages {
		file, err := filepath.Abs(p.File)
		if err != nil {
			return nil, err
		}
		line = append(line, file)
	}
	err = f.with(dir, noConfig, func(t tool) error {
		_, err := t.run(ctx, line...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unpack rpm packages: %w", err)
	}
	slices.SortFunc(packages, func(a, b family.Package) int { return strings.Compare(a.Name, b.Name) })
	return packages, os.RemoveAll(filepath.Join(dir, f.Database)) // nothing is installed there
}

// Installed implements family.Family by the rpm database. Keys, which rpm counts
// as packages, are left out.
func (f Family) Installed(ctx context.Context, root string) ([]family.Package, error) {
	scratch, err := os.MkdirTemp("", "ra2-rpm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	// Of a copy: a reader may leave files beside the database that it reads.
	if err := os.CopyFS(filepath.Join(scratch, "db"), os.DirFS(filepath.Join(root, f.Database))); err != nil {
		return nil, fmt.Errorf("list rpm packages: %w", err)
	}
	out, err := command.Run(ctx, command.Command{Args: []string{"rpm", "--define", "_db_backend sqlite", "--dbpath", filepath.Join(scratch, "db"),
		"--query", "--all", "--queryformat", queryFormat}})
	if err != nil {
		return nil, fmt.Errorf("list rpm packages: %w", err)
	}
	all := parseQuery(string(out))
	if len(all) == 0 {
		return nil, fmt.Errorf("list rpm packages: the database in %s has none", filepath.Join(root, f.Database))
	}
	return all, nil
}

// Describe reads what package files say of themselves.
func Describe(ctx context.Context, files []string) ([]family.Package, error) {
	out, err := command.Run(ctx, command.Command{Args: append([]string{"rpm", "--query", "--package", "--nosignature", "--queryformat", queryFormat}, files...)})
	if err != nil {
		return nil, fmt.Errorf("read rpm packages: %w", err)
	}
	var all []family.Package
	for line := range strings.Lines(string(out)) {
		p, ok := parsePackage(line)
		if !ok || len(all) == len(files) {
			return nil, fmt.Errorf("read rpm packages: rpm says %q", line)
		}
		p.File = files[len(all)]
		all = append(all, p)
	}
	return all, nil
}

const queryFormat = `%{NAME} %{EVR} %{ARCH}\n`

// parseQuery reads rpm's answer, sorted by name.
func parseQuery(text string) []family.Package {
	var all []family.Package
	for line := range strings.Lines(text) {
		if p, ok := parsePackage(line); ok && p.Name != "gpg-pubkey" {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b family.Package) int { return strings.Compare(a.String(), b.String()) })
	return all
}

func parsePackage(line string) (family.Package, bool) {
	words := strings.Fields(line)
	if len(words) != 3 {
		return family.Package{}, false
	}
	return family.Package{Name: words[0], Version: words[1], Arch: words[2]}, true
}
