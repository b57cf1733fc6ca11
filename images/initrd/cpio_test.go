package initrd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func archive(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, err := range []error{
		w.Dir("ra2", 0o700),
		w.File("/ra2/ticket", 0o600, []byte("one time")),
		w.File("ra2/empty", 0o644, nil),
		w.Symlink("lib", "usr/lib"),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// "All headers are aligned to 4 bytes, the file data too" (buffer-format.rst).
func TestFormat(t *testing.T) {
	a := archive(t)
	if len(a)%512 != 0 || !bytes.HasPrefix(a, []byte("070701")) {
		t.Errorf("length %d, start %q", len(a), a[:6])
	}
	for i := 0; ; i++ {
		at := bytes.Index(a[i:], []byte("070701"))
		if at < 0 {
			break
		}
		i += at
		if i%4 != 0 {
			t.Errorf("header at byte %d is not aligned", i)
		}
	}
	if !bytes.Equal(a, archive(t)) {
		t.Error("the same files gave other bytes")
	}
}

func TestRealCpioReadsIt(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("needs the program cpio")
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-i", "--quiet")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(archive(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	ticket, err := os.ReadFile(filepath.Join(dir, "ra2/ticket"))
	if err != nil || string(ticket) != "one time" {
		t.Errorf("ticket: %q, %v", ticket, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "ra2/ticket")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the ticket: %v, %v", info, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "lib")); err != nil || to != "usr/lib" {
		t.Errorf("link: %q, %v", to, err)
	}
}

func TestBadNames(t *testing.T) {
	for _, name := range []string{"", "/", "a\x00b"} {
		if err := NewWriter(&bytes.Buffer{}).File(name, 0o644, nil); err == nil || !strings.Contains(err.Error(), "file name") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteErrorStays(t *testing.T) {
	w := NewWriter(full{})
	if err := w.Dir("a", 0o755); err == nil {
		t.Error("no error from a full disk")
	}
	if err := w.Close(); err == nil || err.Error() != "no space" {
		t.Errorf("close: %v", err)
	}
}
