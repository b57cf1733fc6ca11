package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/command"
	"github.com/ra2-deploy/ra2-deploy/images/rpm"
)

// RPM gives packages of the repositories of one rpm distribution. Which ones
// there are is told by dnf. All are downloaded then, since most repositories sign
// packages and not the list of them: the digest of an item is that of a package
// whose signature was checked. It implements bundle.Source.
type RPM struct {
	Archive rpm.Archive
	Install []string // packages that are wanted, with all that they need
	Alone   []string // packages that are wanted alone
	Store   Store    // where content is kept
}

// Resolve implements bundle.Source by the repositories' state of this moment.
func (r RPM) Resolve(ctx context.Context) ([]bundle.Item, error) {
	if missing := command.Missing([]string{"dnf", "rpm", "rpmkeys"}); len(missing) > 0 {
		return nil, fmt.Errorf("%s is not on this host: packages of rpm repositories are resolved by dnf itself; next: apt-get install dnf dnf-plugins-core rpm, or use a lock",
			strings.Join(missing, " and "))
	}
	if err := os.MkdirAll(r.Store.Dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(r.Store.Dir, "rpm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	found, err := r.Archive.Download(ctx, filepath.Join(dir, "packages"), r.Install, r.Alone)
	if err != nil {
		return nil, err
	}
	return r.keep(ctx, found)
}

// keep puts what was found into the store and describes it.
func (r RPM) keep(ctx context.Context, found []rpm.Found) ([]bundle.Item, error) {
	files := make([]string, len(found))
	for n, f := range found {
		files[n] = f.File
	}
	described, err := rpm.Describe(ctx, files)
	if err != nil {
		return nil, err
	}
	items := make([]bundle.Item, len(found))
	for n, f := range found {
		digest, err := digestFile(f.File)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(f.File)
		if err != nil {
			return nil, err
		}
		p := described[n]
		items[n] = bundle.Item{Kind: bundle.RPM, Name: p.Name, Version: p.Version, Arch: p.Arch, Source: "rpm:" + f.URL + " " + f.Path, Digest: digest, Size: info.Size()}
		if err := os.Rename(f.File, filepath.Join(r.Store.Dir, digest.Hex())); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// Has implements bundle.Source: it has the packages of its repositories.
func (r RPM) Has(i bundle.Item) bool {
	from, _, ok := rpmOrigin(i)
	return ok && i.Kind == bundle.RPM && slices.Contains(r.Archive.URLs(), from)
}

// rpmOrigin reads the source of an item: the repository's URL and the path below it.
func rpmOrigin(i bundle.Item) (from, path string, ok bool) {
	from, path, ok = strings.Cut(strings.TrimPrefix(i.Source, "rpm:"), " ")
	return from, path, ok && i.Scheme() == "rpm"
}

// Fetch implements bundle.Source.
func (r RPM) Fetch(ctx context.Context, i bundle.Item, to *bundle.Writer) error {
	from, path, ok := rpmOrigin(i)
	if !ok {
		return fmt.Errorf("%s: its source %q is not rpm:<repository> <path>", i, i.Source)
	}
	file, err := r.Store.fetch(ctx, from+"/"+(&url.URL{Path: path}).EscapedPath(), i)
	if status, ok := errors.AsType[*status](err); ok && status.gone() {
		return &bundle.Gone{Item: i, Why: status.Error(), Next: "make the lock anew (ra2-deploy bundle lock): distributions remove a package when its update comes"}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = to.AddFile(i, f)
	return err
}
