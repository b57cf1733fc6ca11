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
)

// Archive says where the packages of a distribution come from.
type Archive struct {
	Release      string       `yaml:"release"` // $releasever in URLs: "44"
	Repositories []Repository `yaml:"repositories"`
}

// Repository is one place of packages.
type Repository struct {
	Name   string   `yaml:"name"`
	URL    string   `yaml:"url"`              // repodata/repomd.xml lies below it; may hold $releasever and $basearch
	Keys   []string `yaml:"keys"`             // files of this host: public keys that packages are signed with
	Signed bool     `yaml:"signed,omitempty"` // repomd.xml is signed too (repomd.xml.asc)
}

// Check says all that is wrong with a.
func (a Archive) Check() error {
	var wrong []error
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
	switch {
	case r.Name == "" || strings.ContainsAny(r.Name, " ]\n"):
		return errors.New("it needs a name of letters, digits and dashes")
	case !strings.Contains(r.URL, "://") || strings.ContainsAny(r.URL, "\n "):
		return fmt.Errorf("%q is no URL", r.URL)
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

// url gives the repository's URL with the variables put in, and no slash at its
// end.
func (r Repository) url(release string) string {
	return strings.TrimSuffix(strings.NewReplacer("$releasever", release, "$basearch", "x86_64").Replace(r.URL), "/")
}

// URLs gives those of the repositories, as Found has them.
func (a Archive) URLs() []string {
	urls := make([]string, len(a.Repositories))
	for i, r := range a.Repositories {
		urls[i] = r.url(a.Release)
	}
	return urls
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

// Found is one package that was downloaded.
type Found struct {
	File string // on this host
	URL  string // of its repository
	Path string // below it
}

// Download gets packages with all that they need (install), and others alone,
// as dnf chooses them today, into the folder into. Each is checked to be signed
// by a key of the archive: dnf does so for the first kind, rpmkeys for both.
func (a Archive) Download(ctx context.Context, into string, install, alone []string) ([]Found, error) {
	found, err := a.download(ctx, into, install, alone)
	if err != nil {
		return nil, fmt.Errorf("download rpm packages from %s: %w", a.names(), err)
	}
	return found, nil
}

func (a Archive) download(ctx context.Context, into string, install, alone []string) ([]Found, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	if missing := a.MissingKeys(); len(missing) > 0 {
		return nil, fmt.Errorf("keys are missing on this host: %s; Debian's package distribution-gpg-keys has those of Fedora, Rocky and openSUSE", strings.Join(missing, ", "))
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return nil, err
	}
	var found []Found
	err := withTool(into, a.config, func(t tool) error {
		// Nothing is installed in this root, so that all that is needed is chosen.
		root := filepath.Join(t.dir, "root")
		if len(install) > 0 {
			args := append([]string{"--noplugins", "install", "--downloadonly", "--downloaddir=" + into}, install...)
			if err := t.dnf(ctx, root, a.Release, args...); err != nil {
				return err
			}
		}
		if len(alone) > 0 {
			// Plugins are on for this one: download is one.
			args := append([]string{"--disableplugin=*", "--enableplugin=download", "download", "--arch=x86_64,noarch", "--destdir=" + into}, alone...)
			if err := t.dnf(ctx, root, a.Release, args...); err != nil {
				return err
			}
		}
		var err error
		if found, err = a.locate(ctx, t, root, into); err != nil {
			return err
		}
		return a.verify(ctx, t, found)
	})
	return found, err
}

// verify has rpm check each file's signature against the archive's keys, and
// against no others.
func (a Archive) verify(ctx context.Context, t tool, found []Found) error {
	keys := filepath.Join(t.dir, "keys")
	if err := os.Mkdir(keys, 0o755); err != nil {
		return err
	}
	line := []string{"rpmkeys", "--define", "_pkgverify_level all", "--dbpath", keys}
	for _, r := range a.Repositories {
		if _, err := t.run(ctx, append(slices.Concat(line, []string{"--import"}), r.Keys...)...); err != nil {
			return err
		}
	}
	line = append(line, "--checksig", "--verbose")
	for _, f := range found {
		line = append(line, f.File)
	}
	_, err := t.run(ctx, line...)
	return err
}

// locate says where each downloaded file came from.
func (a Archive) locate(ctx context.Context, t tool, root, into string) ([]Found, error) {
	files, err := filepath.Glob(filepath.Join(into, "*.rpm"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errors.New("dnf downloaded nothing"))
	}
	out, err := t.dnfSays(ctx, root, a.Release, "--noplugins", "--quiet", "repoquery", "--queryformat", "%{reponame} %{relativepath}")
	if err != nil {
		return nil, err
	}
	by := map[string]Found{}
	for line := range strings.Lines(string(out)) {
		name, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		i := slices.IndexFunc(a.Repositories, func(r Repository) bool { return r.Name == name })
		if ok && i >= 0 {
			by[filepath.Base(path)] = Found{URL: a.Repositories[i].url(a.Release), Path: path}
		}
	}
	found := make([]Found, len(files))
	for i, file := range files {
		f, ok := by[filepath.Base(file)]
		if !ok {
			return nil, fmt.Errorf("no repository lists %s", filepath.Base(file))
		}
		f.File = file
		found[i] = f
	}
	return found, nil
}

// names gives the names of the repositories.
func (a Archive) names() string {
	names := make([]string, len(a.Repositories))
	for i, r := range a.Repositories {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}
