package images

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/klauspost/compress/zstd"

	"github.com/ra2-deploy/ra2-deploy/images/disk"
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
	checkPartitions(t, raw)
	start := time.Now()
	again, err := Build(t.Context(), s, dir, func(p Progress) { t.Errorf("the second build works: %s", p) })
	if took := time.Since(start); err != nil || again.Digest != m.Digest || took > time.Second {
		t.Errorf("second build: %s after %s, %v", again.Digest, took, err)
	}
}

// checkPartitions reads the table with another implementation and looks for
// each file system's magic number.
func checkPartitions(t *testing.T, raw string) {
	t.Helper()
	f, err := os.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, disk.Sector, disk.Sector)
	if err != nil {
		t.Fatal(err)
	}
	magic := map[string]struct {
		at    int64
		bytes string
	}{
		disk.NameESP:    {510, "\x55\xaa"},
		disk.NameConfig: {0, "\x00\x00\x00\x00\x00\x00\x00\x00"}, // the installer's to write
		disk.NameRoot:   {1024, "\xe2\xe1\xf5\xe0"},              // Linux, fs/erofs/erofs_fs.h
		disk.NameData:   {1080, "\x53\xef"},                      // Linux, fs/ext4/ext4.h
	}
	for _, p := range table.Partitions[:len(magic)] {
		want := magic[p.Name]
		got := make([]byte, len(want.bytes))
		if _, err := f.ReadAt(got, int64(p.Start)*disk.Sector+want.at); err != nil || string(got) != want.bytes || want.bytes == "" {
			t.Errorf("partition %q: %x at %d, want %x, %v", p.Name, got, want.at, want.bytes, err)
		}
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
