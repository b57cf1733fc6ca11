package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// installTime is how long `up` may take to install one machine without
// hardware virtualisation.
const installTime = 6 * time.Minute

// startTime is how long an installed machine may take from power-on to the
// system that runs, and to the hello of its agent.
const startTime = 4 * time.Minute

// One machine with real firmware is installed from power-off, starts from its
// disk by itself, and a second run finds nothing to do.
func TestInstall(t *testing.T) {
	needsLab(t)
	for name, edits := range map[string][]string{
		// The IOMMU needs the start of a kernel, huge pages don't.
		"uefi": {"bios: {smt: enabled}", "bios: {smt: enabled, iommu: enabled}"},
		"bios": {"kind: qemu", "kind: qemu, firmware: bios"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "t-in-"+name, "small.yaml", append([]string{"host-a", host}, edits...)...)
			if name == "uefi" {
				b.part("image", (*bench).buildsTwice)
				b.part("bundle", (*bench).buildsFromBundle)
			} else {
				b.must(b.run("image", "build", b.inventory()))
			}
			b.part("plan", (*bench).plansInstall)
			if b.part("up", (*bench).installs) {
				b.part("again", (*bench).changesNothing)
				b.part("power cycle", (*bench).startsFromDisk)
				b.part("disks", (*bench).keepsDisks)
				if name == "uefi" {
					b.part("wrong block", (*bench).findsWrongBlock)
					b.part("wrong superblock", (*bench).findsWrongSuperblock)
				}
			}
		})
	}
}

// A machine gets another distribution of the recipe: its packages, kernel and
// boot loader are of other ages, and the way is the same.
func TestInstallDistributions(t *testing.T) {
	needsSite(t)
	for _, distribution := range []string{"debian-12"} {
		t.Run(distribution, func(t *testing.T) {
			b := newBench(t, "t-"+strings.NewReplacer("debian", "deb", "ubuntu", "ub", ".", "").Replace(distribution), "small.yaml", "host-a", host, "debian-13", distribution)
			r := b.must(b.run("image", "build", b.inventory()))
			if !strings.Contains(r.out, distribution+", kernel ") {
				b.Errorf("%s", r)
			}
			if b.part("up", (*bench).installs) {
				b.part("power cycle", (*bench).startsFromDisk)
			}
		})
	}
}

// host is the name of the one machine here.
const host = "cp-a"

// buildsTwice wants the same bytes from a second build from nothing.
func (b *bench) buildsTwice() {
	r := b.must(b.run("image", "build", "--check", b.inventory()))
	if !strings.Contains(r.out, ": the same bytes") {
		b.Errorf("%s", r)
	}
}

// plansInstall wants a plan that names the disk, and the empty record that a
// plan leaves.
func (b *bench) plansInstall() {
	r := b.exits(b.inside("plan", "--exit-code", b.inventory()), 4)
	for _, want := range []string{"! cp-a/firmware", "LogicalProc: Disabled → Enabled", "- cp-a/installed", "erases", "serial RA2DISK0011", "kernel line: " + b.classLine(), "Disks that are erased: 1"} {
		if !strings.Contains(r.out, want) {
			b.Errorf("the plan lacks %q\n%s", want, r)
		}
	}
	b.onlyReads(time.Time{}, host)
}

// installs runs `up` to its end and reads on the console which way it took.
func (b *bench) installs() {
	events := filepath.Join(filepath.Dir(b.dir), "events.jsonl")
	c := b.startInside("up", "--yes", "--events", events, b.inventory())
	late := time.AfterFunc(installTime, func() { _ = c.Process.Signal(os.Interrupt) })
	r := c.wait()
	if !late.Stop() {
		b.Errorf("the install took longer than %s", installTime)
	}
	b.must(r)
	b.Logf("\n%s", r.out[strings.Index(r.out, "node  "):])
	b.inOrder(b.console(),
		"ra2-node: mode install for node "+host, "reading image back", "100%", "starting the installed system's kernel",
		"Linux version", b.classLine(), "ra2-node: mode boot", "ra2-node: this is "+host, "verity: sha256 using", "erofs: (device dm-0): mounted with root inode", "verity of the root: on", "running in system mode")
	if !strings.Contains(r.out, "each block of its root is verified") {
		b.Errorf("the run doesn't say whether the root is verified\n%s", r)
	}
	var marks []string
	all, _, err := readEvents(events, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, ev := range all {
		if ev.Mark != "" && !slices.Contains(marks, ev.Mark) {
			marks = append(marks, ev.Mark)
		}
	}
	if got, want := strings.Join(marks, " "), "power-on firmware loader installer written kernel"; got != want {
		b.Errorf("the marks are %q and should be %q", got, want)
	}
	b.threads()
}

// threads wants the firmware setting in force: in the controller's words, and
// in the processors of the machine.
func (b *bench) threads() {
	b.Helper()
	if _, text := b.redfish(host, http.MethodGet, "/Systems/1/Bios", ""); !strings.Contains(text, `"LogicalProc":"Enabled"`) {
		b.Errorf("the controller does not say that hyper-threading is on: %s", text)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range lines {
		text, err := os.ReadFile(l) // a process may have ended
		if args := strings.ReplaceAll(string(text), "\x00", " "); err == nil && strings.Contains(args, b.machine(host, "disk.raw")) {
			if !strings.Contains(args, "cores=1,threads=2") {
				b.Errorf("QEMU runs without hyper-threading: %s", args)
			}
			return
		}
	}
	b.Error("no QEMU has this machine's disk")
}

// changesNothing wants runs of plan and up that only read.
func (b *bench) changesNothing() {
	began := time.Now()
	b.exits(b.inside("plan", "--exit-code", b.inventory()), 0)
	r := b.must(b.inside("up", b.inventory()))
	if strings.Contains(r.out, "started") || strings.Contains(r.out, "erases") {
		b.Errorf("the second run did something\n%s", r)
	}
	b.onlyReads(began, host)
	b.must(b.inside("status", b.inventory()))
}

// startsFromDisk cycles the power by the controller: the firmware finds the
// system on the disk, the agent speaks, nothing is installed again.
func (b *bench) startsFromDisk() {
	before := len(b.console())
	b.reset(host, "ForceRestart")
	b.until("the system to start from the disk", startTime, func() (bool, string) {
		said := b.console()[before:]
		return strings.Contains(said, "running in system mode"), said[max(0, len(said)-300):]
	})
	said := b.console()[before:]
	wanted := []string{"Linux version", "ra2-node: mode boot", "ra2-node: this is " + host}
	if strings.Contains(b.classLine(), "iommu") {
		wanted = append(wanted, "starting the kernel once more for intel_iommu=on iommu=pt", "Linux version", "ra2.verity=", "ra2.kexec=1 "+b.classLine(), "DMAR: IOMMU enabled")
	} else {
		wanted = append(wanted, "hugepages=32 of 2M is in force from now on")
	}
	b.inOrder(said, append(wanted, "verity of the root: on", "running in system mode")...)
	if strings.Contains(said, "mode install") {
		b.Error("the machine booted from the network")
	}
	b.until("the agent to say hello", startTime, func() (bool, string) {
		r := b.inside("plan", "--exit-code", b.inventory())
		return r.code == 0, r.String()
	})
	b.must(b.inside("up", b.inventory()))
	b.closed(22)
	b.threads()
}

// closed wants that nothing listens on a port of the running machine.
func (b *bench) closed(port int) {
	b.Helper()
	err := within(b.lab, func() error {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("10.17.0.11:%d", port), 20*time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "refused") {
		b.Errorf("port %d should refuse: %v", port, err)
	}
}

// keepsDisks wants the data disk as it was, and the root partition as it is in
// the image after two starts: nothing was written to it.
func (b *bench) keepsDisks() {
	b.must(b.run("lab", "check", b.dir, host))
	b.reset(host, "ForceOff")
	b.off(host)
	image, err := b.imageRoot()
	if err != nil {
		b.Fatal(err)
	}
	disk, err := os.Open(b.machine(host, "disk.raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer disk.Close()
	got, err := rootDigest(disk)
	if err != nil {
		b.Fatal(err)
	}
	if got != image {
		b.Errorf("the root partition has digest %s and had %s in the image", got, image)
	}
}

// classLine is what the class of the machine adds to the kernel line.
func (b *bench) classLine() string {
	b.Helper()
	text, err := os.ReadFile(b.inventory())
	if err != nil {
		b.Fatal(err)
	}
	if strings.Contains(string(text), "iommu: enabled") {
		return "hugepagesz=2M hugepages=32 intel_iommu=on iommu=pt"
	}
	return "hugepagesz=2M hugepages=32"
}

// console is all that the machine said.
func (b *bench) console() string {
	b.Helper()
	text, err := os.ReadFile(b.machine(host, "console.log"))
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// inOrder wants texts one after the other.
func (b *bench) inOrder(text string, wanted ...string) {
	b.Helper()
	for _, want := range wanted {
		_, rest, ok := strings.Cut(text, want)
		if !ok {
			b.Fatalf("%q is not said, or not in this order: %q", want, wanted)
		}
		text = rest
	}
}
