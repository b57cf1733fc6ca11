package images

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// carrier is a bundle that carries one finished image, made of files of this
// test, and the loaders.
func carrier(t *testing.T, m Manifest) bundle.Bundle {
	t.Helper()
	cacheDir := t.TempDir()
	m.Dir = filepath.Join(cacheDir, "images", m.Digest)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{FileImage: "disk", FileKernel: "kernel", FileInitrd: "initrd", FileManifest: string(text), FileSBOM: "{}"}
	for name, text := range files {
		lay(t, filepath.Join(m.Dir, name), text)
	}
	for _, name := range loaderFiles() {
		lay(t, filepath.Join(Loaders(cacheDir), name), "loader "+name)
	}
	finished, err := Files(m, cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	items, err := finished.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := bundle.Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := bundle.Fill(t.Context(), w, items, []bundle.Source{finished}, nil); err != nil {
		t.Fatal(err)
	}
	b, err := w.Commit(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lay(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCarried(t *testing.T) {
	recipe, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.Repeat("ab", 32)
	b := carrier(t, Manifest{Digest: digest, Distribution: "debian-13", Kernel: "generic", KubernetesVersion: recipe.Kubernetes})
	want := Spec{Distribution: "debian-13", Kernel: "generic", Kubernetes: true}
	for name, change := range map[string]func(*Spec){
		"distribution": func(s *Spec) { s.Distribution = "debian-12" },
		"kernel":       func(s *Spec) { s.Kernel = "" },
		"kubernetes":   func(s *Spec) { s.Kubernetes = false },
		"signature":    func(s *Spec) { s.SignedBy = "aa" },
	} {
		other := want
		change(&other)
		if _, err := Carried(b, other, t.TempDir()); !errors.Is(err, ErrNotCarried) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cacheDir := t.TempDir()
	for range 2 { // the second finds it
		m, err := Carried(b, want, cacheDir)
		if err != nil {
			t.Fatal(err)
		}
		if m.Digest != digest || m.Dir != filepath.Join(cacheDir, "images", digest) {
			t.Errorf("%+v", m)
		}
	}
	for name, want := range map[string]string{"images/" + digest + "/" + FileImage: "disk", "images/" + digest + "/" + FileSBOM: "{}", "loaders/snponly.efi": "loader snponly.efi"} {
		if text, err := os.ReadFile(filepath.Join(cacheDir, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if found, err := Find(cacheDir, digest); err != nil || found.Kernel != "generic" {
		t.Errorf("%+v, %v", found, err)
	}
}

// A flipped byte in a bundle that was opened long ago is found, and nothing of
// the image is kept.
func TestCarriedChanged(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	b := carrier(t, Manifest{Digest: digest, Distribution: "debian-13", Kernel: "cloud"})
	i, err := b.Find(bundle.File, carriedImages+digest+"/"+FileKernel)
	if err != nil {
		t.Fatal(err)
	}
	lay(t, b.Path(i), "kerNel")
	cacheDir := t.TempDir()
	_, err = Carried(b, Spec{}, cacheDir)
	if err == nil || !strings.Contains(err.Error(), "file image/"+digest+"/kernel: its digest is sha256:") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(cacheDir, "images", digest)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}
