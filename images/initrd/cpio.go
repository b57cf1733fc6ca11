package initrd

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// File types of a cpio header's mode (POSIX cpio.h).
const (
	typeDir     = 0o040000
	typeRegular = 0o100000
	typeSymlink = 0o120000
)

// Writer writes an archive in the "new ASCII" cpio format (magic 070701), the
// one that the kernel unpacks (Documentation/driver-api/early-userspace/
// buffer-format.rst). Owner is always root, the time always zero, so that the
// same files give the same bytes. Parent directories must be written first:
// the kernel does not make them.
type Writer struct {
	w   io.Writer
	ino uint32
	n   int64
	err error
}

// NewWriter gives a Writer to w. Close must be called to end the archive.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Dir writes a directory with these permission bits.
func (w *Writer) Dir(name string, perm fs.FileMode) error {
	return w.entry(name, typeDir|uint32(perm.Perm()), 2, nil)
}

// File writes a regular file with these permission bits.
func (w *Writer) File(name string, perm fs.FileMode, data []byte) error {
	return w.entry(name, typeRegular|uint32(perm.Perm()), 1, data)
}

// Symlink writes a symbolic link to target.
func (w *Writer) Symlink(name, target string) error {
	return w.entry(name, typeSymlink|0o777, 1, []byte(target))
}

// Close writes the trailer and fills up to 512 bytes, so that another archive
// may follow (the kernel and iPXE both concatenate).
func (w *Writer) Close() error {
	if err := w.entry("TRAILER!!!", 0, 1, nil); err != nil {
		return err
	}
	return w.pad(512)
}

func (w *Writer) entry(name string, mode uint32, links int, data []byte) error {
	name = strings.TrimPrefix(name, "/")
	switch {
	case w.err != nil:
		return w.err
	case name == "" || strings.ContainsRune(name, 0):
		return fmt.Errorf("cpio: %q is no file name", name)
	case uint64(len(data)) > 1<<32-1:
		return fmt.Errorf("cpio: %s has %d bytes, the format holds 4 GiB", name, len(data))
	}
	w.ino++
	// c_magic, then 13 fields of 8 hex digits: ino, mode, uid, gid, nlink,
	// mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check.
	w.write(fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		w.ino, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name)+1, 0))
	w.write([]byte(name + "\x00"))
	w.pad(4)
	w.write(data)
	return w.pad(4)
}

func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(p)
	w.n += int64(n)
	w.err = err
}

func (w *Writer) pad(to int64) error {
	if rest := w.n % to; rest != 0 {
		w.write(make([]byte, to-rest))
	}
	return w.err
}
