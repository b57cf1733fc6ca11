package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
)

// classWords are what the host's class adds to the kernel line.
const classWords = "hugepagesz=2M hugepages=32 intel_iommu=on iommu=pt isolcpus=managed_irq,2-N nohz_full=2-N rcu_nocbs=2-N irqaffinity=0-1"

// hasWords wants the words of the class to be in force by the kernel's own word,
// after all that was signed with the image.
func (b *bench) hasWords(console string) {
	b.Helper()
	for _, want := range []string{" " + classWords + "\r\n", "NO_HZ: Full dynticks CPUs: 2-3", "HugeTLB: registered 2.00 MiB page size, pre-allocated 32 pages"} {
		if !strings.Contains(console, want) {
			b.Errorf("the console lacks %q", want)
		}
	}
}

// refusesChangedAddons flips one bit of the add-on on the disk and lays two beside
// it: one that another key signed, and one that none did. Firmware takes none of them,
// and the node says what it lacks.
func (b *bench) refusesChangedAddons() {
	b.reset(host, "ForceOff")
	b.off(host)
	b.flipOnESP("hugepagesz=2M hugepages=32")
	certificate, key := siteKey(b.T)
	other := signerOf(b.T, certificate, key)
	b.layAddon("other.addon.efi", "init=/other", &other)
	b.layAddon("unsigned.addon.efi", "init=/unsigned", nil)
	before := len(b.console())
	b.reset(host, "On")
	b.until("the system to start without the words of its class", startTime, func() (bool, string) {
		said := b.console()[before:]
		return strings.Contains(said, "running in system mode"), said[max(0, len(said)-300):]
	})
	said := b.console()[before:]
	for _, name := range []string{"other", "ra2", "unsigned"} {
		if refusal := "Failed to read '" + name + ".addon.efi'"; !strings.Contains(said, refusal) {
			b.Errorf("the console lacks %q", refusal)
		}
	}
	b.inOrder(said, stubVerified, lockedDown, "not in force: isolcpus=managed_irq,2-N", "running in system mode")
	for line := range strings.Lines(said) {
		if strings.Contains(line, "ommand line: ") && (strings.Contains(line, "isolcpus") || strings.Contains(line, "init=/")) {
			b.Errorf("words of an add-on that firmware must not take are in force: %s", line)
		}
	}
	b.until("plan to say what the host lacks", startTime, func() (bool, string) {
		r := b.inside("plan", "--exit-code", b.inventory())
		return r.code == 4 && strings.Contains(r.out, "its kernel line is not what was signed: it lacks "+classWords), r.String()
	})
	b.flipOnESP("iugepagesz=2M hugepages=32")
	b.onESP("mdel", "::/loader/addons/other.addon.efi", "::/loader/addons/unsigned.addon.efi")
}

// refusesOtherWords lays a second add-on, which the site's own key signed and whose
// words are no class's. Firmware takes it; ra2-node doesn't start the system.
func (b *bench) refusesOtherWords(site secureboot.Signer) {
	b.reset(host, "ForceOff")
	b.off(host)
	b.layAddon("other.addon.efi", "systemd.debug_shell", &site)
	before := len(b.console())
	b.reset(host, "On")
	b.until("the initramfs to refuse the kernel line", startTime, func() (bool, string) {
		said := b.console()[before:]
		return strings.Contains(said, "neither the image's nor of this node's class: systemd.debug_shell"), said[max(0, len(said)-300):]
	})
	b.until("plan to say so", startTime, func() (bool, string) {
		r := b.inside("plan", "--exit-code", b.inventory())
		return r.code == 4 && strings.Contains(r.out, "its kernel line is not what was signed: the kernel line has words"), r.String()
	})
	if said := b.console()[before:]; strings.Contains(said, "running in system mode") {
		b.Error("it was started")
	}
	b.onESP("mdel", "::/loader/addons/other.addon.efi")
}

// signerOf reads a key of siteKey.
func signerOf(t *testing.T, certificate, key string) secureboot.Signer {
	t.Helper()
	text, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	c, err := secureboot.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(key); err != nil {
		t.Fatal(err)
	}
	private, err := secureboot.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := secureboot.NewSigner(c, private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flipOnESP changes one bit of the first place in the system partition that holds a
// text: of its first letter.
func (b *bench) flipOnESP(text string) {
	b.Helper()
	disk, err := os.OpenFile(b.machine(host, "disk.raw"), os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer disk.Close()
	head := make([]byte, 128<<20) // the system partition is the first
	if _, err := io.ReadFull(disk, head); err != nil {
		b.Fatal(err)
	}
	at := bytes.Index(head, []byte(text))
	if at < 0 {
		b.Fatalf("the disk doesn't have %q", text)
	}
	if _, err := disk.WriteAt([]byte{head[at] ^ 1}, int64(at)); err != nil {
		b.Fatal(err)
	}
}

// layAddon puts an add-on on the system partition of a machine that is off, upon
// the stub that its image has; signer may be nil.
func (b *bench) layAddon(name, words string, signer *secureboot.Signer) {
	b.Helper()
	stub, err := os.ReadFile(filepath.Join(b.imageDir(), "addon.efi"))
	if err != nil {
		b.Fatal(err)
	}
	program, err := secureboot.Addon(stub, words)
	if err == nil && signer != nil {
		program, err = signer.Sign(program)
	}
	file := filepath.Join(b.TempDir(), name)
	if err := errors.Join(err, os.WriteFile(file, program, 0o600)); err != nil {
		b.Fatal(err)
	}
	b.onESP("mcopy", file, "::/loader/addons/"+name)
}

// onESP runs a program of mtools on the system partition.
func (b *bench) onESP(program string, args ...string) {
	b.Helper()
	out, err := exec.Command(program, append([]string{"-i", b.machine(host, "disk.raw") + "@@1M"}, args...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}
