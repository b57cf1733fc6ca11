package source

import (
	"errors"
	"io"
	"log"
	"math/rand"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// newRegistry serves a real registry, in memory.
func newRegistry(t *testing.T) (host string) {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// image returns one for an architecture; another for each number.
func image(t *testing.T, arch string, n int64) v1.Image {
	t.Helper()
	i, err := random.Image(1000, 2, random.WithSource(rand.NewSource(n)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := i.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", arch
	if i, err = mutate.ConfigFile(i, c); err != nil {
		t.Fatal(err)
	}
	return i
}

// pushed pushes an index of two platforms under a tag.
func pushed(t *testing.T, ref string, n int64) (amd64 v1.Image) {
	t.Helper()
	amd64 = image(t, "amd64", n)
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: image(t, "arm64", n+1), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: amd64, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	return amd64
}

func TestRegistry(t *testing.T) {
	host := newRegistry(t)
	want := pushed(t, host+"/pause:3.10.2", 1)
	source := Registry{Images: []string{"registry.k8s.io/pause:3.10.2"}, From: map[string]string{"registry.k8s.io": host}}
	locked, err := source.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := want.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(locked) != 1 || string(locked[0].Digest) != digest.String() || locked[0].Source != "oci:registry.k8s.io/pause@"+digest.String() {
		t.Fatalf("%+v", locked)
	}
	pushed(t, host+"/pause:3.10.2", 3) // the tag moves, the lock doesn't
	b, err := filled(t, locked, source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Image(b.Items()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
}

func TestRegistryGone(t *testing.T) {
	old, host := newRegistry(t), newRegistry(t)
	pushed(t, old+"/pause:3.10.2", 1)
	source := Registry{Images: []string{"registry.k8s.io/pause:3.10.2"}, From: map[string]string{"registry.k8s.io": old}}
	locked, err := source.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := pushed(t, host+"/pause:3.10.2", 5)
	digest, err := now.Digest()
	if err != nil {
		t.Fatal(err)
	}
	source.From["registry.k8s.io"] = host
	_, err = filled(t, locked, source)
	if !errors.As(err, new(*bundle.Gone)) || !strings.Contains(err.Error(), "image registry.k8s.io/pause:3.10.2 is gone") ||
		!strings.Contains(err.Error(), "its tag names "+digest.String()+" now") {
		t.Errorf("got %v", err)
	}
}

func TestRegistryUnknown(t *testing.T) {
	host := newRegistry(t)
	_, err := Registry{Images: []string{host + "/a:1", host + "/b:1", "pause"}}.Resolve(t.Context())
	for _, want := range []string{"resolve image " + host + "/a:1", "resolve image " + host + "/b:1", "resolve image pause: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestFiles(t *testing.T) {
	files := Files{"ra2-node": "files_test.data", "loader/a": "doc.go"}
	if _, err := files.Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "file ra2-node: ") {
		t.Errorf("a file that isn't there: %v", err)
	}
	files["ra2-node"] = "files.go"
	items, err := files.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := filled(t, items, files)
	if err != nil || len(b.Items()) != 2 {
		t.Errorf("%v, %v", b.Items(), err)
	}
	items[0].Digest = items[1].Digest // the file was changed since
	if _, err := filled(t, items, files); !errors.As(err, new(*bundle.Mismatch)) {
		t.Errorf("got %v", err)
	}
}
