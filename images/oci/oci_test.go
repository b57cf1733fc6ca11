package oci

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"archive/tar"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func archive(t *testing.T) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(program, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	image := Image{Name: "registry.k8s.io/pause:3.10.2", Files: map[string]string{"/usr/local/bin/pause": program}, Entrypoint: []string{"pause"}}
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, archive []byte) v1.Image {
	t.Helper()
	tag, err := name.NewTag("registry.k8s.io/pause:3.10.2")
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, &tag)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestArchiveIsAnImage(t *testing.T) {
	a := archive(t)
	image := read(t, a)
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Architecture != "amd64" || strings.Join(config.Config.Entrypoint, " ") != "pause" {
		t.Errorf("config: %+v, %v", config, err)
	}
	if !bytes.Equal(a, archive(t)) {
		t.Error("the same files gave other bytes")
	}
}

func TestLayer(t *testing.T) {
	layers, err := read(t, archive(t)).Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	// "At the end of the archive file there are two 512-byte blocks filled with
	// binary zeros" (GNU tar manual, Basic Tar Format); Go's reader does without.
	if !bytes.HasSuffix(text, make([]byte, 1024)) {
		t.Error("the archive has no end")
	}
	seen := map[string]int64{}
	for tr := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if dir := filepath.Dir(strings.TrimSuffix(h.Name, "/")); dir != "." && seen[dir+"/"] == 0 {
			t.Errorf("%s comes before its folder", h.Name)
		}
		seen[h.Name] = h.Mode
	}
	if seen["usr/local/bin/pause"] != 0o755 || seen["tmp/"] != 0o1777 || seen["etc/passwd"] != 0o644 {
		t.Errorf("modes: %v", seen)
	}
}

func TestNameNeedsTag(t *testing.T) {
	if err := (Image{Name: "pause"}).Write(io.Discard); err == nil {
		t.Error("a name without registry and tag is taken")
	}
}

func TestClosureRunsAlone(t *testing.T) {
	const program = "/usr/bin/ls"
	if _, err := os.Stat("/lib64/ld-linux-x86-64.so.2"); err != nil {
		t.Skip("needs a Debian host on amd64")
	}
	files, err := Closure("/", program)
	if err != nil {
		t.Fatal(err)
	}
	if files["/lib64/ld-linux-x86-64.so.2"] == "" || files["/usr/lib/x86_64-linux-gnu/libc.so.6"] == "" {
		t.Errorf("closure: %v", files)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to change the root")
	}
	root := t.TempDir()
	for inside, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, inside)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chroot", root, program, "/").CombinedOutput(); err != nil {
		t.Errorf("alone: %v: %s", err, out)
	}
}

func TestClosureNamesWhatIsMissing(t *testing.T) {
	if _, err := Closure(t.TempDir(), "/usr/sbin/nft"); err == nil || !strings.Contains(err.Error(), "/usr/sbin/nft") {
		t.Errorf("got %v", err)
	}
}
