package mirror_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror"
	"github.com/ra2-deploy/ra2-deploy/images/pack"
)

// The images of the bundle. Two repositories have one path in two registries.
const (
	pauseName  = "registry.k8s.io/pause:3.10.2"
	pauseOlder = "registry.k8s.io/pause:3.9"
	corednsRef = "registry.k8s.io/coredns/coredns:v1.14.6"
	otherPause = "mirror.example:5000/pause:3.10.2"
)

// site is a bundle that is served over TLS.
type site struct {
	testing.TB
	dir    string
	bundle bundle.Bundle
	items  []bundle.Item // of packages
	images map[string]v1.Image
	server *mirror.Server
	web    *httptest.Server
	log    *lines
}

// lines is a log that tests read.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// newSite makes a bundle of images, a file, and these packages in a format, and
// serves it.
func newSite(t testing.TB, f pack.Format, packages ...pack.Package) *site {
	t.Helper()
	s := &site{TB: t, dir: filepath.Join(t.TempDir(), "bundle"), images: map[string]v1.Image{}, log: &lines{}}
	w, err := bundle.Create(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for i, ref := range []string{pauseName, pauseOlder, corednsRef, otherPause} {
		image := anImage(t, 1000+i)
		s.images[ref] = image
		item := bundle.Item{Kind: bundle.Image, Name: ref, Version: tagOf(t, ref), Arch: "amd64", Source: "oci:" + ref}
		if _, err := w.AddImage(item, image); err != nil {
			t.Fatal(err)
		}
	}
	file := bundle.Item{Kind: bundle.File, Name: "loader/snponly.efi", Source: "file:snponly.efi"}
	if _, err := w.AddFile(file, strings.NewReader("a boot loader")); err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		s.add(w, f, p)
	}
	if s.bundle, err = w.Commit(nil); err != nil {
		t.Fatal(err)
	}
	s.open()
	return s
}

// add makes a package and adds it; those without Go modules come from a suite.
func (s *site) add(w *bundle.Writer, f pack.Format, p pack.Package) {
	s.Helper()
	var data bytes.Buffer
	if err := p.Write(&data, f); err != nil {
		s.Fatal(err)
	}
	i := bundle.Item{Kind: bundle.Kind(f), Name: p.Name, Version: p.FullVersion(), Arch: p.Arch, Source: p.Source}
	if f == pack.RPM {
		i.Arch = map[string]string{"amd64": "x86_64", pack.Any: "noarch"}[p.Arch]
	}
	i, err := w.AddFile(i, &data)
	if err != nil {
		s.Fatal(err)
	}
	s.items = append(s.items, i)
}

// anImage returns an image of two layers for linux/amd64.
func anImage(t testing.TB, size int) v1.Image {
	t.Helper()
	image, err := random.Image(int64(size), 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

func tagOf(t testing.TB, ref string) string {
	t.Helper()
	tag, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		t.Fatal(err)
	}
	return tag.TagStr()
}

// open serves what lies in the directory.
func (s *site) open() {
	s.Helper()
	var err error
	if s.server, err = mirror.New(s.bundle, slog.New(slog.NewTextHandler(s.log, nil))); err != nil {
		s.Fatal(err)
	}
	s.web = httptest.NewTLSServer(s.server)
	s.Cleanup(s.web.Close)
}

// ca writes the certificate that clients trust.
func (s *site) ca() string {
	s.Helper()
	path := filepath.Join(s.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.web.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o644); err != nil {
		s.Fatal(err)
	}
	return path
}

// answer is what a request got.
type answer struct {
	code int
	head http.Header
	body string
}

func (s *site) ask(method, path string, header ...string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.web.URL+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.web.Client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// blob is the file of a digest.
func (s *site) blob(digest string) string {
	return filepath.Join(s.dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// flip changes one byte of content in the bundle, as a bad disk does.
func (s *site) flip(digest string, at int64) {
	s.Helper()
	if err := os.Chmod(s.blob(digest), 0o644); err != nil {
		s.Fatal(err)
	}
	f, err := os.OpenFile(s.blob(digest), os.O_RDWR, 0)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		s.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		s.Fatal(err)
	}
}

// manifest returns an image's digest, its manifest and its first layer.
func (s *site) manifest(ref string) (digest, text, layer string) {
	s.Helper()
	raw, err := s.images[ref].RawManifest()
	if err != nil {
		s.Fatal(err)
	}
	m, err := s.images[ref].Manifest()
	if err != nil {
		s.Fatal(err)
	}
	return "sha256:" + hash(string(raw)), string(raw), m.Layers[0].Digest.String()
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
