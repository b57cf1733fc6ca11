package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// need skips when programs are missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs the program %s", p)
		}
	}
}

func write(t *testing.T, file, data string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestESP(t *testing.T) {
	need(t, "mkfs.vfat", "mcopy", "mmd", "syslinux", "mtype")
	dir := t.TempDir()
	esp := filepath.Join(dir, "esp")
	err := ESP(t.Context(), esp, "seed", map[string]string{
		"/loader/entries/ra2.conf": write(t, filepath.Join(dir, "conf"), "title ra2\n"),
		"/ra2/kernel":              write(t, filepath.Join(dir, "kernel"), "kernel"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mtype", "-i", esp, "::/loader/entries/ra2.conf").Output(); err != nil || string(out) != "title ra2\n" {
		t.Errorf("entry: %q, %v", out, err)
	}
	list, err := exec.Command("mdir", "-a", "-b", "-i", esp, "::/").Output()
	if err != nil || !strings.Contains(string(list), "ldlinux.sys") || !strings.Contains(string(list), "ldlinux.c32") {
		t.Errorf("syslinux is not on it: %s, %v", list, err)
	}
	if _, err := exec.LookPath("fsck.vfat"); err == nil {
		if out, err := exec.Command("fsck.vfat", "-n", esp).CombinedOutput(); err != nil {
			t.Errorf("fsck.vfat: %v: %s", err, out)
		}
	}
}

func TestExt4(t *testing.T) {
	need(t, "mke2fs", "e2fsck", "debugfs")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tree/var-log/a file"), "log")
	var images [2]string
	for i := range images {
		at := time.Date(2026, 5, i+1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, "tree/var-log/a file"), at, at); err != nil {
			t.Fatal(err)
		}
		images[i] = filepath.Join(dir, "data"+string(rune('0'+i)))
		if err := Ext4(t.Context(), images[i], "seed", NameData, filepath.Join(dir, "tree")); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("e2fsck", "-fn", images[0]).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v: %s", err, out)
	}
	out, err := exec.Command("debugfs", "-R", `cat "/var-log/a file"`, images[0]).Output()
	if err != nil || string(out) != "log" {
		t.Errorf("content: %q, %v", out, err)
	}
	for _, path := range []string{"/", "/var-log", "/var-log/a file"} {
		out, err := exec.Command("debugfs", "-R", `stat "`+path+`"`, images[1]).Output()
		if err != nil || strings.Count(string(out), "0x6955b900") != 4 { // ctime, atime, mtime, crtime
			t.Errorf("times of %s: %v\n%s", path, err, out)
		}
	}
	a, err := os.ReadFile(images[0])
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(images[1]); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the same tree gave other bytes (%v)", err)
	}
}

func TestErofs(t *testing.T) {
	need(t, "mkfs.erofs")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tree/etc/hostname"), "x")
	var images [2][]byte
	for i := range images {
		out := filepath.Join(dir, "root")
		if err := Erofs(t.Context(), out, "seed", filepath.Join(dir, "tree")); err != nil {
			t.Fatal(err)
		}
		var err error
		if images[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
		// The magic 0xE0F5E1E2 stands at 1024 (Linux, fs/erofs/erofs_fs.h).
		if got := string(images[i][1024:1028]); got != "\xe2\xe1\xf5\xe0" {
			t.Errorf("magic: %x", got)
		}
	}
	if string(images[0]) != string(images[1]) {
		t.Error("the same tree gave other bytes")
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	err := ESP(t.Context(), filepath.Join(t.TempDir(), "esp"), "seed", map[string]string{"/ra2/kernel": "/nowhere/kernel"})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/kernel") {
		t.Errorf("got %v", err)
	}
}
