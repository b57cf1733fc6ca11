package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Find gives the bundle at path, a directory or an exported file, checked as
// Verify does. An exported file is imported into cacheDir first, by its digest,
// unless it is there already.
func Find(ctx context.Context, path, cacheDir string, key *Verifier, tell func(Progress)) (Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Bundle{}, fmt.Errorf("find bundle: %w", err)
	}
	if info.IsDir() {
		c, err := Verify(ctx, path, key, tell)
		return c.Bundle, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Bundle{}, fmt.Errorf("find bundle: %w", err)
	}
	defer f.Close()
	digest, err := peek(ctx, f, key)
	if err != nil {
		return Bundle{}, fmt.Errorf("find bundle %s: %w", path, err)
	}
	all := filepath.Join(cacheDir, "bundles")
	if err := os.MkdirAll(all, 0o755); err != nil {
		return Bundle{}, fmt.Errorf("find bundle: %w", err)
	}
	dir := filepath.Join(all, digest.Hex())
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		b, err := Import(ctx, f, dir, key, tell)
		if !errors.Is(err, fs.ErrExist) {
			return b, err
		} // another process was faster
	}
	c, err := Verify(ctx, dir, nil, tell) // the signature was that of the file
	return c.Bundle, err
}

// peek reads the list at the head of an exported file, checks its signature, and
// goes back to the beginning.
func peek(ctx context.Context, f *os.File, key *Verifier) (Digest, error) {
	r := newReceiver(ctx, f, &nowhere{}, key, meter{})
	b, _, err := r.head()
	if err != nil {
		return "", r.bad(err)
	}
	sum := sha256.Sum256(b.text)
	_, err = f.Seek(0, io.SeekStart)
	return digestOf(sum[:]), err
}
