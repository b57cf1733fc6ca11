// Package rpmrepo makes a small but real rpm repository where no mirror of an
// rpm distribution is in reach, so that images of the rpm family can be tried:
//
//	repo, err := rpmrepo.Make(ctx, "/var/tmp/rpmrepo", report)
//	// repo.URL: "file:///var/tmp/rpmrepo/repo", repo.Key: its public key
//
// Programs come from Debian packages, which apt downloads and checks.
// packages.yaml says how each becomes an rpm package that has Fedora's name,
// Fedora's paths for the kernel, the boot loaders and the rpm database, and
// scriptlets in Fedora's manner. All else is done by the real tools: rpmbuild
// finds what libraries each package needs and provides, rpmsign signs it,
// createrepo_c lists it, and gpg signs the list.
//
// It is a test's tool. The distribution is called ra2-test-rpm and is none: its
// programs are compiled for Debian's paths, shared libraries lie in Debian's
// folders, and only what a node needs was packaged.
package rpmrepo

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

//go:embed packages.yaml
var packagesText []byte

// Repository is a finished repository.
type Repository struct {
	Dir string // of the packages and of repodata
	URL string // "file://" and Dir
	Key string // file: the public key that packages and repodata are signed with
}

// Programs gives the external programs that Make runs and the Debian packages
// that hold them.
func Programs() map[string]string {
	return map[string]string{"rpmbuild": "rpm", "rpmsign": "rpm", "createrepo_c": "createrepo-c", "gpg": "gnupg", "apt-get": "apt", "dpkg-deb": "dpkg"}
}

// Make makes the repository below dir, or finds it made there from the same
// Debian packages. It needs root, because files keep their owners, and the
// network. A minute and a half on two cores.
func Make(ctx context.Context, dir string, report func(doing string)) (Repository, error) {
	r, err := find(ctx, dir, report)
	if err != nil {
		return Repository{}, fmt.Errorf("make the rpm repository of the tests in %s: %w", dir, err)
	}
	return r, nil
}

// find gives the repository, and makes it where it is missing or old.
func find(ctx context.Context, dir string, report func(string)) (Repository, error) {
	t, err := readTable(packagesText)
	if err != nil {
		return Repository{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return Repository{}, err
	}
	report("download Debian packages")
	debs, err := download(ctx, filepath.Join(dir, "apt"), t.sources())
	if err != nil {
		return Repository{}, err
	}
	r := Repository{Dir: filepath.Join(dir, "repo"), URL: "file://" + filepath.Join(dir, "repo"), Key: filepath.Join(dir, "RPM-GPG-KEY-ra2-test-rpm")}
	inputs := r.inputs(debs)
	if had, err := os.ReadFile(filepath.Join(dir, "inputs")); err == nil && string(had) == inputs {
		return r, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Repository{}, err
	}
	packages, err := t.plan(debs)
	if err != nil {
		return Repository{}, err
	}
	if err := r.build(ctx, dir, packages, t.Drop, debs, report); err != nil {
		return Repository{}, err
	}
	return r, os.WriteFile(filepath.Join(dir, "inputs"), []byte(inputs), 0o644)
}

// inputs addresses what a repository is made from.
func (r Repository) inputs(debs map[string]deb) string {
	h := sha256.New()
	h.Write(packagesText)
	names := make([]string, 0, len(debs))
	for name, d := range debs {
		names = append(names, name+" "+d.version)
	}
	slices.Sort(names)
	h.Write([]byte(recipe + strings.Join(names, "\n")))
	return hex.EncodeToString(h.Sum(nil))
}

// recipe counts the changes of this package that give other rpm packages.
const recipe = "2\n"

// build makes all packages and the lists, from nothing.
func (r Repository) build(ctx context.Context, dir string, packages []pack, drop []string, debs map[string]deb, report func(string)) error {
	work := filepath.Join(dir, "work")
	for _, old := range []string{work, r.Dir, filepath.Join(dir, "inputs")} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	for _, d := range []string{work, r.Dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	report(fmt.Sprintf("make %d rpm packages (about 1 min)", len(packages)))
	if err := buildAll(ctx, work, r.Dir, packages, drop, debs); err != nil {
		return err
	}
	report("sign them and the list of them")
	if err := r.sign(ctx, filepath.Join(work, "gpg")); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// sign signs all packages and the list of them with a key of its own that
// nobody keeps.
func (r Repository) sign(ctx context.Context, home string) error {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	const user = "RA2 test distribution"
	env := []string{"GNUPGHOME=" + home}
	gpg := func(args ...string) ([]byte, error) {
		return command.Run(ctx, command.Command{Env: env, Args: append([]string{"gpg", "--batch", "--yes"}, args...)})
	}
	// The agent ends by itself when its folder is gone.
	if _, err := gpg("--passphrase", "", "--quick-generate-key", user, "rsa3072", "sign", "never"); err != nil {
		return err
	}
	public, err := gpg("--armor", "--export", user)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.Key, public, 0o644); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(r.Dir, "*.rpm"))
	if err != nil {
		return err
	}
	sign := append([]string{"rpmsign", "--define", "_gpg_name " + user, "--define", "__gpg " + gpgPath(), "--addsign"}, files...)
	if _, err := command.Run(ctx, command.Command{Env: env, Args: sign}); err != nil {
		return err
	}
	if _, err := command.Run(ctx, command.Command{Args: []string{"createrepo_c", "--quiet", r.Dir}}); err != nil {
		return err
	}
	_, err = gpg("--local-user", user, "--armor", "--detach-sign", filepath.Join(r.Dir, "repodata/repomd.xml"))
	return err
}

func gpgPath() string { return "/usr/bin/gpg" }

// readTable reads packages.yaml strictly.
func readTable(text []byte) (table, error) {
	var t table
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&t); err != nil {
		return table{}, fmt.Errorf("read packages.yaml: %w", err)
	}
	return t, nil
}
