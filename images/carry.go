package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/source"
)

// A bundle that carries a finished image has its files as image/<digest>/<file>,
// and the network boot loaders as loader/<file>.
const (
	carriedImages  = "image/"
	carriedLoaders = "loader/"
)

// Files gives a built image and the network boot loaders as files for a bundle.
func Files(m Manifest, cacheDir string) (source.Files, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	all := source.Files{}
	inside, err := os.ReadDir(m.Dir)
	if err != nil {
		return nil, fmt.Errorf("put image %s into a bundle: %w", short(m.Digest), err)
	}
	for _, f := range inside {
		all[carriedImages+m.Digest+"/"+f.Name()] = filepath.Join(m.Dir, f.Name())
	}
	for _, name := range loaderFiles() {
		all[carriedLoaders+name] = filepath.Join(Loaders(cacheDir), name)
	}
	return all, nil
}

// ErrNotCarried says that a bundle has no finished image that would do.
var ErrNotCarried = errors.New("the bundle carries no finished image of this kind")

// Carried gives the finished image that a bundle carries and that s describes,
// put into a cache with the network boot loaders: nothing is built, and root isn't
// needed. Of several it is the first by its digest. The error is ErrNotCarried
// where there is none.
func Carried(b bundle.Bundle, s Spec, cacheDir string) (Manifest, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	recipe, err := ReadRecipe(recipeText)
	if err != nil {
		return Manifest{}, err
	}
	s = s.withDefaults()
	c := cache{cacheDir}
	for _, digest := range carried(b) {
		m, err := readCarried(b, digest)
		if err == nil && !m.is(s, recipe) {
			continue
		}
		if err == nil {
			m, err = c.take(b, digest)
		}
		if err == nil {
			err = c.takeLoaders(b)
		}
		if err != nil {
			return m, fmt.Errorf("take image %s out of bundle %s: %w", short(digest), b.Dir(), err)
		}
		return m, nil
	}
	return Manifest{}, ErrNotCarried
}

// is tells whether the image is of the kind that s describes.
func (m Manifest) is(s Spec, r Recipe) bool {
	kubernetes := ""
	if s.Kubernetes {
		kubernetes = r.Kubernetes
	}
	return m.Distribution == s.Distribution && m.Kernel == s.Kernel && m.KubernetesVersion == kubernetes && m.SignedBy == s.SignedBy
}

// carried gives the digests of the images that a bundle carries.
func carried(b bundle.Bundle) (digests []string) {
	for _, i := range b.Kind(bundle.File) {
		rest, ok := strings.CutPrefix(i.Name, carriedImages)
		if digest, name, _ := strings.Cut(rest, "/"); ok && name == FileManifest {
			digests = append(digests, digest)
		}
	}
	return digests
}

// readCarried reads the manifest of an image in a bundle.
func readCarried(b bundle.Bundle, digest string) (Manifest, error) {
	i, err := b.Find(bundle.File, carriedImages+digest+"/"+FileManifest)
	if err != nil {
		return Manifest{}, err
	}
	text, err := os.ReadFile(b.Path(i))
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", i, err)
	}
	if m.Digest != digest {
		return m, fmt.Errorf("%s: it is of image %s", i, m.Digest)
	}
	return m, nil
}

// take puts one image at its place, whole, unless it is there.
func (c cache) take(b bundle.Bundle, digest string) (_ Manifest, err error) {
	if m, err := Find(c.dir, digest); !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	scratch, err := c.scratch("take")
	if err != nil {
		return Manifest{}, err
	}
	defer func() { err = discard(scratch, err) }()
	for _, i := range b.Kind(bundle.File) {
		name, ok := strings.CutPrefix(i.Name, carriedImages+digest+"/")
		if !ok || strings.Contains(name, "/") {
			continue
		}
		if err := takeFile(b, i, filepath.Join(scratch, name)); err != nil {
			return Manifest{}, err
		}
	}
	if err := os.Chmod(scratch, 0o755); err != nil {
		return Manifest{}, err
	}
	if err := publish(scratch, filepath.Join(c.dir, "images", digest)); err != nil {
		return Manifest{}, err
	}
	return Find(c.dir, digest)
}

func (c cache) takeLoaders(b bundle.Bundle) error {
	to := Loaders(c.dir)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range loaderFiles() {
		scratch := filepath.Join(to, "."+name)
		i, err := b.Find(bundle.File, carriedLoaders+name)
		if err != nil {
			return err
		}
		if err := takeFile(b, i, scratch); err != nil {
			return err
		}
		if err := os.Rename(scratch, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// takeFile copies a file out of a bundle and compares its digest: the bundle may
// have been opened long ago.
func takeFile(b bundle.Bundle, i bundle.Item, to string) error {
	from, err := os.Open(b.Path(i))
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, from); err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	if err := out.Close(); err != nil {
		return err
	}
	if digest, err := digestFile(to); err != nil || digest != i.Digest.Hex() {
		return errors.Join(err, fmt.Errorf("%s: its digest is sha256:%s and should be %s", i, digest, i.Digest))
	}
	return nil
}
