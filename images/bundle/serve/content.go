package serve

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// Content is a bundle as far as it is served.
type Content interface {
	// Items returns everything in the bundle, sorted.
	Items() []bundle.Item
	// Open opens what has this digest: an item's content, or a layer or
	// configuration of a container image. The error is fs.ErrNotExist when the
	// bundle has no such content. Nothing is checked.
	Open(d bundle.Digest) (Blob, error)
}

// Blob is opened content.
type Blob struct {
	io.ReadSeeker
	io.Closer
	// State changes when somebody writes to the file that holds the content:
	// what was checked under one state is checked again under another.
	State State
}

// State is what a file system tells of a file's content.
type State struct {
	Size              int64
	Modified, Changed int64 // mtime, which anybody can set, and ctime, which nobody can; nanoseconds since 1970
}

func stateOf(info fs.FileInfo) State {
	s := State{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Changed = sys.Ctim.Nano()
	}
	return s
}

// Directory is a bundle in a directory.
type Directory struct{ bundle.Bundle }

// Open implements Content.
func (d Directory) Open(digest bundle.Digest) (Blob, error) {
	f, err := os.Open(filepath.Join(d.Dir(), "blobs", "sha256", digest.Hex()))
	if err != nil {
		return Blob{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file: %w", f.Name(), fs.ErrInvalid)
	}
	if err != nil {
		_ = f.Close()
		return Blob{}, err
	}
	return Blob{f, f, stateOf(info)}, nil
}
