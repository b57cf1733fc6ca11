package images

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ra2-deploy/ra2-deploy/images/disk"
)

// Files of a containerd store (version 2.x) that depend on when it was filled.
const (
	storeMetadata  = "io.containerd.metadata.v1.bolt/meta.db"
	storeSnapshots = "io.containerd.snapshotter.v1.overlayfs/metadata.db"
	storeUUID      = "io.containerd.grpc.v1.introspection/uuid"
)

// settleStore makes a store that was filled at any time the same bytes: its
// databases are written anew with the time of the image in place of their own.
// The identity that containerd gave itself is removed: it makes one at its next
// start, and nodes must not share it (ra2.os.004).
func settleStore(root string) error {
	epoch, err := imageTime()
	if err != nil {
		return err
	}
	stamp, err := epoch.MarshalBinary()
	if err != nil {
		return err
	}
	for _, name := range []string{storeMetadata, storeSnapshots} {
		if err := settleDatabase(filepath.Join(root, name), stamp); err != nil {
			return fmt.Errorf("settle %s: %w", name, err)
		}
	}
	if err := os.Remove(filepath.Join(root, storeUUID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// imageTime is the time of everything in an image.
func imageTime() (time.Time, error) {
	seconds, err := strconv.ParseInt(disk.Epoch, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// settleDatabase writes a bbolt database anew.
func settleDatabase(path string, stamp []byte) error {
	old, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer old.Close()
	scratch := path + ".new"
	next, err := bbolt.Open(scratch, 0o600, &bbolt.Options{NoSync: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	err = old.View(func(from *bbolt.Tx) error {
		return from.ForEach(func(name []byte, b *bbolt.Bucket) error { return copyBucket(next, [][]byte{name}, b, stamp) })
	})
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return errors.Join(err, os.Remove(scratch))
	}
	return os.Rename(scratch, path)
}

// copyBucket copies a bucket and those in it, each in a transaction of its
// own: bbolt writes the buckets that one transaction touched in the order of a
// map, and the pages of the file would be in another order each time.
func copyBucket(to *bbolt.DB, path [][]byte, from *bbolt.Bucket, stamp []byte) error {
	err := to.Update(func(tx *bbolt.Tx) error {
		b, err := bucketAt(tx, path)
		if err != nil {
			return err
		}
		if err := b.SetSequence(from.Sequence()); err != nil {
			return err
		}
		return from.ForEach(func(key, value []byte) error {
			switch {
			case value == nil:
				return nil // a bucket
			case bytes.Equal(key, []byte("createdat")), bytes.Equal(key, []byte("updatedat")):
				value = stamp
			}
			return b.Put(key, value)
		})
	})
	if err != nil {
		return err
	}
	return from.ForEachBucket(func(name []byte) error {
		inner := append(append([][]byte{}, path...), name)
		return copyBucket(to, inner, from.Bucket(name), stamp)
	})
}

// bucketAt returns the bucket with this path, and makes what is missing.
func bucketAt(tx *bbolt.Tx, path [][]byte) (*bbolt.Bucket, error) {
	b, err := tx.CreateBucketIfNotExists(path[0])
	for _, name := range path[1:] {
		if err != nil {
			return nil, err
		}
		b, err = b.CreateBucketIfNotExists(name)
	}
	return b, err
}
