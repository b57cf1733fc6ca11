package initramfs

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// newc writes an archive of files and directories ("name/").
func newc(files ...string) []byte {
	var b bytes.Buffer
	put := func(name string, mode int, data string) {
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		b.WriteString(name + "\x00")
		b.Write(make([]byte, align(b.Len())-b.Len()))
		b.WriteString(data)
		b.Write(make([]byte, align(b.Len())-b.Len()))
	}
	for _, f := range files {
		name, data, isFile := strings.Cut(f, "=")
		if isFile {
			put(name, 0o100644, data)
		} else {
			put(strings.TrimSuffix(name, "/"), 0o040755, "")
		}
	}
	put(trailer, 0, "")
	return b.Bytes()
}

func zipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, plain []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(plain, nil)
}

// An initramfs is archives one after the other, in any compression, with zeros
// between them (buffer-format.rst).
func TestUnpack(t *testing.T) {
	var image []byte
	image = append(image, newc("early/", "early/microcode=m")...)
	image = append(image, make([]byte, 512)...)
	image = append(image, zstded(t, newc("init="+strings.Repeat("x", 300_000), "etc/", "etc/a=1"))...)
	image = append(image, zipped(t, newc("etc/a=2"))...)
	image = append(image, 0, 0, 0)
	image = append(image, newc("ra2/ticket=secret")...)
	dir := t.TempDir()
	if err := Unpack(image, dir); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"early/microcode": 1, "init": 300_000, "etc/a": 1, "ra2/ticket": 6} {
		b, err := os.ReadFile(dir + "/" + name)
		if err != nil || len(b) != size {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(b), err, size)
		}
	}
	if b, _ := os.ReadFile(dir + "/etc/a"); string(b) != "2" {
		t.Errorf("etc/a is %q: the later archive should win", b)
	}
}

func TestRefused(t *testing.T) {
	good := newc("a=b")
	for name, image := range map[string][]byte{
		"rubbish":     []byte("rubbish"),
		"no trailer":  good[:len(good)-140],
		"cut zstd":    zstded(t, good)[:20],
		"cut header":  good[:50],
		"wrong magic": []byte("070707" + strings.Repeat("0", 200)),
	} {
		if err := Unpack(image, t.TempDir()); err == nil {
			t.Errorf("%s was unpacked", name)
		}
	}
}

// No entry leaves the root.
func TestStaysInside(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/root", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(newc("../../escape=1"), dir+"/root"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + "/escape"); err == nil {
		t.Error("a file was written outside of the root")
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(newc("a=b", "c/"))
	f.Add(zipped(f, newc("a=b")))
	f.Add(zstded(f, newc("a=b")))
	f.Fuzz(func(_ *testing.T, image []byte) {
		_ = Walk(image, func(File) error { return nil })
	})
}
