package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/rpmrepo"
)

// repository makes the tests' rpm repository beside the built images, or finds
// it there, and gives how an inventory names it.
func repository(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("RA2_CACHE")
	if cache == "" {
		cache = "/var/cache/ra2-deploy"
	}
	r, err := rpmrepo.Make(t.Context(), filepath.Join(cache, "rpmrepo"), func(doing string) { t.Log(doing) })
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("distribution: fedora-44, kernel: cloud, repositories: [{name: test, url: %q, keys: [%s], signed: true}]", r.URL, r.Key)
}

// One machine with real firmware gets a system of the rpm family.
func TestInstallRPM(t *testing.T) {
	needsLab(t)
	b := newBench(t, "t-in-rpm", "small.yaml", "host-a", host, "distribution: debian-13, kernel: cloud", repository(t))
	b.part("image", (*bench).buildsTwice)
	if b.part("up", (*bench).installs) {
		b.part("packages", (*bench).rpmTellsOfDisk)
	}
}

// A control plane and a worker of the rpm family are installed and join.
func TestRPM(t *testing.T) {
	needsSite(t)
	b := newBench(t, "t-rpm", "rpm.yaml", "IMAGE", repository(t))
	if !b.part("up", (*bench).joinsBoth) {
		return
	}
	b.part("again", func(b *bench) { b.exits(b.inside("plan", "--exit-code", b.inventory()), 0) })
	for _, node := range []string{"cp-a", "worker-a"} {
		b.part("packages of "+node, func(b *bench) {
			b.rpmTells(b.root(node, ""), "ra2-node", "kubelet", "kubeadm", "containerd", "runc")
		})
	}
}

// joinsBoth wants two Ready nodes.
func (b *bench) joinsBoth() {
	b.must(b.run("image", "build", b.inventory()))
	r := b.must(b.inside("up", "--yes", b.inventory()))
	b.Logf("\n%s", r.out[strings.Index(r.out, "node  "):])
	status := b.must(b.inside("status", b.inventory()))
	if ready := strings.Count(status.out, " Ready "); ready != 2 {
		b.Errorf("%d nodes are Ready\n%s", ready, status)
	}
}

// rpmTellsOfDisk asks the rpm of the system on the machine's disk.
func (b *bench) rpmTellsOfDisk() {
	disk, err := os.Open(b.machine(host, "disk.raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer disk.Close()
	_, first, _, err := rootPlace(disk)
	if err != nil {
		b.Fatal(err)
	}
	root := b.TempDir()
	if out, err := exec.Command("mount", "-t", "erofs", "-o", fmt.Sprintf("ro,loop,offset=%d", first), disk.Name(), root).CombinedOutput(); err != nil {
		b.Fatalf("mount the root partition: %v\n%s", err, out)
	}
	b.Cleanup(func() {
		if out, err := exec.Command("umount", root).CombinedOutput(); err != nil {
			b.Errorf("unmount the root partition: %v\n%s", err, out)
		}
	})
	b.rpmTells(root, "ra2-node")
}

// rpmTells wants that the rpm in a node's root says what the node holds, these
// packages among it, and that all of it is as it was packaged.
func (b *bench) rpmTells(root string, names ...string) {
	b.Helper()
	system, err := os.ReadFile(filepath.Join(root, "etc/os-release"))
	if err != nil || !strings.Contains(string(system), "ID_LIKE=fedora") {
		b.Errorf("the system says it is %s, %v", system, err)
	}
	inside := strings.Fields(b.chroot(root, "rpm", "-qa", "--qf", `%{NAME}\n`))
	names = append(names, "systemd", "rpm", "glibc")
	for _, name := range names {
		if !slices.Contains(inside, name) {
			b.Errorf("rpm -qa doesn't list %s", name)
		}
	}
	// All that is unpacked is in the manifest besides: kernel and boot loaders.
	if listed := b.manifestPackages(); len(inside) < 100 || len(inside) >= len(listed) {
		b.Errorf("rpm -qa lists %d packages, the manifest %d", len(inside), len(listed))
	}
	for _, name := range inside {
		if !slices.Contains(b.manifestPackages(), name) && name != "gpg-pubkey" {
			b.Errorf("the manifest doesn't list %s", name)
		}
	}
	// Times are the image's, modes and owners are for scriptlets to set; what may
	// differ besides is configuration, and an image has no caches.
	said := b.chroot(root, "sh", "-c", "rpm -V --nomtime --nouser --nogroup --nomode "+strings.Join(names, " ")+" || :")
	for line := range strings.Lines(said) {
		if !strings.Contains(line, " c /etc/") && !strings.Contains(line, " /var/cache/") {
			b.Errorf("rpm -V finds %s", line)
		}
	}
}

// manifestPackages gives the names of the packages that the image's manifest lists.
func (b *bench) manifestPackages() []string {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(b.imageDir(), "manifest.json"))
	if err != nil {
		b.Fatal(err)
	}
	var m struct{ Packages []string }
	if err := json.Unmarshal(text, &m); err != nil {
		b.Fatal(err)
	}
	names := make([]string, len(m.Packages))
	for i, p := range m.Packages {
		names[i], _, _ = strings.Cut(p, " ")
	}
	return names
}

// chroot runs a command in a root and gives what it says.
func (b *bench) chroot(root string, args ...string) string {
	b.Helper()
	out, err := exec.Command("chroot", append([]string{root}, args...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("%v in %s: %v\n%s", args, root, err, out)
	}
	return string(out)
}

// readyTime is how long `up` may take to a Ready control plane without hardware
// virtualisation.
const readyTime = 16 * time.Minute

// One control plane of the rpm family starts by UEFI, is installed and becomes
// Ready.
func TestRPMByUEFI(t *testing.T) {
	needsSite(t)
	b := newBench(t, "t-rpm-uefi", "qemu.yaml", "    classes:\n", "    image: {"+repository(t)+"}\n    classes:\n")
	b.must(b.run("image", "build", b.inventory()))
	c := b.startInside("up", "--yes", b.inventory())
	late := time.AfterFunc(readyTime, func() { _ = c.Process.Signal(os.Interrupt) })
	r := c.wait()
	if !late.Stop() {
		b.Errorf("it took longer than %s", readyTime)
	}
	b.must(r)
	b.Logf("\n%s", r.out[strings.Index(r.out, "node  "):])
	b.inOrder(b.console(), "ra2-node: mode install for node "+host, "starting the installed system's kernel", "Linux version", "running in system mode")
	if status := b.must(b.inside("status", b.inventory())); !strings.Contains(status.out, " Ready ") {
		b.Errorf("%s", status)
	}
}
