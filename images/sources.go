package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/source"
	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/family"
	"github.com/ra2-deploy/ra2-deploy/images/gomod"
)

// Sources gives where the items of a bundle come from that holds all that the
// image of s is made of, ra2-node among it when s names the program. What is
// built and fetched is kept below cacheDir (DefaultCache when ""). report may
// be nil.
func Sources(ctx context.Context, s Spec, cacheDir string, report func(Progress)) ([]bundle.Source, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	if report == nil {
		report = func(Progress) {}
	}
	b, err := newBuilder(s, cacheDir, report)
	if err != nil {
		return nil, fmt.Errorf("sources of a bundle: %w", err)
	}
	if b.spec.Kubernetes {
		if b.compiler, err = gomod.Compiler(ctx); err != nil {
			return nil, fmt.Errorf("sources of a bundle: %w", err)
		}
	}
	sources := b.sources()
	if s.Node != "" {
		sources = append(sources, nodeSource{b.maker()})
	}
	return sources, nil
}

// sources gives where the items of a bundle for this image come from, ra2-node
// apart.
func (b *builder) sources() []bundle.Source {
	install := slices.DeleteFunc(slices.Clone(b.distro.installed(b.spec.Kubernetes)), b.recipe.owns)
	if b.spec.Kubernetes {
		for _, p := range b.recipe.Packages {
			install = append(install, slices.DeleteFunc(slices.Clone(p.Depends[b.distro.Family]), b.recipe.owns)...)
		}
	}
	sources := []bundle.Source{b.packages(install, slices.Concat(b.distro.Kernels[b.spec.Kernel], b.distro.Loaders))}
	if b.spec.Kubernetes {
		sources = append(sources, &moduleSource{maker: b.maker(), base: b.containerBase})
	}
	return sources
}

// packages gives the distribution's packages as a source: those to install
// with all that they need, and those that are wanted alone.
func (b *builder) packages(install, alone []string) bundle.Source {
	if b.distro.Family == "rpm" {
		return source.RPM{Archive: b.distro.RPM, Install: install, Alone: alone, Store: b.store()}
	}
	apt := b.apt(b.distro.Archive)
	apt.Install, apt.Alone = install, alone
	return apt
}

// store is where fetched content is kept.
func (b *builder) store() source.Store {
	return source.Store{Dir: filepath.Join(b.cache.dir, "fetched")}
}

// apt gives an archive as a source. A mirror stands in for its addresses:
// items name those of the recipe.
func (b *builder) apt(a deb.Archive) source.Apt {
	apt := source.Apt{Suite: a.Suite, Mirror: a.Mirror, Lines: a.Sources(), Store: b.store()}
	if b.spec.Mirror != "" && a.Suite == b.distro.Archive.Suite {
		at := a.At(b.spec.Mirror)
		apt.Stead = source.Stead{a.Mirror: at.Mirror, a.Security: at.Security}
	}
	return apt
}

// containerBase gives a folder with the unpacked packages that container images
// have programs and libraries of, and their names and versions: those that the
// recipe names and what they depend on.
func (b *builder) containerBase(ctx context.Context) (string, []string, error) {
	base := b.recipe.ContainerBase
	apt := b.apt(b.recipe.Distributions[base.Distribution].Archive)
	apt.Install = base.Packages
	items, err := b.baseItems(ctx, apt)
	if err != nil {
		return "", nil, fmt.Errorf("packages of container images: %w", err)
	}
	packages, err := needed(items, base.Packages, func(i bundle.Item) (string, error) { return apt.File(ctx, i) })
	if err != nil {
		return "", nil, fmt.Errorf("packages of container images: %w", err)
	}
	dir, err := b.cache.make("base", key([]any{packageEdition, "one /usr", identities(packages)}), func(dir string) error {
		names := make([]string, len(packages))
		for n, p := range packages {
			names[n] = p.Name
		}
		if _, err := (deb.Family{}).Unpack(ctx, dir, packages, names); err != nil {
			return err
		}
		return mergeUsr(dir)
	})
	var named []string
	for _, p := range packages {
		if slices.Contains(base.Packages, p.Name) {
			named = append(named, p.Name+"="+p.Version)
		}
	}
	return dir, named, err
}

// baseItems gives the packages to choose from: those of a lock that has what the
// recipe names, so that the container images are the lock's whatever the mirror
// has by now; else those of the mirror.
func (b *builder) baseItems(ctx context.Context, apt source.Apt) ([]bundle.Item, error) {
	locked := slices.DeleteFunc(slices.Clone(b.spec.Locked), func(i bundle.Item) bool { return !apt.Has(i) })
	for _, name := range apt.Install {
		if !slices.ContainsFunc(locked, func(i bundle.Item) bool { return i.Name == name }) {
			return apt.Resolve(ctx)
		}
	}
	return locked, nil
}

// needed fetches the packages with these names and, out of items, all that they
// depend on.
func needed(items []bundle.Item, names []string, fetch func(bundle.Item) (string, error)) ([]family.Package, error) {
	var all []family.Package
	for seen := map[string]bool{}; len(names) > 0; names = names[1:] {
		n := slices.IndexFunc(items, func(i bundle.Item) bool { return i.Name == names[0] })
		if n < 0 || seen[names[0]] {
			continue // a virtual package, or an alternative that apt didn't choose
		}
		i := items[n]
		seen[i.Name] = true
		file, err := fetch(i)
		if err != nil {
			return nil, err
		}
		control, err := deb.ReadControl(file)
		if err != nil {
			return nil, err
		}
		names = append(names, control.Depends()...)
		all = append(all, family.Package{Name: i.Name, Version: i.Version, Arch: i.Arch, File: file, Digest: i.Digest.Hex(), Size: i.Size})
	}
	slices.SortFunc(all, func(a, b family.Package) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// mergeUsr makes the links of a system with one /usr, where they are missing:
// programs name their dynamic linker through them.
func mergeUsr(dir string) error {
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
