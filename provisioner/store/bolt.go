package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// The names inside the file.
const (
	bucketSteps = "steps" // step ID to the JSON of its last event
	bucketMeta  = "meta"
	keyVersion  = "version"
)

// Bolt keeps a record in one file, mode 0600. The file is locked while it is
// open, so two runs can't work on one cluster; the lock dies with the process.
type Bolt struct{ db *bbolt.DB }

// ErrLocked says that another run has the record open.
var ErrLocked = errors.New("another ra2-deploy works on this cluster")

// OpenBolt opens or creates the record at path and its directory (0700).
func OpenBolt(path string) (*Bolt, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the record: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open the record %s: %w; wait for it or end it", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open the record %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{bucketSteps, bucketMeta} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the record %s: %w", path, err), db.Close())
	}
	return &Bolt{db}, nil
}

// Close releases the file.
func (b *Bolt) Close() error { return b.db.Close() }

// Load implements workflow.Store.
func (b *Bolt) Load(context.Context) (step.Record, workflow.Version, error) {
	rec := step.Record{}
	var v workflow.Version
	err := b.db.View(func(tx *bbolt.Tx) error {
		v = version(saved(tx))
		return tx.Bucket([]byte(bucketSteps)).ForEach(func(k, data []byte) error {
			var ev step.Event
			if err := json.Unmarshal(data, &ev); err != nil {
				return fmt.Errorf("step %s: %w", k, err)
			}
			rec[step.ID(k)] = ev
			return nil
		})
	})
	return rec, v, err
}

// Save implements workflow.Store. Only what differs is written.
func (b *Bolt) Save(_ context.Context, rec step.Record, seen workflow.Version) (workflow.Version, error) {
	var v workflow.Version
	err := b.db.Update(func(tx *bbolt.Tx) error {
		n := saved(tx)
		if seen != version(n) {
			return workflow.ErrConflict
		}
		v = version(n + 1)
		if err := tx.Bucket([]byte(bucketMeta)).Put([]byte(keyVersion), []byte(v)); err != nil {
			return err
		}
		return write(tx.Bucket([]byte(bucketSteps)), rec)
	})
	return v, err
}

// saved returns how often the record was saved.
func saved(tx *bbolt.Tx) int {
	n, err := strconv.Atoi(string(tx.Bucket([]byte(bucketMeta)).Get([]byte(keyVersion))))
	if err != nil {
		return 0
	}
	return n
}

// write makes the bucket hold exactly rec.
func write(steps *bbolt.Bucket, rec step.Record) error {
	var gone [][]byte
	err := steps.ForEach(func(k, _ []byte) error {
		if _, ok := rec[step.ID(k)]; !ok {
			gone = append(gone, append([]byte(nil), k...))
		}
		return nil
	})
	for _, k := range gone {
		err = errors.Join(err, steps.Delete(k))
	}
	for id, ev := range rec {
		data, e := json.Marshal(ev)
		if e != nil {
			return fmt.Errorf("step %s: %w", id, e)
		}
		if string(steps.Get([]byte(id))) != string(data) {
			err = errors.Join(err, steps.Put([]byte(id), data))
		}
	}
	return err
}
