package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
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
// databases are written anew with the time of the image in place of their own,
// and what snapshots need in place of what they took.
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
	for name, settle := range map[string]settler{storeMetadata: stamped(stamp), storeSnapshots: measured(filepath.Dir(filepath.Join(root, storeSnapshots)), stamped(stamp))} {
		if err := settleDatabase(filepath.Join(root, name), settle); err != nil {
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

// settler gives the value that a key of a bucket has in each store.
type settler func(b *bbolt.Bucket, key, value []byte) ([]byte, error)

// stamped puts the time of the image in the place of all others.
func stamped(stamp []byte) settler {
	return func(_ *bbolt.Bucket, key, value []byte) ([]byte, error) {
		if bytes.Equal(key, []byte("createdat")) || bytes.Equal(key, []byte("updatedat")) {
			return stamp, nil
		}
		return value, nil
	}
}

// measured puts in place of a snapshot's size, which containerd reads from the blocks
// that this host's file system had given to it when it looked, what its files
// need. A file system that gives blocks late makes it differ from run to run. The
// forms of "id" and "size" are those of containerd's core/snapshots/storage.
func measured(dir string, otherwise settler) settler {
	return func(b *bbolt.Bucket, key, value []byte) ([]byte, error) {
		id := b.Get([]byte("id"))
		if id == nil || !bytes.Equal(key, []byte("size")) {
			return otherwise(b, key, value)
		}
		number, n := binary.Uvarint(id)
		if n <= 0 {
			return nil, fmt.Errorf("a snapshot with the id % x", id)
		}
		size, err := occupied(filepath.Join(dir, "snapshots", strconv.FormatUint(number, 10), "fs"))
		return binary.AppendVarint(nil, size), err
	}
}

// occupied tells what the files and folders below dir take in blocks of 4 KiB, those
// with several names once.
func occupied(dir string) (int64, error) {
	const block = 4096
	var size int64
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if is, ok := info.Sys().(*syscall.Stat_t); ok && d.Type().IsRegular() {
			if seen[is.Ino] {
				return nil
			}
			seen[is.Ino] = true
		}
		if d.IsDir() {
			size += block
			return nil
		}
		size += (info.Size() + block - 1) / block * block
		return nil
	})
	return size, err
}

// settleDatabase writes a bbolt database anew.
func settleDatabase(path string, settle settler) error {
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
		return from.ForEach(func(name []byte, b *bbolt.Bucket) error { return copyBucket(next, [][]byte{name}, b, settle) })
	})
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return errors.Join(err, os.Remove(scratch))
	}
	return os.Rename(scratch, path)
}

// copyBucket copies a bucket and those in it, each in a transaction of its
// own: bbolt writes the buckets that one transaction touched in the order of a
// map, and the pages of the file would be in another order each time.
func copyBucket(to *bbolt.DB, path [][]byte, from *bbolt.Bucket, settle settler) error {
	err := to.Update(func(tx *bbolt.Tx) error {
		b, err := bucketAt(tx, path)
		if err != nil {
			return err
		}
		if err := b.SetSequence(from.Sequence()); err != nil {
			return err
		}
		return from.ForEach(func(key, value []byte) error {
			if value == nil {
				return nil // a bucket
			}
			settled, err := settle(from, key, value)
			if err != nil {
				return err
			}
			return b.Put(key, settled)
		})
	})
	if err != nil {
		return err
	}
	return from.ForEachBucket(func(name []byte) error {
		inner := append(append([][]byte{}, path...), name)
		return copyBucket(to, inner, from.Bucket(name), settle)
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
