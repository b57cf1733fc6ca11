package initrd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// tree makes a small module tree: virtio_net needs net_failover needs
// failover; wifi is not for booting.
func tree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "6.12.0-test")
	const net = "kernel/drivers/net/"
	files := map[string]string{
		net + "virtio_net.ko.xz":            packed(t, "code of virtio_net"),
		net + "net_failover.ko.zst":         string(zstdPacked(t, "code of net_failover")),
		"kernel/net/core/failover.ko":       "code of failover",
		net + "wireless/wifi.ko.xz":         packed(t, "code of wifi"),
		"kernel/drivers/block/drbd/drbd.ko": "code of drbd",
		"modules.dep": net + "virtio_net.ko.xz: " + net + "net_failover.ko.zst kernel/net/core/failover.ko\n" +
			net + "net_failover.ko.zst: kernel/net/core/failover.ko\nkernel/net/core/failover.ko:\n" +
			net + "wireless/wifi.ko.xz:\nkernel/drivers/block/drbd/drbd.ko:\n",
		"modules.alias":   "# Aliases\nalias virtio:d00000001v* virtio_net\nalias pci:v1* wifi\n",
		"modules.softdep": "softdep virtio-net pre: failover\nsoftdep wifi pre: x\n",
		"modules.builtin": "kernel/fs/ext4/ext4.ko\n",
	}
	for name, data := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zstdPacked packs as openSUSE packs its modules.
func zstdPacked(t *testing.T, s string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(s), nil)
}

func TestChooseTakesWhatIsNeededToo(t *testing.T) {
	m, err := ReadModules(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range m.Choose(Boot) {
		names = append(names, Name(f))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "failover net_failover virtio_net" {
		t.Errorf("chosen: %s", got)
	}
}

func TestWrite(t *testing.T) {
	m, err := ReadModules(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	init := filepath.Join(t.TempDir(), "ra2-node")
	if err := os.WriteFile(init, []byte("the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := Write(b, Contents{Init: init, Modules: m, Choose: Boot}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same contents gave other bytes")
	}
	r, err := zstd.NewReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cpio, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"the program", "code of virtio_net", "code of net_failover", "code of failover",
		"lib/modules/6.12.0-test/kernel/drivers/net/virtio_net.ko\x00",
		"kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko\n",
		"alias virtio:d00000001v* virtio_net\n", "softdep virtio-net pre: failover\n", "kernel/fs/ext4/ext4.ko\n",
	} {
		if !bytes.Contains(cpio, []byte(want)) {
			t.Errorf("%q is not in the archive", want)
		}
	}
	for _, not := range []string{"wifi", "drbd", ".ko.xz", ".ko.zst"} {
		if bytes.Contains(cpio, []byte(not)) {
			t.Errorf("%q is in the archive", not)
		}
	}
}

func TestNoModulesDep(t *testing.T) {
	if _, err := ReadModules(t.TempDir()); err == nil || !strings.Contains(err.Error(), "depmod") {
		t.Errorf("got %v", err)
	}
}
