package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"archive/tar"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func pause(t *testing.T) v1.Image {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(program, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	image, err := Image{Name: "registry.k8s.io/pause:3.10.2", Files: map[string]string{"/usr/local/bin/pause": program}, Entrypoint: []string{"pause"}}.Build()
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestIsAnImage(t *testing.T) {
	image := pause(t)
	if err := whole(image); err != nil {
		t.Error(err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Architecture != "amd64" || strings.Join(config.Config.Entrypoint, " ") != "pause" {
		t.Errorf("config: %+v, %v", config, err)
	}
	m, err := image.Manifest()
	if err != nil || m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON || m.Layers[0].MediaType != types.OCILayerZStd {
		t.Errorf("it is no OCI image: %+v, %v", m, err)
	}
	first, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pause(t).Digest(); err != nil || again != first {
		t.Errorf("the same files gave %s and %s, %v", first, again, err)
	}
}

// whole reads all layers and compares them with what manifest and configuration
// say. (The validator of go-containerregistry knows gzip only.)
func whole(image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		for _, part := range []struct {
			name string
			open func() (io.ReadCloser, error)
			want func() (v1.Hash, error)
		}{{"packed", l.Compressed, l.Digest}, {"unpacked", l.Uncompressed, l.DiffID}} {
			r, err := part.open()
			if err != nil {
				return err
			}
			got, _, err := v1.SHA256(r)
			if err = errors.Join(err, r.Close()); err != nil {
				return err
			}
			if want, err := part.want(); err != nil || got != want {
				return fmt.Errorf("%s: %s, want %s, %w", part.name, got, want, err)
			}
		}
	}
	return nil
}

func TestLayer(t *testing.T) {
	layers, err := pause(t).Layers()
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
	if _, err := (Image{Name: "pause"}).Build(); err == nil {
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
