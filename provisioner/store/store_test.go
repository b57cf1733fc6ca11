package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/store"
	"github.com/ra2-deploy/ra2-deploy/provisioner/store/storetest"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

func TestMem(t *testing.T) {
	m := &store.Mem{}
	storetest.Run(t, func(*testing.T) workflow.Store { return m })
}

func TestBolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.ra2", "record.db")
	var last *store.Bolt
	storetest.Run(t, func(t *testing.T) workflow.Store {
		if last != nil {
			if err := last.Close(); err != nil {
				t.Fatal(err)
			}
		}
		b, err := store.OpenBolt(path)
		if err != nil {
			t.Fatal(err)
		}
		last = b
		return b
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the record = %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := store.OpenBolt(path); err == nil || !strings.Contains(err.Error(), "another ra2-deploy works on this cluster") {
		t.Errorf("second OpenBolt() error = %v", err)
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
}
