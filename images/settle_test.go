package images

import (
	"bytes"
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
