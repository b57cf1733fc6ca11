package bundle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// stage is a scratch directory that becomes a bundle at its place, whole, or is
// removed. It lies beside that place and is locked as long as its process lives.
type stage struct {
	dir, final string
	lock       *os.File
	through    func(io.Writer) io.Writer // what blobs are written through; tests fill the disk here
	wrote      func(n int)               // counts what is written to blobs; called from several goroutines
}

// newStage makes the scratch directory of a bundle that shall be at final, where
// nothing may be yet. What a killed process has left there is removed.
func newStage(final string) (*stage, error) {
	final, err := filepath.Abs(final)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(final); err == nil {
		return nil, fmt.Errorf("%s: %w: remove it, or name another place", final, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pattern := filepath.Join(filepath.Dir(final), "."+filepath.Base(final)+".partial-")
	if err := removeDead(pattern); err != nil {
		return nil, err
	}
	for {
		s, err := lockedDir(pattern, final)
		if err != nil || s != nil {
			return s, err
		}
	}
}

// lockedDir makes and locks a directory. It gives nothing when another process
// took it for a dead one before it was locked.
func lockedDir(pattern, final string) (*stage, error) {
	dir, err := os.MkdirTemp(filepath.Dir(pattern), filepath.Base(pattern))
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil || lock == nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &stage{dir: dir, final: final, lock: lock, through: func(w io.Writer) io.Writer { return w }, wrote: func(int) {}}
	if err := errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(dir, dirBlobs), 0o755)); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// lockDir locks a directory until the file is closed or the process ends, or
// gives nil when another process has it locked, or has removed it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return nil, err
}

// removeDead removes scratch directories whose processes are gone.
func removeDead(pattern string) error {
	left, err := filepath.Glob(quote(pattern) + "*")
	if err != nil {
		return err
	}
	for _, dir := range left {
		lock, err := lockDir(dir)
		if err != nil {
			return err
		}
		if lock == nil {
			continue // at work
		}
		err = os.RemoveAll(dir)
		lock.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// quote makes a path a pattern that matches only itself.
func quote(path string) string {
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

// blob keeps what r gives under its digest, and returns that and its length.
// When want is not empty, other content is refused; so is another size, unless
// it is negative.
func (s *stage) blob(r io.Reader, want Digest, size int64) (Digest, int64, error) {
	f, err := os.CreateTemp(s.dir, "new-")
	if err != nil {
		return "", 0, err
	}
	defer os.Remove(f.Name()) // when it has its name, there is nothing to remove
	defer f.Close()
	sum := sha256.New()
	if size >= 0 {
		r = io.LimitReader(r, size+1) // what is too long is not written to its end
	}
	n, err := io.CopyBuffer(io.MultiWriter(counted{s.through(f), s.wrote}, sum), r, make([]byte, 256<<10))
	got := digestOf(sum.Sum(nil))
	switch {
	case err != nil:
		return "", n, err
	case size >= 0 && n > size:
		return "", n, fmt.Errorf("it has more than the %d bytes that it should have", size)
	case size >= 0 && n != size:
		return "", n, fmt.Errorf("it has %d bytes and should have %d", n, size)
	case want != "" && got != want:
		return "", n, &Mismatch{Want: want, Got: got}
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return "", n, err
	}
	return got, n, os.Rename(f.Name(), filepath.Join(s.dir, dirBlobs, got.Hex()))
}

// counted is a writer that counts.
type counted struct {
	to    io.Writer
	wrote func(n int)
}

// Write implements io.Writer.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.wrote(n)
	return n, err
}

// Mismatch says that content has another digest than it should have.
type Mismatch struct{ Want, Got Digest }

// Error implements error.
func (m *Mismatch) Error() string {
	return fmt.Sprintf("its digest is %s and should be %s", m.Got, m.Want)
}

// has reports whether the content of a digest is there.
func (s *stage) has(d Digest) bool {
	_, err := os.Stat(filepath.Join(s.dir, dirBlobs, d.Hex()))
	return err == nil
}

// file writes one of the files beside the blobs.
func (s *stage) file(name string, text []byte) error {
	return os.WriteFile(filepath.Join(s.dir, name), text, 0o644)
}

// publish gives the directory its place, once all of it is on the disk: after a
// power cut there is the whole bundle or none.
func (s *stage) publish() error {
	if err := unix.Syncfs(int(s.lock.Fd())); err != nil {
		return fmt.Errorf("write %s to the disk: %w", s.dir, err)
	}
	err := os.Rename(s.dir, s.final)
	if errors.Is(err, syscall.ENOTEMPTY) {
		err = fmt.Errorf("%s: %w: somebody else made it meanwhile", s.final, fs.ErrExist)
	}
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(s.final))
	if err != nil {
		return err
	}
	defer parent.Close()
	s.dir = ""
	return errors.Join(parent.Sync(), s.lock.Close())
}

// discard removes what was not published.
func (s *stage) discard() error {
	if s.dir == "" {
		return nil
	}
	err := os.RemoveAll(s.dir)
	s.dir = ""
	return errors.Join(err, s.lock.Close())
}
