// Package rpm makes file trees from rpm packages: whole systems with dnf, and
// the contents of single packages (kernel, boot loaders) that are laid out and
// never installed. Every package has to be signed by a key of its repository,
// and the tree's own rpm database says what was installed.
//
//	err := rpm.Archive{Release: "44", Database: "/usr/lib/sysimage/rpm", Repositories: ...}.System(ctx, dir, []string{"systemd"})
package rpm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// epoch is the time of an installation: 2026-01-01T00:00:00Z. rpm 4.18 and
// later write it into the database in place of the clock's, and so do the
// programs that scriptlets run.
const epoch = "1767225600"

// Programs gives the external programs that this package runs and the Debian
// packages that hold them.
func Programs() map[string]string {
	return map[string]string{"dnf": "dnf", "rpm": "rpm", "rpmkeys": "rpm", "unshare": "util-linux", "mount": "mount"}
}

// backend is the kind of database that a tree gets, as rpm's macro _db_backend
// names it. The rpm of openSUSE, which keeps another kind by itself, reads the
// kind that it finds; Debian's writes only this one.
const backend = "sqlite"

// Archive says where the packages of a distribution come from, and where its
// rpm keeps the database.
type Archive struct {
	Release      string       `yaml:"release"`  // $releasever in URLs: "44"
	Database     string       `yaml:"database"` // folder of the rpm database in a tree: "/usr/lib/sysimage/rpm"
	Repositories []Repository `yaml:"repositories"`
}

// Repository is one place of packages (repodata/repomd.xml lies below its URL).
type Repository struct {
	Name     string   `yaml:"name"`
	URL      string   `yaml:"url,omitempty"`        // dnf's baseurl; may hold $releasever and $basearch
	Metalink string   `yaml:"metalink,omitempty"`   // or a list of mirrors, as Fedora has it
	Mirrors  string   `yaml:"mirrorlist,omitempty"` // or as Rocky has it
	Keys     []string `yaml:"keys"`                 // files of this host: public keys that packages are signed with
	Signed   bool     `yaml:"signed,omitempty"`     // repomd.xml is signed too (repomd.xml.asc)
}

// Check says all that is wrong with a.
func (a Archive) Check() error {
	var wrong []error
	if !filepath.IsAbs(a.Database) {
		wrong = append(wrong, fmt.Errorf("the folder of the rpm database is %q, which is no absolute path", a.Database))
	}
	if len(a.Repositories) == 0 {
		wrong = append(wrong, errors.New("no rpm repository is named"))
	}
	seen := map[string]bool{}
	for _, r := range a.Repositories {
		if err := r.check(); err != nil {
			wrong = append(wrong, fmt.Errorf("rpm repository %q: %w", r.Name, err))
		}
		if seen[r.Name] {
			wrong = append(wrong, fmt.Errorf("two rpm repositories are called %q", r.Name))
		}
		seen[r.Name] = true
	}
	return errors.Join(wrong...)
}

func (r Repository) check() error {
	places := slices.DeleteFunc([]string{r.URL, r.Metalink, r.Mirrors}, func(s string) bool { return s == "" })
	switch {
	case r.Name == "" || strings.ContainsAny(r.Name, " ]\n"):
		return errors.New("it needs a name of letters, digits and dashes")
	case len(places) != 1:
		return fmt.Errorf("it needs one of url, metalink and mirrorlist, and has %d", len(places))
	case strings.ContainsAny(places[0], "\n "):
		return fmt.Errorf("%q is no URL", places[0])
	case len(r.Keys) == 0:
		return errors.New("it names no keys: what nobody signed isn't installed")
	}
	for _, key := range r.Keys {
		if !filepath.IsAbs(key) || strings.ContainsAny(key, "\n ") {
			return fmt.Errorf("key %q is no absolute path", key)
		}
	}
	return nil
}

// MissingKeys gives the keys that are not on this host, sorted.
func (a Archive) MissingKeys() []string {
	missing := map[string]bool{}
	for _, r := range a.Repositories {
		for _, key := range r.Keys {
			if _, err := os.Stat(key); err != nil {
				missing[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

// System makes a system at dir, which must not exist, from the packages of
// include and what they depend on, without weak dependencies and without
// documentation. It needs root: files belong to their real owners.
func (a Archive) System(ctx context.Context, dir string, include []string) error {
	err := a.withDnf(dir, func(d dnf) error {
		// The package that owns /proc and /dev can't be installed while something
		// is mounted there; scriptlets of all others expect that.
		if err := d.run(ctx, dir, "install", "filesystem"); err != nil {
			return err
		}
		return d.runMounted(ctx, dir, append([]string{"install"}, include...)...)
	})
	if err == nil {
		err = a.settle(dir)
	}
	if err != nil {
		return fmt.Errorf("make an rpm system from %s: %w", a.names(), err)
	}
	return nil
}

// Unpack downloads packages and lays their files out in dir, without what they
// depend on and without running anything of them. It gives what was laid out,
// "name version".
func (a Archive) Unpack(ctx context.Context, dir string, packages []string) ([]string, error) {
	err := a.withDnf(dir, func(d dnf) error {
		into := filepath.Join(d.dir, "packages")
		if err := d.download(ctx, into, packages); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(into, "*.rpm"))
		if err != nil {
			return err
		}
		return a.layOut(ctx, d, dir, files)
	})
	if err != nil {
		return nil, fmt.Errorf("unpack rpm packages from %s: %w", a.names(), err)
	}
	laid, err := a.Installed(ctx, dir)
	if err != nil {
		return nil, err
	}
	return laid, os.RemoveAll(filepath.Join(dir, a.Database)) // nothing is installed there
}

// layOut has rpm put the files of packages into dir. rpm checks each
// signature: `dnf download` doesn't.
func (a Archive) layOut(ctx context.Context, d dnf, dir string, files []string) error {
	// Packages of distributions with one /usr have paths through these links.
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(dir, "usr", name), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, r := range a.Repositories {
		if err := d.rpm(ctx, append([]string{"rpmkeys", "--root", dir, "--import"}, r.Keys...)...); err != nil {
			return err
		}
	}
	line := []string{"rpm", "--root", dir, "--define", "_pkgverify_level all", "--install", "--nodeps", "--noscripts", "--notriggers", "--excludedocs"}
	return d.rpm(ctx, append(line, files...)...)
}

// names gives the names of the repositories.
func (a Archive) names() string {
	names := make([]string, len(a.Repositories))
	for i, r := range a.Repositories {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}

// Installed lists the packages of the system at dir, "name version", sorted, as
// its rpm database says. Keys, which rpm counts as packages, are left out.
func (a Archive) Installed(ctx context.Context, dir string) ([]string, error) {
	scratch, err := os.MkdirTemp("", "ra2-rpm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	// Of a copy: a reader leaves files beside the database that it reads.
	if err := os.CopyFS(filepath.Join(scratch, "db"), os.DirFS(filepath.Join(dir, a.Database))); err != nil {
		return nil, fmt.Errorf("list rpm packages: %w", err)
	}
	out, err := command.Run(ctx, command.Command{Args: []string{"rpm", "--define", "_db_backend " + backend, "--dbpath", filepath.Join(scratch, "db"),
		"--query", "--all", "--queryformat", `%{NAME} %{EVR}\n`}})
	if err != nil {
		return nil, fmt.Errorf("list rpm packages: %w", err)
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "gpg-pubkey ") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("list rpm packages: the database in %s%s has none", dir, a.Database)
	}
	slices.Sort(all)
	return all, nil
}
