package images

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/source"
)

// A lock pins what is built here by its digest. Other bytes are refused, with
// both digests and the Go that made them.
func TestLockedModule(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubelet.deb")
	lay(t, file, "package")
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	m := maker{recipe: r, format: "deb", compiler: "go1.26.8"}
	item, err := m.item("kubelet", "1.37.2-1", "go:k8s.io/kubernetes@v1.37.2 h1:x=", file)
	if err != nil {
		t.Fatal(err)
	}
	s := &moduleSource{maker: m, all: []made{{item: item, file: file}}}
	fill := func(i bundle.Item) error {
		w, err := bundle.Create(filepath.Join(t.TempDir(), "bundle"))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		return bundle.Fill(t.Context(), w, []bundle.Item{i}, []bundle.Source{s}, nil)
	}
	if err := fill(item); err != nil {
		t.Error(err)
	}
	other := item
	other.Digest = "sha256:" + bundle.Digest(strings.Repeat("0", 64))
	err = fill(other)
	for _, want := range []string{"deb kubelet 1.37.2-1 is another one here: this ra2-deploy builds it with go1.26.8 to digest " + string(item.Digest), "the lock has sha256:0000", "next: make the lock anew"} {
		if !errors.As(err, new(*bundle.Gone)) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The packages that container images take programs and libraries of are the
// lock's, where it has them: no mirror is asked.
func TestBaseOfTheLock(t *testing.T) {
	debian := func(name string) bundle.Item {
		return bundle.Item{Kind: bundle.Deb, Name: name, Version: "1", Arch: "amd64", Source: "apt:http://deb.debian.org/debian trixie pool/" + name + ".deb"}
	}
	elsewhere := debian("nftables")
	elsewhere.Source = "apt:http://deb.debian.org/debian bookworm pool/nftables.deb"
	apt := source.Apt{Suite: "trixie", Mirror: "http://deb.debian.org/debian", Lines: []string{"deb [signed-by=/nosuch] http://127.0.0.1:1/ trixie main"}, Install: []string{"nftables"}}
	b := &builder{spec: Spec{Locked: []bundle.Item{debian("libc6"), debian("nftables"), elsewhere}}}
	items, err := b.baseItems(t.Context(), apt)
	if err != nil || len(items) != 2 {
		t.Errorf("%v, %v", items, err)
	}
	b.spec.Locked = []bundle.Item{debian("libc6"), elsewhere}
	if _, err := b.baseItems(t.Context(), apt); err == nil {
		t.Error("a lock without them is taken")
	}
}
