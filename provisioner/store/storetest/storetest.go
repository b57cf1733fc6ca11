// Package storetest is the test that every store must pass.
package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// Run checks the contract of a store. The function open returns the same
// store again, as a second process would see it.
func Run(t *testing.T, open func(*testing.T) workflow.Store) {
	t.Helper()
	ctx := t.Context()
	rec, empty, err := open(t).Load(ctx)
	if err != nil || len(rec) != 0 {
		t.Fatalf("Load() of a new store = %v, %v; want an empty record", rec, err)
	}
	first := step.Record{}.
		With(step.Event{Step: "a/installed", Host: "a", Status: step.Started, Try: 1, Time: time.Unix(7, 0).UTC()}).
		With(step.Event{Step: "b/installed", Host: "b", Status: step.Done, Note: "zwölf"})
	v1, err := open(t).Save(ctx, first, empty)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t).Save(ctx, first, empty); !errors.Is(err, workflow.ErrConflict) {
		t.Errorf("Save() with an old version: error = %v, want ErrConflict", err)
	}
	got, v, err := open(t).Load(ctx)
	if err != nil || v != v1 {
		t.Fatalf("Load() = version %q, %v; want %q", v, err, v1)
	}
	if d := cmp.Diff(first, got); d != "" {
		t.Errorf("Load() after Save() (-want +got):\n%s", d)
	}
	if _, err := open(t).Save(ctx, step.Record{}, v); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := open(t).Load(ctx); len(got) != 0 {
		t.Errorf("Load() after an empty Save() = %v, want nothing", got)
	}
}
