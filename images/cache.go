package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultCache is the folder where images are kept when the user names none.
const DefaultCache = "/var/cache/ra2-deploy"

// cache is a folder of results, each addressed by all that it was made from:
// <kind>/<key>. A result appears whole or not at all.
type cache struct{ dir string }

// key addresses a result by its inputs, which must be plain data.
func key(inputs any) string {
	text, err := json.Marshal(inputs)
	if err != nil {
		panic("images: inputs that can't be JSON: " + err.Error()) // no user input gives this
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// short is the part of a digest that names things for people.
func short(digest string) string { return digest[:min(16, len(digest))] }

// has tells whether a result is there.
func (c cache) has(kind, key string) bool {
	_, err := os.Stat(c.path(kind, key))
	return err == nil
}

func (c cache) path(kind, key string) string { return filepath.Join(c.dir, kind, short(key)) }

// make gives the folder of a result. When it isn't there, build fills a
// scratch folder, which becomes the result; after an error nothing is left.
func (c cache) make(kind, key string, build func(dir string) error) (final string, err error) {
	final = c.path(kind, key)
	if c.has(kind, key) {
		return final, nil
	}
	scratch, err := c.scratch(kind)
	if err != nil {
		return "", err
	}
	defer func() { err = discard(scratch, err) }()
	dir := filepath.Join(scratch, "result")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if err := build(dir); err != nil {
		return "", err
	}
	return final, publish(dir, final)
}

// publish moves a finished folder to its place.
func publish(dir, final string) error {
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	return os.Rename(dir, final)
}

// scratch makes a folder for unfinished work, on the same file system.
func (c cache) scratch(kind string) (string, error) {
	tmp := filepath.Join(c.dir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(tmp, kind+"-")
}

// lock waits until no other process builds in this cache, and removes what
// one that died has left. The lock ends with the process.
func (c cache) lock(ctx context.Context, report func(Progress)) (unlock func() error, err error) {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	name := filepath.Join(c.dir, "lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for waited := false; ; waited = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if !waited {
			report(Progress{Doing: "wait for another build in " + c.dir})
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another build in %s: %w", c.dir, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return f.Close, os.RemoveAll(filepath.Join(c.dir, "tmp"))
}

// digestFile gives the sha256 of a file in hex.
func digestFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digestTree gives one digest for all files of fsys with their names.
func digestTree(fsys fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		fmt.Fprintf(h, "%s\x00%d\x00", name, len(data))
		h.Write(data)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
