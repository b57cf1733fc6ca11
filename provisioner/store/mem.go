// Package store keeps records: in memory for tests, in a file beside the
// inventory for people.
package store

import (
	"context"
	"strconv"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// Mem keeps a record in memory. The zero value is ready to use.
type Mem struct {
	rec step.Record
	n   int
}

// Load implements workflow.Store.
func (m *Mem) Load(context.Context) (step.Record, workflow.Version, error) {
	return m.rec, version(m.n), nil
}

// Save implements workflow.Store.
func (m *Mem) Save(_ context.Context, rec step.Record, seen workflow.Version) (workflow.Version, error) {
	if seen != version(m.n) {
		return "", workflow.ErrConflict
	}
	m.rec, m.n = rec, m.n+1
	return version(m.n), nil
}

func version(n int) workflow.Version { return workflow.Version(strconv.Itoa(n)) }
