package kmod

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"pci:v00001AF4d00001000sv*sd*bc*sc*i*", "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00", true},
		{"pci:v00001AF4d00001000sv*sd*bc*sc*i*", "pci:v00001AF4d00001001sv00001AF4sd00000001bc01sc00i00", false},
		{"virtio:d00000001v*", "virtio:d00000001v00001AF4", true},
		{"usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*", "usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip02in00", true},
		{"dmi*:svn[A-C]x?:*", "dmi:svnBxy:rest", true},
		{"dmi*:svn[A-C]x?:*", "dmi:svnDxy:rest", false},
		{"a[", "a[", false},
		{"", "", true},
		{"*", "", true},
	} {
		if got := glob(c.pattern, c.text); got != c.want {
			t.Errorf("glob(%q, %q) is %v", c.pattern, c.text, got)
		}
	}
}

func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDevices(t *testing.T) {
	root := lay(t, map[string]string{
		"usr/lib/modules/6.12/modules.dep": "kernel/net/virtio_net.ko: kernel/net/net_failover.ko kernel/core/virtio.ko\n" +
			"kernel/core/virtio.ko:\nkernel/net/net_failover.ko:\nkernel/fs/er-ofs.ko.zst:\nkernel/gpu/broken.ko:\n",
		"usr/lib/modules/6.12/modules.alias": "# comment\nalias virtio:d00000001v* virtio_net\nalias pci:v*d*bc03* broken\nalias fs-erofs er_ofs\n",
		"sys/devices/a/modalias":             "virtio:d00000001v00001AF4\n",
		"sys/devices/b/modalias":             "pci:v00001234d00001111bc03sc00\n",
		"sys/devices/c/modalias":             "acpi:PNP0A08:\n",
	})
	l, err := Open(root, "6.12")
	if err != nil || l.Empty() {
		t.Fatal(l, err)
	}
	var loaded []string
	l.insert = func(path string) error {
		loaded = append(loaded, filepath.Base(path))
		switch filepath.Base(path) {
		case "broken.ko":
			return unix.ENODEV
		case "virtio.ko":
			return unix.EEXIST
		}
		return nil
	}
	seen := map[string]bool{}
	fresh, err := l.Devices(filepath.Join(root, "sys/devices"), seen)
	if fresh != 3 || !errors.Is(err, unix.ENODEV) {
		t.Errorf("%d fresh, %v", fresh, err)
	}
	if err := l.Load("fs-erofs"); err != nil {
		t.Error(err)
	}
	if err := l.Load("er-ofs"); err != nil {
		t.Error(err)
	}
	if want := []string{"virtio.ko", "net_failover.ko", "virtio_net.ko", "broken.ko", "er-ofs.ko.zst"}; !slices.Equal(loaded, want) {
		t.Errorf("loaded %q and want %q", loaded, want)
	}
	if fresh, err := l.Devices(filepath.Join(root, "sys/devices"), seen); fresh != 0 || err != nil {
		t.Errorf("again: %d, %v", fresh, err)
	}
}

func TestNoModules(t *testing.T) {
	l, err := Open(t.TempDir(), "6.18")
	if err != nil || !l.Empty() {
		t.Fatal(l, err)
	}
	if err := l.Load("ext4"); err != nil {
		t.Error(err)
	}
}
