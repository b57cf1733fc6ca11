package images

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// TestBuild builds a whole image without Kubernetes: a minute, root, network.
func TestBuild(t *testing.T) {
	if os.Getenv("RA2_IMAGES") == "" || os.Geteuid() != 0 {
		t.Skip("needs root and the network: run sudo RA2_IMAGES=1 go test ./images -run TestBuild")
	}
	if missing := Needs(Spec{}); len(missing) > 0 {
		t.Skipf("needs packages: apt-get install %s", strings.Join(missing, " "))
	}
	s, dir := Spec{Node: node(t, "#!/bin/true\n")}, t.TempDir()
	m, err := Build(t.Context(), s, dir, func(p Progress) { t.Log(p) })
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := digestFile(filepath.Join(m.Dir, FileImage)); err != nil || digest != m.CompressedDigest {
		t.Errorf("compressed digest %s, manifest says %s, %v", digest, m.CompressedDigest, err)
	}
	raw := unpack(t, m)
	if digest, err := digestFile(raw); err != nil || digest != m.Digest {
		t.Errorf("digest %s, manifest says %s, %v", digest, m.Digest, err)
	}
	if out, err := exec.Command("sfdisk", "--verify", raw).CombinedOutput(); err != nil {
		t.Errorf("sfdisk: %v: %s", err, out)
	}
	start := time.Now()
	again, err := Build(t.Context(), s, dir, func(p Progress) { t.Errorf("the second build works: %s", p) })
	if took := time.Since(start); err != nil || again.Digest != m.Digest || took > time.Second {
		t.Errorf("second build: %s after %s, %v", again.Digest, took, err)
	}
}

func unpack(t *testing.T, m Manifest) string {
	t.Helper()
	in, err := os.Open(filepath.Join(m.Dir, FileImage))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := zstd.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "disk.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if n, err := io.Copy(out, r); err != nil || n != m.RawBytes {
		t.Fatalf("%d bytes, manifest says %d, %v", n, m.RawBytes, err)
	}
	return out.Name()
}
