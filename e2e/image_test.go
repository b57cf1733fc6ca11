package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imageBuilt is what `image build -o json` says of an image.
type imageBuilt struct {
	Digest, Bundle string
	Packages       []string
}

// image builds the image that the inventory wants, or finds it built. line is
// what goes before the program, on the command line.
func (b *bench) image(line []string, args ...string) imageBuilt {
	b.Helper()
	line = append(line, b.program, "image", "build", "-o", "json", b.inventory())
	r := b.must(b.start(append(line, args...)...).wait())
	var m imageBuilt
	if err := json.Unmarshal([]byte(r.out), &m); err != nil {
		b.Fatalf("%s: %v", r, err)
	}
	return m
}

// buildsFromBundle builds once more: of a bundle of the same packages, in an
// empty cache, in a network namespace that has not even loopback. The packages
// alone must give the same bytes; and a byte of one that is flipped must be told
// with the package's name, and nothing be kept.
func (b *bench) buildsFromBundle() {
	first := b.image(nil)
	dir, digest := b.bundle()
	cache := b.scratch("offline")
	offline := []string{"unshare", "--net"}
	again := b.image(offline, "--cache", cache, "--bundle", dir)
	if again.Bundle != digest {
		b.Errorf("the image says that bundle %s is what it was made of, and not %s", again.Bundle, digest)
	}
	switch same := slices.Equal(again.Packages, first.Packages); {
	case same && again.Digest != first.Digest:
		b.Errorf("from the bundle alone: image %s, want %s", again.Digest, first.Digest)
	case !same:
		b.Logf("the mirror moved on since the image was built, which is then another: %v, and now %v", first.Packages, again.Packages)
	}
	for _, want := range []string{"systemd ", "ra2-node 0.0+"} {
		if !strings.Contains(strings.Join(first.Packages, "\n"), "\n"+want) {
			b.Errorf("the manifest lists no package %q", want)
		}
	}
	bad := b.scratch("bad")
	b.must(b.start("cp", "-a", dir, filepath.Join(bad, "bundle")).wait())
	name := b.flip(filepath.Join(bad, "bundle"), "systemd")
	r := b.start(append(offline, b.program, "image", "build", b.inventory(), "--cache", filepath.Join(bad, "cache"), "--bundle", filepath.Join(bad, "bundle"))...).wait()
	if r.code == 0 || !strings.Contains(r.err, name) {
		b.Errorf("a bundle with a flipped byte in %s: %s", name, r)
	}
	for _, kind := range []string{"tree", "images", "tmp"} {
		if left, err := os.ReadDir(filepath.Join(bad, "cache", kind)); err == nil && len(left) > 0 {
			b.Errorf("%s keeps %v", kind, left)
		}
	}
}

// scratch makes a folder that the test's end removes.
func (b *bench) scratch(name string) string {
	b.Helper()
	dir := filepath.Join(filepath.Dir(b.dir), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}

// bundle makes a bundle of what the inventory's image is made of.
func (b *bench) bundle() (dir, digest string) {
	b.Helper()
	dir = filepath.Join(b.scratch("made"), "bundle")
	b.must(b.run("bundle", "create", b.inventory(), dir))
	text, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		b.Fatal(err)
	}
	return dir, fmt.Sprintf("sha256:%x", sha256.Sum256(text))
}

// flip changes a byte in the middle of a package and gives its item's name.
func (b *bench) flip(dir, name string) string {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		b.Fatal(err)
	}
	var list struct {
		Items []struct{ Kind, Name, Version, Digest string }
	}
	if err := json.Unmarshal(text, &list); err != nil {
		b.Fatal(err)
	}
	for _, i := range list.Items {
		if i.Kind != "deb" || i.Name != name {
			continue
		}
		file := filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(i.Digest, "sha256:"))
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(file, data, 0o644); err != nil {
			b.Fatal(err)
		}
		return i.Name + " " + i.Version
	}
	b.Fatalf("the bundle has no package %s", name)
	return ""
}

// A disk that is full while an image is built ends the build with that word,
// and nothing half-written is kept. The disk isn't tight from the start: it is
// the build that fills it.
func TestImageFullDisk(t *testing.T) {
	needsLab(t)
	b := newBench(t, "t-full", "small.yaml", "host-a", host)
	dir, _ := b.bundle()
	full := b.scratch("full")
	b.must(b.start("mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", full).wait())
	t.Cleanup(func() { b.must(b.start("umount", full).wait()) })
	r := b.run("image", "build", b.inventory(), "--cache", full, "--bundle", dir)
	if r.code == 0 || !strings.Contains(r.err, "the disk of "+full+" is full") {
		t.Errorf("%s", r)
	}
	for _, what := range []string{"tree/*", "images/*", "tmp/*", "loaders/.*"} {
		if left, err := filepath.Glob(filepath.Join(full, what)); err != nil || len(left) > 0 {
			t.Errorf("kept: %v, %v", left, err)
		}
	}
}
