package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// settle makes a system that was installed at any time the same bytes, and its
// database one that can be read where nothing can be written.
func (f Family) settle(dir string) error {
	for _, pattern := range []string{"var/log/dnf*", "var/log/hawkey.log", "var/cache/ldconfig/*", "var/cache/dnf", "var/lib/dnf", "dev/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range found {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		}
	}
	database := filepath.Join(dir, f.Database)
	if err := settleSQLite(filepath.Join(database, "rpmdb.sqlite")); err != nil {
		return fmt.Errorf("settle the rpm database: %w", err)
	}
	return remove(filepath.Join(database, ".rpm.lock"))
}

// settleSQLite ends the write-ahead log of a database that nobody has open: with
// it, readers need files beside the database that they can write. Everything
// that the log held is in the database once the last writer closed it; the two
// bytes say how to open it ("File format version numbers", SQLite file format
// 1.3.3: 2 is WAL, 1 is the rollback journal).
func settleSQLite(file string) error {
	if info, err := os.Stat(file + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s-wal has %d bytes: a writer ended without closing it", file, info.Size())
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return fmt.Errorf("%s is no SQLite database", file)
	}
	if _, err := f.WriteAt([]byte{1, 1}, 18); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return errors.Join(remove(file+"-wal"), remove(file+"-shm"))
}

// remove removes a file that may be missing.
func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
