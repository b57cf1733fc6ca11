package images

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// node makes a file that stands for ra2-node.
func node(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ra2-node")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func inputs(t *testing.T, s Spec) string {
	t.Helper()
	b, err := newBuilder(s, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.inputs
}

func TestInputsKnowWhatMatters(t *testing.T) {
	base := Spec{Node: node(t, "one")}
	k := inputs(t, base)
	if other := inputs(t, Spec{Node: node(t, "one"), Distribution: "debian-13", Kernel: "cloud"}); other != k {
		t.Error("another path or a written default changes the key")
	}
	for what, s := range map[string]Spec{
		"ra2-node":   {Node: node(t, "two")},
		"kernel":     {Node: base.Node, Kernel: "generic"},
		"mirror":     {Node: base.Node, Mirror: "http://mirror.example/debian"},
		"kubernetes": {Node: base.Node, Kubernetes: true},
	} {
		if inputs(t, s) == k {
			t.Errorf("another %s gives the same key", what)
		}
	}
}

func TestAllThatIsWrongAtOnce(t *testing.T) {
	_, err := Build(t.Context(), Spec{Distribution: "minix", Node: "/nowhere/ra2-node"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), `"minix" is not known: use debian-12 or debian-13`) || !strings.Contains(err.Error(), "/nowhere/ra2-node") {
		t.Errorf("got %v", err)
	}
	_, err = Build(t.Context(), Spec{Kernel: "tiny"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "use cloud or generic") || !strings.Contains(err.Error(), "go build ./cmd/ra2-node") {
		t.Errorf("got %v", err)
	}
}

func TestNeedsNamesPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	got := Needs(Spec{Kubernetes: true})
	for _, want := range []string{"apt", "coreutils", "dosfstools", "dpkg", "e2fsprogs", "erofs-utils", "golang-go", "mmdebstrap", "mtools", "syslinux"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not in %v", want, got)
		}
	}
	if slices.Contains(Needs(Spec{}), "golang-go") {
		t.Error("an image without Kubernetes needs no compiler")
	}
}

func TestFinishedIsFoundWithoutPrograms(t *testing.T) {
	s := Spec{Node: node(t, "one"), Kubernetes: true}
	dir := t.TempDir()
	b, err := newBuilder(s, dir, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.cache.scratch("image")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FileImage, FileKernel, FileInitrd} {
		if err := os.WriteFile(filepath.Join(out, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made, err := b.publish(out, Manifest{Digest: strings.Repeat("ab", 32), Inputs: b.inputs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.finished(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("finished without loaders: %v", err)
	}
	for _, name := range loaderFiles() {
		if err := os.MkdirAll(Loaders(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(Loaders(dir), name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	got, err := Build(t.Context(), s, dir, nil)
	if err != nil || got.Digest != made.Digest || got.Dir != made.Dir {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.Remove(filepath.Join(made.Dir, FileKernel)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.finished(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("finished without its kernel: %v", err)
	}
}
