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
// it there. The edits put it into a site.
func repository(t *testing.T) (edits []string) {
	t.Helper()
	cache := os.Getenv("RA2_CACHE")
	if cache == "" {
		cache = "/var/cache/ra2-deploy"
	}
	r, err := rpmrepo.Make(t.Context(), filepath.Join(cache, "rpmrepo"), func(doing string) { t.Log(doing) })
	if err != nil {
		t.Fatal(err)
	}
	return []string{`"URL"`, fmt.Sprintf("%q", r.URL), "[KEY]", "[" + r.Key + "]"}
}

// A control plane and a worker of the rpm family are installed and join.
func TestRPM(t *testing.T) {
	needsLab(t)
	b := newBench(t, "t-rpm", "rpm.yaml", repository(t)...)
	if !b.part("image", (*bench).buildsTwice) {
		return
	}
	if !b.part("up", (*bench).joinsBoth) {
		return
	}
	b.part("again", func(b *bench) { b.exits(b.inside("plan", "--exit-code", b.inventory()), 0) })
	for _, node := range []string{"cp-a", "worker-a"} {
		b.part("packages of "+node, func(b *bench) { b.rpmTells(node) })
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

// rpmTells wants that the rpm of a running node says what the node holds, and
// that all of it is as it was packaged.
func (b *bench) rpmTells(node string) {
	root := b.root(node, "")
	system, err := os.ReadFile(filepath.Join(root, "etc/os-release"))
	if err != nil || !strings.Contains(string(system), "ID_LIKE=fedora") {
		b.Errorf("the system says it is %s, %v", system, err)
	}
	inside := strings.Fields(b.chroot(root, "rpm", "-qa", "--qf", `%{NAME}\n`))
	for _, name := range []string{"systemd", "rpm", "glibc", "ra2-node", "kubelet", "kubeadm", "containerd", "runc"} {
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
	said := b.chroot(root, "sh", "-c", "rpm -V kubelet containerd kubeadm runc systemd glibc --nomtime --nouser --nogroup --nomode || :")
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
const readyTime = 9 * time.Minute

// One control plane of the rpm family starts by UEFI, is installed and becomes
// Ready.
func TestRPMByUEFI(t *testing.T) {
	needsSite(t)
	repo := repository(t)
	image := fmt.Sprintf("    image: {distribution: fedora-44, kernel: cloud, repositories: [{name: test, url: %s, keys: %s, signed: true}]}\n    classes:\n", repo[1], repo[3])
	b := newBench(t, "t-rpm-uefi", "qemu.yaml", "    classes:\n", image)
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
