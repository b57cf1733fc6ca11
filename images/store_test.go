package images

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/deb"
)

// built is a bundle that an image was made of on this host, and containerd's
// programs out of it.
func built(t *testing.T) (containerd, ctr string, from bundle.Bundle) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(DefaultCache, "bundle/*/bundle"))
	if err != nil {
		t.Fatal(err)
	}
	d := readRecipe(t).Distributions["debian-13"]
	for _, dir := range dirs {
		from, err := bundle.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(from.Kind(bundle.Image)) == 0 || os.Geteuid() != 0 {
			continue
		}
		c, err := d.choose(from)
		if err != nil {
			continue // of another distribution
		}
		tools := t.TempDir()
		if _, err := (deb.Family{}).Unpack(t.Context(), tools, c.of(c.packages), []string{"containerd", "containerd-ctr"}); err != nil {
			continue
		}
		return filepath.Join(tools, "usr/bin/containerd"), filepath.Join(tools, "usr/bin/ctr"), from
	}
	t.Skipf("runs containerd as root, of a bundle that ra2-deploy image build leaves in %s", DefaultCache)
	return "", "", bundle.Bundle{}
}

// TestStoreTwice: the store of container images has the same bytes each time,
// although containerd collects its garbage when it likes.
func TestStoreTwice(t *testing.T) {
	containerd, ctr, from := built(t)
	var stores [2]map[string]string
	for i := range stores {
		dir := t.TempDir()
		if err := fillStore(t.Context(), containerd, ctr, dir, from, from.Kind(bundle.Image)); err != nil {
			t.Fatal(err)
		}
		stores[i] = digests(t, dir)
	}
	if diff := cmp.Diff(stores[0], stores[1]); diff != "" {
		t.Errorf("-first +second:\n%s", diff)
	}
}

// digests of all files below a folder.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		out[path[len(dir):]] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
