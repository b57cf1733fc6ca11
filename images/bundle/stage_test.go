package bundle

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// full is a disk that takes so many bytes more.
type full struct {
	to   io.Writer
	left int
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, syscall.ENOSPC
	}
	f.left -= len(p)
	return f.to.Write(p)
}

func TestCreateLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bundle"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(dir, "bundle")); err == nil || !strings.Contains(err.Error(), "file already exists: remove it") {
		t.Errorf("over a file: %v", err)
	}
	if _, err := Create(filepath.Join(dir, "no", "bundle")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that isn't there: %v", err)
	}
}

// A process that was killed left its scratch directory; one at work has it locked.
func TestWhatTheDeadLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, ".a[b]*.partial-123")
	if err := os.MkdirAll(filepath.Join(dead, dirBlobs), 0o755); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, ".abb.partial-123") // another bundle's, whatever "[b]*" would match
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	first, err := Create(filepath.Join(dir, "a[b]*"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Create(filepath.Join(dir, "a[b]*"))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead one's: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if _, err := first.AddFile(debItem("libc6"), strings.NewReader("x")); err != nil {
		t.Errorf("the one at work was disturbed: %v", err)
	}
	if _, err := first.Commit(nil); err != nil {
		t.Error(err)
	}
	if _, err := second.AddFile(debItem("libc6"), strings.NewReader("y")); err != nil {
		t.Error(err)
	}
	if _, err := second.Commit(nil); err == nil {
		t.Error("the second took the place of the first")
	}
}

func TestFullDiskLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	disk := &full{left: 3000}
	w.stage.through = func(to io.Writer) io.Writer { disk.to = to; return disk }
	var failed error
	for name, text := range sample(t).files {
		if _, err := w.AddFile(sample(t).item(name), strings.NewReader(text)); err != nil {
			failed = err
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error doesn't name %s: %v", name, err)
			}
		}
	}
	if !errors.Is(failed, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", failed)
	}
	if _, err := w.Commit(nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("commit: %v", err)
	}
	w.Close()
	empty(t, dir)
}

// A real file system that is full, in the place of a writer that says so.
func TestFullFileSystemLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs root, to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	w, err := Create(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.AddFile(debItem("libc6"), io.LimitReader(rand.New(rand.NewSource(1)), 1<<20))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "add deb libc6") {
		t.Errorf("create: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	empty(t, dir)

	large := made(t, nil)
	more, err := Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if err := Fill(t.Context(), more, large.Items(), []Source{From(large)}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := more.AddFile(fileItem("large"), io.LimitReader(rand.New(rand.NewSource(2)), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if large, err = more.Commit(nil); err != nil {
		t.Fatal(err)
	}
	_, err = Import(t.Context(), bytes.NewReader(exported(t, large)), filepath.Join(dir, "bundle"), nil, nil)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "file large: ") {
		t.Errorf("import: %v", err)
	}
	empty(t, dir)
}
