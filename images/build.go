package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/images/command"
	"github.com/ra2-deploy/ra2-deploy/images/gomod"
	"github.com/ra2-deploy/ra2-deploy/images/guest"
)

// Editions count the changes of this package that give other results from the
// same inputs; each is part of its result's key, and all are of an image's.
const (
	treeEdition      = 4
	packageEdition   = 2
	programEdition   = 1
	ownEdition       = 1
	containerEdition = 3
	bundleEdition    = 1
	dataEdition      = 7
	imageEdition     = 6
	secureEdition    = 2 // of those images only that are signed
	addonEdition     = 1 // of the signed words of a class
)

// builder is one build: what is wanted, from what, where to.
type builder struct {
	spec     Spec
	recipe   Recipe
	distro   Distribution
	cache    cache
	compiler string // of the Go tool here, "go1.26.8"; set where programs are built
	inputs   string // digest of all inputs
	report   func(Progress)
}

// Build makes the image that s describes, or finds it made. Results are kept
// below cacheDir (DefaultCache when ""), where other processes may build at
// the same time: one works, the others wait. report may be nil.
//
// The error says all that is wrong with s, or all programs that are missing on
// this host, or which step failed and what the program said. Nothing
// half-written is left behind.
func Build(ctx context.Context, s Spec, cacheDir string, report func(Progress)) (Manifest, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	if report == nil {
		report = func(Progress) {}
	}
	b, err := newBuilder(s, cacheDir, report)
	if err = errors.Join(err, s.makeable()); err != nil {
		return Manifest{}, fmt.Errorf("build image: %w", err)
	}
	if m, err := b.finished(); !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if err := b.able(); err != nil {
		return Manifest{}, fmt.Errorf("build image: %w", err)
	}
	unlock, err := b.cache.lock(ctx, report)
	if err != nil {
		return Manifest{}, fmt.Errorf("build image: %w", err)
	}
	defer unlock()
	if m, err := b.finished(); !errors.Is(err, fs.ErrNotExist) {
		return m, err // by the process that we waited for
	}
	m, err := b.build(ctx)
	if full(err) {
		err = fmt.Errorf("the disk of %s is full: free some space, or name another place: %w", cacheDir, err)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("build image: %w", err)
	}
	return m, nil
}

// Find reads the manifest of an image in a cache by its digest. The error is
// fs.ErrNotExist when it was never built there.
func Find(cacheDir, digest string) (Manifest, error) {
	m, err := read(filepath.Join(images(cacheDir), digest))
	if err != nil {
		return Manifest{}, fmt.Errorf("find image %s: %w", short(digest), err)
	}
	return m, nil
}

// Open reads the manifest of an image that a person names: by its folder, or by
// the beginning of its digest in a cache.
func Open(cacheDir, name string) (Manifest, error) {
	if _, err := os.Stat(filepath.Join(name, FileManifest)); err == nil {
		m, err := read(name)
		if err != nil {
			return Manifest{}, fmt.Errorf("open image %s: %w", name, err)
		}
		return m, nil
	}
	found, err := os.ReadDir(images(cacheDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("open image %s: %w", name, err)
	}
	prefix := strings.TrimPrefix(name, "sha256:")
	found = slices.DeleteFunc(found, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), prefix) })
	if prefix == "" || len(found) != 1 {
		return Manifest{}, fmt.Errorf("open image %q: it is no folder with a %s, and %d images in %s have a digest that begins so", name, FileManifest, len(found), images(cacheDir))
	}
	return Find(cacheDir, found[0].Name())
}

// images gives the folder of the images in a cache.
func images(cacheDir string) string {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	return filepath.Join(cacheDir, "images")
}

// read reads the manifest in an image's folder.
func read(dir string) (Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, FileManifest))
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Dir: dir}
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", FileManifest, err)
	}
	return m, nil
}

// Loaders gives the folder of the network boot loaders in a cache.
func Loaders(cacheDir string) string {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	return filepath.Join(cacheDir, "loaders")
}

func newBuilder(s Spec, cacheDir string, report func(Progress)) (*builder, error) {
	recipe, err := ReadRecipe(recipeText)
	if err != nil {
		return nil, err
	}
	s = s.withDefaults()
	if err := s.check(recipe); err != nil {
		return nil, err
	}
	cacheDir, err = filepath.Abs(cacheDir)
	if err != nil {
		return nil, err
	}
	var told sync.Mutex // stages that run at the same time report
	b := &builder{spec: s, recipe: recipe, distro: recipe.Distributions[s.Distribution].with(s), cache: cache{cacheDir}}
	b.report = func(p Progress) {
		told.Lock()
		defer told.Unlock()
		report(p)
	}
	b.inputs, err = b.inputsKey()
	return b, err
}

// maker gives who makes what is in no repository.
func (b *builder) maker() maker {
	return maker{recipe: b.recipe, format: b.distro.format(), node: b.spec.Node, cache: b.cache, compiler: b.compiler, report: b.report}
}

// made is what determines the packages and container images that are made here:
// nil where there are none. The image is named by the Go that this program was
// built with, not by the one in PATH: a site that only serves an image needs no
// Go at all.
func (b *builder) made() any {
	if !b.spec.Kubernetes {
		return nil
	}
	r := b.recipe
	return []any{runtime.Version(), r.Modules, r.Packages, r.ContainerBase, r.Containers, guest.Sources()}
}

// inputsKey addresses the whole build.
func (b *builder) inputsKey() (string, error) {
	var err error
	in := struct {
		Editions     [8]int
		Spec         Spec
		Node, Files  string
		Distribution Distribution
		Content      any
		Secure       int `json:",omitempty"`
	}{Editions: [...]int{treeEdition, packageEdition, programEdition, ownEdition, containerEdition, bundleEdition, dataEdition, imageEdition},
		Spec: b.spec, Distribution: b.distro}
	if b.spec.Node != "" {
		if in.Node, err = digestFile(b.spec.Node); err != nil {
			return "", err
		}
	}
	if in.Files, err = digestTree(files); err != nil {
		return "", err
	}
	in.Spec.Node = ""
	if b.spec.SignedBy != "" {
		in.Secure = secureEdition
	}
	if b.spec.Bundle != nil {
		in.Content = []any{"bundle", b.spec.Bundle.Digest(), b.recipe.Containers}
	} else {
		in.Content = b.made()
	}
	return key(in), nil
}

// finished gives the image when these inputs were built before, and
// fs.ErrNotExist when not, or when a part of it was removed.
func (b *builder) finished() (Manifest, error) {
	digest, err := os.ReadFile(filepath.Join(b.cache.path("input", b.inputs), "digest"))
	if err != nil {
		return Manifest{}, err
	}
	m, err := Find(b.cache.dir, string(digest))
	if err != nil {
		return Manifest{}, err
	}
	needed := []string{filepath.Join(m.Dir, FileImage), filepath.Join(m.Dir, FileKernel), filepath.Join(m.Dir, FileInitrd)}
	for _, loader := range loaderFiles() {
		needed = append(needed, filepath.Join(Loaders(b.cache.dir), loader))
	}
	for _, file := range needed {
		if _, err := os.Stat(file); err != nil {
			return Manifest{}, err
		}
	}
	return m, nil
}

// able says whether this host can build: all that is missing at once.
func (b *builder) able() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: files of the system belong to their owners; run it with sudo")
	}
	if packages := Needs(b.spec); len(packages) > 0 {
		missing := command.Missing(slices.Sorted(maps.Keys(programs(b.spec))))
		return fmt.Errorf("programs are missing on this host: %s; next: apt-get install %s",
			strings.Join(missing, ", "), strings.Join(packages, " "))
	}
	return nil
}

// build makes everything, from what changes least to what changes most.
func (b *builder) build(ctx context.Context) (Manifest, error) {
	if b.buildsPrograms() {
		var err error
		if b.compiler, err = gomod.Compiler(ctx); err != nil {
			return Manifest{}, err
		}
	}
	p, err := b.pieces(ctx)
	if err != nil {
		return Manifest{}, err
	}
	return b.image(ctx, p)
}

// buildsPrograms tells whether Go modules are built: a bundle has all of them.
func (b *builder) buildsPrograms() bool { return b.spec.Kubernetes && b.spec.Bundle == nil }
