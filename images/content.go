package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// content is what an image is made of: a bundle, and those of its packages
// that are of the image's distribution.
type content struct {
	bundle   bundle.Bundle
	packages []bundle.Item // sorted by name, each name once
}

// choose picks the packages of a distribution out of a bundle.
func (d Distribution) choose(b bundle.Bundle) (content, error) {
	c := content{bundle: b}
	for _, i := range b.Kind(d.kind()) {
		if d.has(i) {
			c.packages = append(c.packages, i)
		}
	}
	slices.SortFunc(c.packages, func(a, b bundle.Item) int { return strings.Compare(a.Name, b.Name) })
	var wrong []error
	for n, i := range c.packages {
		if n > 0 && c.packages[n-1].Name == i.Name {
			wrong = append(wrong, fmt.Errorf("the bundle has two versions of package %s: %s and %s", i.Name, c.packages[n-1].Version, i.Version))
		}
	}
	return c, errors.Join(wrong...)
}

// lacking is an error when the bundle doesn't hold what is asked for, with the
// names of all that isn't there.
func (c content) lacking(packages []string, images []Container) error {
	var wrong []error
	if _, err := family.Pick(c.of(c.packages), packages); err != nil {
		wrong = append(wrong, err)
	}
	for _, image := range images {
		if _, err := c.bundle.Find(bundle.Image, image.Name); err != nil {
			wrong = append(wrong, fmt.Errorf("the bundle has no container image %s", image.Name))
		}
	}
	return errors.Join(wrong...)
}

// has tells whether the bundle has a package of this name.
func (c content) has(name string) bool {
	return slices.ContainsFunc(c.packages, func(i bundle.Item) bool { return i.Name == name })
}

// of gives items as a family takes them.
func (c content) of(items []bundle.Item) []family.Package {
	out := make([]family.Package, len(items))
	for n, i := range items {
		out[n] = family.Package{Name: i.Name, Version: i.Version, Arch: i.Arch, File: c.bundle.Path(i), Digest: i.Digest.Hex(), Size: i.Size}
	}
	return out
}

// without gives the packages but for those named.
func (c content) without(names []string) []family.Package {
	return c.of(slices.DeleteFunc(slices.Clone(c.packages), func(i bundle.Item) bool { return slices.Contains(names, i.Name) }))
}

// verified reads packages and refuses one that isn't what its digest says.
func verified(packages []family.Package) error {
	var wrong []error
	for _, p := range packages {
		digest, err := digestFile(p.File)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("package %s: %w", p, err))
		case digest != p.Digest:
			wrong = append(wrong, fmt.Errorf("package %s: its file %s has digest sha256:%s and the bundle says sha256:%s", p, p.File, digest, p.Digest))
		}
	}
	return errors.Join(wrong...)
}

// identities gives what a key of a cache has to know of packages.
func identities(packages []family.Package) []string {
	out := make([]string, len(packages))
	for n, p := range packages {
		out[n] = p.Name + " " + p.Digest
	}
	return out
}

// content opens the bundle that the image is made of. Where none is given, one
// is made in the cache, of the recipe and of what the mirror has today.
func (b *builder) content(ctx context.Context) (content, error) {
	from := b.spec.Bundle
	if from == nil {
		made, err := b.makeBundle(ctx)
		if err != nil {
			return content{}, err
		}
		from = &made
	}
	c, err := b.distro.choose(*from)
	if err != nil {
		return content{}, err
	}
	names, containers := b.distro.names(b.spec.Kernel, b.spec.Kubernetes), []Container(nil)
	if b.spec.Kubernetes {
		names, containers = append(names, "containerd-ctr"), b.recipe.Containers
	}
	if b.spec.Node == "" {
		names = append(names, NodePackage)
	}
	return c, c.lacking(names, containers)
}

// makeBundle makes a bundle in the cache, or finds it made: of what is needed
// for this image and no more.
func (b *builder) makeBundle(ctx context.Context) (bundle.Bundle, error) {
	k := key([]any{bundleEdition, b.spec.Distribution, b.spec.Kernel, b.spec.Kubernetes, b.distro, b.made()})
	dir, err := b.cache.make("bundle", k, func(dir string) error {
		sources := b.sources()
		b.report(Progress{"look for packages of " + b.spec.Distribution + " at " + b.distro.place(), "10 s"})
		items, err := bundle.Resolve(ctx, sources)
		if err != nil {
			return err
		}
		w, err := bundle.Create(filepath.Join(dir, "bundle"))
		if err != nil {
			return err
		}
		defer w.Close()
		b.report(Progress{fmt.Sprintf("fetch %d packages and container images", len(items)), "30 s"})
		if err := bundle.Fill(ctx, w, items, sources, nil); err != nil {
			return err
		}
		_, err = w.Commit(nil)
		return err
	})
	if err != nil {
		return bundle.Bundle{}, fmt.Errorf("make a bundle: %w", err)
	}
	return bundle.Open(filepath.Join(dir, "bundle"))
}

// nodeFile gives the package of ra2-node: made of the program that the spec
// names, or the bundle's.
func (b *builder) nodeFile(c content) (string, error) {
	if b.spec.Node != "" {
		_, file, err := b.maker().nodePackage()
		return file, err
	}
	packages, err := family.Pick(c.of(c.packages), []string{NodePackage})
	if err != nil {
		return "", err
	}
	return packages[0].File, verified(packages)
}

func (c cache) inScratch(work func(dir string) error) error {
	dir, err := c.scratch("work")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return work(dir)
}
