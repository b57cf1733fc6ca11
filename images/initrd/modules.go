package initrd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Modules are the kernel modules of one kernel release, as depmod left them.
type Modules struct {
	Release string              // as uname -r tells, "6.12.117+deb13-cloud-amd64"
	dir     string              // that holds modules.dep
	deps    map[string][]string // file below dir to the files that it needs
}

// ReadModules reads modules.dep below dir, ".../lib/modules/<release>".
func ReadModules(dir string) (*Modules, error) {
	text, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("read kernel modules: %w (depmod makes it)", err)
	}
	m := &Modules{Release: filepath.Base(dir), dir: dir, deps: map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		file, needs, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			return nil, fmt.Errorf("read %s/modules.dep: %q is no dependency", dir, line)
		}
		m.deps[file] = strings.Fields(needs)
	}
	return m, nil
}

// Choose gives the files, relative to the release's folder, that want accepts,
// and all that they need, sorted.
func (m *Modules) Choose(want func(file string) bool) []string {
	chosen := map[string]bool{}
	for file, needs := range m.deps {
		if !want(file) {
			continue
		}
		chosen[file] = true
		for _, need := range needs { // modules.dep is transitive already
			chosen[need] = true
		}
	}
	files := make([]string, 0, len(chosen))
	for file := range chosen {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// boot lists the folders of modules that bring a host from its first
// instruction to its disk and its network. Wireless, modems and the like are
// not below them.
func boot() []string {
	return []string{
		"kernel/drivers/virtio/", "kernel/drivers/block/", "kernel/drivers/nvme/host/", "kernel/drivers/scsi/",
		"kernel/drivers/ata/", "kernel/drivers/message/fusion/", "kernel/drivers/hv/", "kernel/drivers/xen/",
		"kernel/drivers/net/ethernet/", "kernel/drivers/net/hyperv/", "kernel/drivers/net/bonding/",
		"kernel/drivers/net/phy/", "kernel/drivers/net/vmxnet3/", "kernel/net/8021q/",
		"kernel/drivers/usb/host/", "kernel/drivers/usb/storage/", "kernel/drivers/hid/",
		"kernel/drivers/ptp/", "kernel/drivers/char/hw_random/", "kernel/drivers/firmware/",
		"kernel/fs/erofs/", "kernel/fs/overlayfs/", "kernel/fs/ext4/", "kernel/fs/fat/", "kernel/fs/nls/",
	}
}

// bootFiles are single modules of folders that hold much else.
func bootFiles() []string {
	return []string{"virtio_net", "net_failover", "failover", "dm-mod", "dm-verity", "loop", "efivarfs", "crc32c_generic", "crc32c-intel"}
}

// never are modules below the boot folders that no boot disk or boot NIC uses.
func never() []string {
	return []string{
		"kernel/drivers/block/drbd/", "kernel/drivers/block/rbd", "kernel/drivers/block/nbd", "kernel/drivers/block/zram/",
		"kernel/drivers/scsi/qedi/", "kernel/drivers/scsi/bnx2i/", "kernel/drivers/scsi/cxgbi/",
	}
}

// Boot tells whether a module belongs into the initrd: storage, network and
// the file systems of the image.
func Boot(file string) bool {
	for _, prefix := range never() {
		if strings.HasPrefix(file, prefix) {
			return false
		}
	}
	for _, prefix := range boot() {
		if strings.HasPrefix(file, prefix) {
			return true
		}
	}
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return slices.Contains(bootFiles(), name)
}

// write puts files into the archive below lib/modules/<release>, unpacked so
// that finit_module(2) takes them on every kernel, with modules.dep,
// modules.alias and modules.softdep cut down to them.
func (m *Modules) write(w *Writer, files []string) error {
	root := "lib/modules/" + m.Release
	if err := dirs(w, root, files); err != nil {
		return err
	}
	for _, file := range files {
		data, err := m.unpack(file)
		if err != nil {
			return fmt.Errorf("module %s: %w", file, err)
		}
		if err := w.File(root+"/"+plain(file), 0o644, data); err != nil {
			return err
		}
	}
	if err := w.File(root+"/modules.dep", 0o644, m.dep(files)); err != nil {
		return err
	}
	return m.index(w, root, files)
}

// unpack reads one module, through what its name says it is packed with.
func (m *Modules) unpack(file string) ([]byte, error) {
	packed, err := os.ReadFile(filepath.Join(m.dir, file))
	if err != nil {
		return nil, err
	}
	switch path.Ext(file) {
	case ".ko":
		return packed, nil
	case ".xz":
		r, err := xz.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case ".zst":
		r, err := zstd.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("compression %s is not known", path.Ext(file))
}

func (m *Modules) dep(files []string) []byte {
	var b bytes.Buffer
	for _, file := range files {
		fmt.Fprintf(&b, "%s:", plain(file))
		for _, need := range m.deps[file] {
			fmt.Fprintf(&b, " %s", plain(need))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// index copies the lines of modules.alias ("alias PATTERN MODULE") and
// modules.softdep ("softdep MODULE pre: ...") that speak of files, and
// modules.builtin whole.
func (m *Modules) index(w *Writer, root string, files []string) error {
	have := map[string]bool{}
	for _, file := range files {
		have[Name(file)] = true
	}
	keep := map[string]func(words []string) bool{
		"modules.alias":   func(words []string) bool { return len(words) == 3 && have[Name(words[2])] },
		"modules.softdep": func(words []string) bool { return len(words) > 1 && have[Name(words[1])] },
		"modules.builtin": func([]string) bool { return true },
	}
	for _, name := range []string{"modules.alias", "modules.softdep", "modules.builtin"} {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			return err
		}
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			if keep[name](strings.Fields(line)) {
				b.WriteString(line)
			}
		}
		if err := w.File(root+"/"+name, 0o644, []byte(b.String())); err != nil {
			return err
		}
	}
	return nil
}

// Name gives the module's name of its file: "virtio_net" of
// "kernel/drivers/net/virtio-net.ko.xz". The kernel writes "_" for "-".
func Name(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

func plain(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".xz"), ".zst")
}

// dirs writes root, all above it and all folders of files below it.
func dirs(w *Writer, root string, files []string) error {
	all := map[string]bool{}
	for _, file := range append([]string{"x"}, files...) {
		for dir := path.Dir(root + "/" + file); dir != "."; dir = path.Dir(dir) {
			all[dir] = true
		}
	}
	names := make([]string, 0, len(all))
	for dir := range all {
		names = append(names, dir)
	}
	slices.Sort(names) // a parent sorts before what it holds
	for _, dir := range names {
		if err := w.Dir(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}
