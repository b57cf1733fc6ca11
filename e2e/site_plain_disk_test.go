package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// plainPackages is what an administrator installs for kubeadm: no agent of ours
// and no settings but those that the packages bring.
func plainPackages() []string {
	return []string{"systemd", "systemd-sysv", "udev", "dbus", "kmod", "util-linux", "e2fsprogs", "iproute2", "procps", "ca-certificates",
		"kubeadm", "kubelet", "containerd", "containerd-ctr", "runc", "containernetworking-plugins", "cni-plugin-flannel", "conntrack", "iptables", "nftables", "socat"}
}

// plainMachine is one machine that was installed by hand.
type plainMachine struct {
	name    string
	address string // of its one card
	number  int    // last octet of its controller's address
}

func plainMachines() []plainMachine {
	return []plainMachine{{"cp-a", "10.17.0.11", 11}, {"cp-b", "10.17.0.12", 12}}
}

// content fetches what the lab's image would be made of, and returns it with the
// images as one archive, as `ctr images import` takes it.
func (b *bench) content() (bundle.Bundle, string) {
	b.Helper()
	top := filepath.Dir(b.dir)
	dir, archive := filepath.Join(top, "bundle"), filepath.Join(top, "images.tar")
	b.must(b.run("bundle", "create", b.inventory(), dir))
	from, err := bundle.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	all := map[name.Tag]v1.Image{}
	for _, i := range from.Kind(bundle.Image) {
		tag, err := name.NewTag(i.Name)
		if err != nil {
			b.Fatal(err)
		}
		if all[tag], err = from.Image(i); err != nil {
			b.Fatal(err)
		}
	}
	if err := tarball.MultiWriteToFile(archive, all); err != nil {
		b.Fatal(err)
	}
	return from, archive
}

// plainRoot installs Debian with kubeadm's packages by dpkg, as mmdebstrap does it.
func (b *bench) plainRoot(from bundle.Bundle) string {
	b.Helper()
	var packages []family.Package
	for _, i := range from.Kind(bundle.Deb) {
		packages = append(packages, family.Package{Name: i.Name, Version: i.Version, Arch: i.Arch, File: from.Path(i), Digest: i.Digest.Hex(), Size: i.Size})
	}
	root := filepath.Join(filepath.Dir(b.dir), "root")
	if err := (deb.Family{Suite: "trixie"}).System(b.Context(), root, packages, plainPackages()); err != nil {
		b.Fatal(err)
	}
	b.must(b.start("chroot", root, "systemctl", "enable", "systemd-networkd", "containerd", "kubelet").wait())
	return root
}

// files are what an administrator writes on such a machine.
func (m plainMachine) files() map[string]string {
	return map[string]string{
		"etc/hostname":                       m.name + "\n",
		"etc/hosts":                          "127.0.0.1 localhost\n10.17.0.11 cp-a\n10.17.0.12 cp-b\n",
		"etc/fstab":                          "/dev/vda2 / ext4 rw 0 1\n",
		"etc/machine-id":                     fmt.Sprintf("%032d\n", m.number),
		"etc/resolv.conf":                    "nameserver 10.17.0.1\n",
		"etc/systemd/network/10-lan.network": "[Match]\nName=eth0\n\n[Network]\nAddress=" + m.address + "/24\nGateway=10.17.0.1\n",
		// The lab's host may have cgroup v1, which the kubelet refuses since 1.35.
		"etc/default/kubelet": "KUBELET_EXTRA_ARGS=--fail-cgroupv1=false\n",
	}
}

// install writes the machine's disk: a loader's entry that names the little
// initramfs, and the system.
func (b *bench) install(m plainMachine, root string) {
	b.Helper()
	for name, text := range m.files() {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	disk, initrd := b.machine(m.name, "disk.raw"), b.initramfs()
	const system = 65 << 20 // where the second partition begins
	b.shell(`set -e; disk=$1 top=$2 root=$3 initrd=$4 esp=$1.esp
sgdisk -n 1:2048:+64M -t 1:ef00 -c 1:ra2-esp -n 2:0:0 -c 2:system "$disk" >/dev/null
mkfs.vfat -C -F 32 -s 1 -n ESP "$esp" 65536 >/dev/null
mmd -i "$esp" ::/loader ::/loader/entries ::/plain
mcopy -i "$esp" "$initrd" ::/plain/initrd
mcopy -i "$esp" "$top/kernel" ::/plain/kernel
printf 'title Debian\nlinux /plain/kernel\ninitrd /plain/initrd\noptions root=/dev/vda2 rw quiet\n' | mcopy -i "$esp" - ::/loader/entries/ra2.conf
dd if="$esp" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
rm "$esp"
mke2fs -q -F -t ext4 -m 1 -J size=16 -O ^orphan_file,^metadata_csum_seed -E offset=`+fmt.Sprint(system)+`,root_owner=0:0,nodiscard -L system -d "$root" "$disk" 7G`,
		disk, filepath.Dir(b.dir), root, initrd)
}

// initramfs builds the machine's first program, packed. The kernel beside it is
// a header: machines that are containers run none.
func (b *bench) initramfs() string {
	b.Helper()
	top := filepath.Dir(b.dir)
	file := filepath.Join(top, "initrd")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(top, "init"), "./plain/init")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	kernel := make([]byte, 4096)
	copy(kernel[0x202:], "HdrS")
	if err := os.WriteFile(filepath.Join(top, "kernel"), kernel, 0o644); err != nil {
		b.Fatal(err)
	}
	b.shell(`cd "$1" && echo init | cpio --quiet -o -H newc > initrd`, top)
	return file
}

// shell runs a script with arguments.
func (b *bench) shell(script string, args ...string) result {
	b.Helper()
	return b.must(b.start(append([]string{"bash", "-c", script, "bash"}, args...)...).wait())
}
