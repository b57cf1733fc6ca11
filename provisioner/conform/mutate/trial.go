package mutate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Trial is a mutation that was made of something real, and what became of its row.
type Trial struct {
	Row    string          `json:"row"`              // "ra2.k8s.012a"
	Name   string          `json:"name"`             // what was broken
	Was    conform.Verdict `json:"was,omitempty"`    // before
	Is     conform.Verdict `json:"is,omitempty"`     // while it was broken
	Back   conform.Verdict `json:"back,omitempty"`   // after it was mended
	Beside []string        `json:"beside,omitempty"` // rows whose verdict changed with it
	How    string          `json:"how,omitempty"`    // where it needed something of its own: "a server with --runtime-config=…"
	Why    string          `json:"why,omitempty"`    // it can't be made there; the rest is empty
}

// Killed reports whether the verdict was none that stands against the cluster,
// turned to fail, and back; or, of something that fails on the cluster as it is,
// the other way: a repair is a mutation too.
func (t Trial) Killed() bool {
	good := func(v conform.Verdict) bool { return v == conform.Pass || v == conform.NotApplicable }
	return t.Was == t.Back && (good(t.Was) && t.Is == conform.Fail || t.Was == conform.Fail && t.Is == conform.Pass)
}

// Column is what was tried in one place.
type Column struct {
	Place  string            `json:"place"` // "api", "lab"
	Trials []Trial           `json:"trials"`
	Why    map[string]string `json:"why,omitempty"` // rows of which nothing was tried, and why
}

// Keep writes a column into a folder, for who prints the table; nothing where
// nobody wants one.
func (c Column) Keep(dir string) error {
	if dir == "" {
		return nil
	}
	data, err := json.MarshalIndent(c, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, c.Place+".json"), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what was tried: %w", err)
	}
	return nil
}
