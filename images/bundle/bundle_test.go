package bundle

import (
	"bytes"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// Items of the tests, without the content that they get.
func debItem(name string) Item {
	return Item{Kind: Deb, Name: name, Version: "1:2.3~rc1-4+deb13u1", Arch: "amd64", Source: "apt:http://deb.example/debian trixie pool/main/" + name + ".deb"}
}

func imageItem(name, tag string) Item {
	return Item{Kind: Image, Name: name + ":" + tag, Version: tag, Arch: "amd64", Source: "oci:" + name + ":" + tag}
}

func fileItem(name string) Item { return Item{Kind: File, Name: name, Source: "file:" + name} }

// content is what a bundle of the tests holds.
type content struct {
	files  map[string]string   // name of a package or file to its content
	images map[string]v1.Image // name without tag
}

// sample returns the same content at each call.
func sample(t *testing.T) content {
	t.Helper()
	c := content{map[string]string{}, map[string]v1.Image{}}
	for _, name := range []string{"libc6", "systemd", "loader/snponly.efi", "image/0123/image.raw.zst"} {
		c.files[name] = strings.Repeat("content of "+name+"\n", 100)
	}
	for n, name := range []string{"registry.k8s.io/pause", "ghcr.io/flannel-io/flannel"} {
		image, err := random.Image(1000, 2, random.WithSource(rand.NewSource(int64(n))))
		if err != nil {
			t.Fatal(err)
		}
		c.images[name] = forPlatform(t, image, "amd64")
	}
	return c
}

// forPlatform returns the image with this architecture in its configuration.
func forPlatform(t *testing.T, image v1.Image, arch string) v1.Image {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// item returns what names a file.
func (c content) item(name string) Item {
	if strings.Contains(name, "/") {
		return fileItem(name)
	}
	return debItem(name)
}

// write adds the content in the order of a Go map, which is never the same.
func (c content) write(t *testing.T, w *Writer) {
	t.Helper()
	for name, text := range c.files {
		if _, err := w.AddFile(c.item(name), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	for name, image := range c.images {
		if _, err := w.AddImage(imageItem(name, "v1"), image); err != nil {
			t.Fatal(err)
		}
	}
}

// made writes the sample to a directory.
func made(t *testing.T, sign func([]byte) ([]byte, error)) Bundle {
	t.Helper()
	w, err := Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	sample(t).write(t, w)
	b, err := w.Commit(sign)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tree reads all files below a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// empty wants that nothing but these is in a directory.
func empty(t *testing.T, dir string, but ...string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if !strings.Contains(strings.Join(but, "\n"), e.Name()) {
			t.Errorf("%s is left in %s", e.Name(), dir)
		}
	}
}

func TestWrittenIsRead(t *testing.T) {
	wrote := made(t, nil)
	b, err := Open(wrote.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if b.Digest() != wrote.Digest() || len(b.Items()) != 6 {
		t.Errorf("read %s with %d items, wrote %s", b.Digest(), len(b.Items()), wrote.Digest())
	}
	c := sample(t)
	for _, i := range b.Items() {
		if i.Kind == Image {
			continue
		}
		text, err := os.ReadFile(b.Path(i))
		if err != nil || string(text) != c.files[i.Name] || int64(len(text)) != i.Size {
			t.Errorf("%s: %d bytes, %v", i, len(text), err)
		}
	}
	empty(t, filepath.Dir(b.Dir()), "bundle")
}

// "The image layout is ... a valid OCI image layout": another reader than ours
// takes the images by the names that the index gives them.
func TestImagesAreALayout(t *testing.T) {
	b := made(t, nil)
	index, err := layout.ImageIndexFromPath(b.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range m.Manifests {
		names = append(names, d.Annotations["org.opencontainers.image.ref.name"])
	}
	if got := strings.Join(names, " "); got != "ghcr.io/flannel-io/flannel:v1 registry.k8s.io/pause:v1" {
		t.Errorf("the index names %s", got)
	}
	for name, image := range sample(t).images {
		i, err := b.Find(Image, name+":v1")
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := image.Digest()
		if err != nil || string(i.Digest) != want.String() {
			t.Errorf("%s is %s, want %s (%v)", name, i.Digest, want, err)
		}
		if err := validate.Image(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameContentSameBytes(t *testing.T) {
	a, b := tree(t, made(t, nil).Dir()), tree(t, made(t, nil).Dir())
	if len(a) != len(b) {
		t.Errorf("%d and %d files", len(a), len(b))
	}
	for name, text := range a {
		if b[name] != text {
			t.Errorf("%s differs", name)
		}
	}
}

func TestWrongContentIsRefused(t *testing.T) {
	right := debItem("libc6")
	right.Digest, right.Size = "sha256:"+Digest(strings.Repeat("0", 64)), 5
	for name, c := range map[string]struct{ text, want string }{
		"other": {"other", "its digest is sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa and should be sha256:0000"},
		"short": {"oth", "it has 3 bytes and should have 5"},
		"long":  {"others", "it has more than the 5 bytes"},
	} {
		dir := t.TempDir()
		w, err := Create(filepath.Join(dir, "bundle"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.AddFile(right, strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "deb libc6") {
			t.Errorf("%s: %v", name, err)
		}
		// What failed isn't forgotten by who goes on.
		if _, err := w.Commit(nil); err == nil {
			t.Errorf("%s: a bundle was made all the same", name)
		}
		w.Close()
		empty(t, dir)
	}
}

func TestImageOfAnotherPlatformIsRefused(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	image := forPlatform(t, sample(t).images["registry.k8s.io/pause"], "arm64")
	if _, err := w.AddImage(imageItem("registry.k8s.io/pause", "v1"), image); err == nil || !strings.Contains(err.Error(), "it is for linux/arm64, not linux/amd64") {
		t.Errorf("got %v", err)
	}
}

func TestDuplicatesAreOneOrRefused(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 2 {
		if _, err := w.AddFile(debItem("libc6"), bytes.NewReader([]byte("same"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.AddFile(debItem("libc6"), bytes.NewReader([]byte("other"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(nil); err == nil || !strings.Contains(err.Error(), `"deb libc6 1:2.3~rc1-4+deb13u1" is there twice`) {
		t.Errorf("two contents for one item: %v", err)
	}
}
