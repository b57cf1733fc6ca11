package mirror

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror/aptrepo"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror/rpmrepo"
)

// repo is a repository of packages: lists that are computed when the first of
// them is asked for, and the packages.
type repo struct {
	name     string // "apt repository", for people
	content  *checked
	packages []entry // in the order of the bundle's list
	byPath   map[string]bundle.Item
	make     func([]entry) (map[string][]byte, error) // all lists, by path

	mu    sync.Mutex
	lists map[string][]byte // nil until they are made
}

// entry is a package and its path in the repository.
type entry struct {
	path string
	item bundle.Item
}

// newRepo takes the packages of one kind. Their digest in the path keeps two apart
// that have one name in two distributions; the epoch isn't in file names.
func newRepo(kind bundle.Kind, items []bundle.Item, c *checked, file func(i bundle.Item, version string) string) *repo {
	p := &repo{content: c, byPath: map[string]bundle.Item{}}
	for _, i := range items {
		if i.Kind != kind {
			continue
		}
		_, version, epoch := strings.Cut(i.Version, ":")
		if !epoch {
			version = i.Version
		}
		at := path.Join("pool", i.Digest.Hex(), file(i, version))
		p.packages = append(p.packages, entry{at, i})
		p.byPath[at] = i
	}
	return p
}

// OwnSuite is the suite of packages that come from no apt repository: those
// that were built from Go modules, and local files.
const OwnSuite = "ra2"

// suite returns the suite that a package came from ("apt:<url> <suite> <path>").
func suite(source string) string {
	words := strings.Fields(source)
	if strings.HasPrefix(source, "apt:") && len(words) == 3 {
		if name := strings.Trim(strings.ReplaceAll(words[1], "/", "-"), "-."); name != "" {
			return name
		}
	}
	return OwnSuite
}

// Suites returns the suites of a bundle's apt repository, sorted.
func Suites(b bundle.Bundle) []string {
	var out []string
	for _, i := range b.Kind(bundle.Deb) {
		out = append(out, suite(i.Source))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// newDeb returns the apt repository of all Debian packages of a bundle.
func newDeb(items []bundle.Item, c *checked) *repo {
	p := newRepo(bundle.Deb, items, c, func(i bundle.Item, version string) string {
		return i.Name + "_" + version + "_" + i.Arch + ".deb"
	})
	p.name = "apt repository"
	p.make = func(packages []entry) (map[string][]byte, error) {
		var all []aptrepo.Package
		for _, e := range packages {
			d, err := read(c, e.item, aptrepo.Read)
			if err != nil {
				return nil, err
			}
			if d.Name != e.item.Name || d.Version != e.item.Version || d.Arch != e.item.Arch {
				return nil, fmt.Errorf("%s says that it is %s %s %s", e.item, d.Name, d.Version, d.Arch)
			}
			d.Suite, d.Path, d.Size, d.SHA256 = suite(e.item.Source), e.path, e.item.Size, e.item.Digest.Hex()
			all = append(all, d)
		}
		return aptrepo.Lists(all)
	}
	return p
}

// newRPM returns the dnf repository of all rpm packages of a bundle.
func newRPM(items []bundle.Item, c *checked) *repo {
	p := newRepo(bundle.RPM, items, c, func(i bundle.Item, version string) string {
		return i.Name + "-" + version + "." + i.Arch + ".rpm"
	})
	p.name = "rpm repository"
	p.make = func(packages []entry) (map[string][]byte, error) {
		var all []rpmrepo.Package
		for _, e := range packages {
			h, err := read(c, e.item, rpmrepo.Read)
			if err != nil {
				return nil, err
			}
			all = append(all, rpmrepo.Package{Header: h, Path: e.path, Size: e.item.Size, SHA256: e.item.Digest.Hex()})
		}
		return rpmrepo.Lists(all)
	}
	return p
}

// read checks the content of an item and reads something out of it.
func read[T any](c *checked, i bundle.Item, from func(io.Reader) (T, error)) (out T, err error) {
	b, err := c.open(i.Digest, i.String())
	if err != nil {
		return out, err
	}
	defer b.Close()
	if out, err = from(b); err != nil {
		return out, fmt.Errorf("read %s: %w", i, err)
	}
	return out, nil
}

// serve answers with a package or a list.
func (p *repo) serve(x *exchange, at string) {
	if item, ok := p.byPath[at]; ok {
		x.what = item.String()
		x.send(p.content, item.Digest, item.String(), "application/octet-stream")
		return
	}
	if len(p.packages) == 0 {
		x.refuse(http.StatusNotFound, "UNSUPPORTED", "the bundle has no package for an "+p.name)
		return
	}
	lists, err := p.all()
	if err != nil {
		x.fail(fmt.Errorf("the lists of the %s can't be made: %w", p.name, err))
		return
	}
	list, ok := lists[at]
	if !ok {
		x.refuse(http.StatusNotFound, "UNSUPPORTED", fmt.Sprintf("the %s has no %s", p.name, at))
		return
	}
	x.what = p.name
	x.Header().Set("Content-Type", kindOf(at))
	http.ServeContent(x, x.r, "", time.Time{}, bytes.NewReader(list))
}

// all makes the lists once. They need every package, so that one which is damaged
// stops them all: without it the lists would lie about what there is.
func (p *repo) all() (map[string][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lists != nil {
		return p.lists, nil
	}
	lists, err := p.make(p.packages)
	if err == nil {
		p.lists = lists
	}
	return lists, err
}

// kindOf is the media type of a list.
func kindOf(at string) string {
	if kind := mime.TypeByExtension(path.Ext(at)); kind != "" {
		return kind
	}
	return "text/plain; charset=utf-8"
}
