package images

import (
	"errors"
	"fmt"
	"io/fs"
)

// Built gives the image that Build would give, and builds nothing. The error
// is fs.ErrNotExist when it isn't in the cache yet, or was built from other
// inputs.
func Built(s Spec, cacheDir string) (Manifest, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	b, err := newBuilder(s, cacheDir, func(Progress) {})
	if err != nil {
		return Manifest{}, fmt.Errorf("find image: %w", err)
	}
	m, err := b.finished()
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("the image (%s, kernel %s) is not in %s, or was built from other inputs: %w", b.spec.Distribution, b.spec.Kernel, cacheDir, fs.ErrNotExist)
	}
	return m, err
}

// Choose notes that m, which lies in the cache, is the image that s wants:
// Build and Built give it from then on, until an input of s changes. So a run
// finds an image that was made of a bundle.
func Choose(s Spec, cacheDir string, m Manifest) error {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	b, err := newBuilder(s, cacheDir, func(Progress) {})
	if err == nil {
		err = b.note(m.Digest)
	}
	if err != nil {
		return fmt.Errorf("choose image %s: %w", short(m.Digest), err)
	}
	return nil
}
