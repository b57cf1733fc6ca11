package images

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/oci"
)

// made is one thing that a maker has made.
type made struct {
	item  bundle.Item // with its digest
	file  string      // of a package
	image v1.Image    // of a container image
}

// moduleSource gives packages and container images of programs that are built
// here from Go modules. It implements bundle.Source.
type moduleSource struct {
	maker maker
	// base gives a folder with the unpacked packages of Recipe.ContainerBase, and
	// the names and versions of these packages.
	base func(ctx context.Context) (dir string, packages []string, err error)

	mu  sync.Mutex
	all []made // nil before it is made
}

// Resolve implements bundle.Source: all is built now, since only then its
// digests are known.
func (s *moduleSource) Resolve(ctx context.Context) ([]bundle.Item, error) {
	all, err := s.make(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]bundle.Item, len(all))
	for n, m := range all {
		items[n] = m.item
	}
	return items, nil
}

// Has implements bundle.Source.
func (s *moduleSource) Has(i bundle.Item) bool {
	switch {
	case i.Scheme() != "go":
		return false
	case i.Kind == bundle.Image:
		return slices.ContainsFunc(s.maker.recipe.Containers, func(c Container) bool { return c.Name == i.Name })
	}
	return string(i.Kind) == string(s.maker.format) && slices.ContainsFunc(s.maker.recipe.fromModules(), func(p Package) bool { return p.Name == i.Name })
}

// Fetch implements bundle.Source.
func (s *moduleSource) Fetch(ctx context.Context, i bundle.Item, to *bundle.Writer) error {
	all, err := s.make(ctx)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(all, func(m made) bool { return m.item.Kind == i.Kind && m.item.Name == i.Name })
	if n < 0 {
		return fmt.Errorf("%s: nothing here makes it", i)
	}
	if m := all[n]; i.Digest != "" && m.item.Digest != i.Digest {
		return &bundle.Gone{Item: i, Why: fmt.Sprintf("this ra2-deploy builds it with %s to digest %s, and the lock has %s", s.maker.compiler, m.item.Digest, i.Digest),
			Next: "make the lock anew (ra2-deploy bundle lock), or use the ra2-deploy and the Go that it was made with"}
	}
	if i.Kind == bundle.Image {
		_, err := to.AddImage(all[n].item, all[n].image)
		return err
	}
	f, err := os.Open(all[n].file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = to.AddFile(all[n].item, f)
	return err
}

// make makes everything, once.
func (s *moduleSource) make(ctx context.Context) ([]made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all != nil {
		return s.all, nil
	}
	programs, err := s.maker.built(ctx)
	if err != nil {
		return nil, err
	}
	var all []made
	for _, p := range s.maker.recipe.fromModules() {
		m, err := s.maker.packageItem(p, programs)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	base, packages, err := s.base(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range s.maker.recipe.Containers {
		m, err := s.maker.container(c, programs, base, packages)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	s.all = all
	return all, nil
}

// packageItem makes one package.
func (m maker) packageItem(p Package, programs map[string]string) (made, error) {
	described, file, err := m.pack(p, programs)
	if err != nil {
		return made{}, err
	}
	item, err := m.item(described.Name, described.FullVersion(), described.Source, file)
	return made{item: item, file: file}, err
}

// item describes a package file as an item of a bundle.
func (m maker) item(name, version, source, file string) (bundle.Item, error) {
	digest, err := digestFile(file)
	if err != nil {
		return bundle.Item{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return bundle.Item{}, err
	}
	arch := map[bundle.Kind]string{bundle.Deb: "amd64", bundle.RPM: "x86_64"}[bundle.Kind(m.format)]
	return bundle.Item{Kind: bundle.Kind(m.format), Name: name, Version: version, Arch: arch, Source: source,
		Digest: bundle.Digest("sha256:" + digest), Size: info.Size()}, nil
}

// container makes one container image, as an OCI layout in the cache.
func (m maker) container(c Container, programs map[string]string, base string, packages []string) (made, error) {
	inputs := []any{containerEdition, c}
	contents := map[string]string{}
	source := ""
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		file := programs[c.Files[path]]
		contents[path] = file
		inputs = append(inputs, path, filepath.Base(filepath.Dir(file))) // the program's key
		source = m.recipe.origin(c.Files[path])
	}
	if len(c.Debian) > 0 {
		source += " +" + strings.Join(packages, " +")
		inputs = append(inputs, packages)
	}
	for path, program := range c.Debian {
		closure, err := oci.Closure(base, program)
		if err != nil {
			return made{}, err
		}
		contents[path] = closure[program]
		delete(closure, program)
		maps.Copy(contents, closure)
	}
	k := key(inputs)
	if !m.cache.has("container", k) {
		m.report(Progress{"make container image " + c.Name, ""})
	}
	dir, err := m.cache.make("container", k, func(dir string) error {
		image, err := (oci.Image{Name: c.Name, Files: contents, Entrypoint: c.Entrypoint}).Build()
		if err != nil {
			return err
		}
		to, err := layout.Write(dir, empty.Index)
		if err != nil {
			return err
		}
		return to.AppendImage(image)
	})
	if err != nil {
		return made{}, err
	}
	return imageItem(c.Name, source, dir)
}

// imageItem opens the one image of an OCI layout.
func imageItem(name, source, dir string) (made, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return made{}, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return made{}, err
	}
	if len(list.Manifests) != 1 {
		return made{}, fmt.Errorf("%s holds %d images, want one", dir, len(list.Manifests))
	}
	image, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		return made{}, err
	}
	return made{image: image, item: bundle.Item{Kind: bundle.Image, Name: name, Version: tagOf(name), Arch: "amd64", Source: source,
		Digest: bundle.Digest(list.Manifests[0].Digest.String()), Size: list.Manifests[0].Size}}, nil
}

// nodeSource gives the package of the ra2-node program of this host. It
// implements bundle.Source.
type nodeSource struct{ maker maker }

// Resolve implements bundle.Source.
func (s nodeSource) Resolve(context.Context) ([]bundle.Item, error) {
	item, _, err := s.made()
	return []bundle.Item{item}, err
}

// Has implements bundle.Source.
func (s nodeSource) Has(i bundle.Item) bool {
	return i.Name == NodePackage && string(i.Kind) == string(s.maker.format)
}

// Fetch implements bundle.Source.
func (s nodeSource) Fetch(_ context.Context, _ bundle.Item, to *bundle.Writer) error {
	item, file, err := s.made()
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = to.AddFile(item, f)
	return err
}

func (s nodeSource) made() (bundle.Item, string, error) {
	p, file, err := s.maker.nodePackage()
	if err != nil {
		return bundle.Item{}, "", err
	}
	item, err := s.maker.item(p.Name, p.FullVersion(), p.Source, file)
	return item, file, err
}

// Local says that a lock has nothing of this.
func (nodeSource) Local() bool { return true }
