package mirror

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// blob is opened content.
type blob struct {
	io.ReadSeeker
	io.Closer
	// state changes when somebody writes to the file that holds the content:
	// what was checked under one state is checked again under another.
	state state
}

// state is what a file system tells of a file's content.
type state struct {
	size              int64
	modified, changed int64 // mtime, which anybody can set, and ctime, which nobody can; nanoseconds since 1970
}

func stateOf(info fs.FileInfo) state {
	s := state{size: info.Size(), modified: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.changed = sys.Ctim.Nano()
	}
	return s
}

// openBlob opens what has this digest below a bundle: an item's content, or a
// layer or configuration of a container image. Nothing is checked.
func openBlob(dir string, d bundle.Digest) (blob, error) {
	f, err := os.Open(filepath.Join(dir, "blobs", "sha256", d.Hex()))
	if err != nil {
		return blob{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file: %w", f.Name(), fs.ErrInvalid)
	}
	if err != nil {
		_ = f.Close()
		return blob{}, err
	}
	return blob{f, f, stateOf(info)}, nil
}
