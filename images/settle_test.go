package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// aStore writes databases like those of a containerd store that was filled
// now, in any order.
func aStore(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{storeMetadata, storeSnapshots, storeUUID} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == storeUUID {
			if err := os.WriteFile(path, fmt.Append(nil, rand.Int64()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rand.Perm(40) {
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := bucketAt(tx, [][]byte{[]byte("v1"), []byte("k8s.io"), []byte("images"), fmt.Append(nil, "image-", i)})
				if err != nil {
					return err
				}
				stamp, err := time.Now().UTC().MarshalBinary()
				if err != nil {
					return err
				}
				for key, value := range map[string][]byte{"createdat": stamp, "updatedat": stamp, "size": {byte(i)}, "empty": {}} {
					if err := b.Put([]byte(key), value); err != nil {
						return err
					}
				}
				return b.SetSequence(uint64(i))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestSettleStore: stores that were filled at different times and in different
// orders are the same bytes, hold what they held, and know no identity.
func TestSettleStore(t *testing.T) {
	first, second := aStore(t), aStore(t)
	for _, root := range []string{first, second} {
		if err := settleStore(root); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(root, storeUUID)); !os.IsNotExist(err) {
			t.Errorf("the identity of the store is still there: %v", err)
		}
	}
	for _, name := range []string{storeMetadata, storeSnapshots} {
		a, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(second, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
	db, err := bbolt.Open(filepath.Join(first, storeMetadata), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("v1")).Bucket([]byte("k8s.io")).Bucket([]byte("images")).Bucket([]byte("image-17"))
		if empty := b.Get([]byte("empty")); b.Sequence() != 17 || !bytes.Equal(b.Get([]byte("size")), []byte{17}) || empty == nil || len(empty) > 0 {
			t.Errorf("image-17 has sequence %d, size %v, empty %v", b.Sequence(), b.Get([]byte("size")), empty)
		}
		var at time.Time
		if err := at.UnmarshalBinary(b.Get([]byte("createdat"))); err != nil || at.Year() != 2026 || at.YearDay() != 1 {
			t.Errorf("it was made at %v, %v", at, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSettleUsage: containerd notes of a snapshot what a file system had given to it
// by then, which is another number each time. What is kept is what its files need.
func TestSettleUsage(t *testing.T) {
	snapshot := [][]byte{[]byte("v1"), []byte("snapshots"), []byte("k8s.io/1/sha256:1")}
	for _, told := range []int64{4096, 1 << 30} {
		root := aStore(t)
		path := filepath.Join(root, storeSnapshots)
		layer := filepath.Join(filepath.Dir(path), "snapshots/300/fs")
		if err := os.MkdirAll(filepath.Join(layer, "usr/bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(layer, "usr/bin/a"), make([]byte, 5000), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(layer, "usr/bin/a"), filepath.Join(layer, "usr/bin/b")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("a", filepath.Join(layer, "usr/bin/c")); err != nil {
			t.Fatal(err)
		}
		inDatabase(t, path, func(tx *bbolt.Tx) error {
			b, err := bucketAt(tx, snapshot)
			if err != nil {
				return err
			}
			return errors.Join(b.Put([]byte("id"), binary.AppendUvarint(nil, 300)), b.Put([]byte("size"), binary.AppendVarint(nil, told)))
		})
		if err := settleStore(root); err != nil {
			t.Fatal(err)
		}
		inDatabase(t, path, func(tx *bbolt.Tx) error {
			b, err := bucketAt(tx, snapshot)
			if err != nil {
				return err
			}
			const want = 3*4096 + 8192 // fs, usr, bin, and one file of two names
			if got, _ := binary.Varint(b.Get([]byte("size"))); got != want {
				t.Errorf("a snapshot of which containerd noted %d has size %d, want %d", told, got, want)
			}
			return nil
		})
	}
}

// inDatabase changes a database.
func inDatabase(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
}
