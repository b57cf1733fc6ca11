package images

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// built are the programs and archives of an image that was built on this host.
func built(t *testing.T) (containerd, ctr string, archives map[string]string) {
	t.Helper()
	one := func(pattern string) string {
		found, err := filepath.Glob(filepath.Join(DefaultCache, pattern))
		if err != nil || len(found) == 0 || os.Geteuid() != 0 {
			t.Skipf("runs containerd as root, as ra2-deploy image build leaves it in %s", DefaultCache)
		}
		return found[0]
	}
	containerd, ctr = one("program/*/containerd"), one("program/*/ctr")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(one("container/*/image.tar"))), "*/image.tar"))
	if err != nil {
		t.Fatal(err)
	}
	archives = map[string]string{}
	for _, file := range files {
		m, err := tarball.LoadManifest(func() (rc io.ReadCloser, err error) { return os.Open(file) })
		if err != nil || len(m) != 1 || len(m[0].RepoTags) != 1 {
			t.Fatalf("%s: %v, %v", file, m, err)
		}
		archives[m[0].RepoTags[0]] = file
	}
	return containerd, ctr, archives
}

// TestStoreTwice: the store of container images has the same bytes each time,
// although containerd collects its garbage when it likes.
func TestStoreTwice(t *testing.T) {
	containerd, ctr, archives := built(t)
	var stores [2]map[string]string
	for i := range stores {
		dir := t.TempDir()
		if err := fillStore(t.Context(), containerd, ctr, dir, archives); err != nil {
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
