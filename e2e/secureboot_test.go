package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server as it is sold (Secure Boot on, the vendor's keys) is given the site's
// certificate, boots the signed program from the network, is installed, and
// starts signed from its disk with the signed words of its class on the kernel line;
// Secure Boot is on all the way. What is changed on
// the disk afterwards is refused. It is one of the long stories; that firmware
// refuses what is unsigned is proven in each run of the tests
// (provisioner/netboot, TestLabSecureRefuses).
func TestSecureBoot(t *testing.T) {
	needsSite(t)
	certificate, key := siteKey(t)
	b := newBench(t, "t-secure", "small.yaml", "host-a", host, "kind: qemu", "kind: qemu, secureBoot: true, cpus: 4",
		"    classes:", "    secureBoot: {certificate: "+certificate+", key: {file: "+key+"}}\n    classes:",
		"profile: basic, bios: {smt: enabled}", `profile: high-performance, bios: {smt: enabled, iommu: enabled}, reservedCPUs: "0-1"`,
		"    waivers:\n", "    waivers:\n      - {requirement: ra2.k8s.006, reason: no controller tells how its devices are wired, until: 2036-01-01}\n")
	b.must(b.run("image", "build", b.inventory()))
	b.part("refused unsigned", (*bench).refusesUnsigned)
	b.part("plan", (*bench).plansKeys)
	if b.part("up", (*bench).installsSigned) {
		b.part("again", (*bench).changesNothing)
		b.part("power cycle", (*bench).startsSigned)
		b.part("changed add-ons", (*bench).refusesChangedAddons)
		b.part("other words", func(b *bench) { b.refusesOtherWords(signerOf(b.T, certificate, key)) })
		b.part("changed disk", (*bench).refusesChangedProgram)
	}
}

// siteKey makes a key of the site and its certificate, as openssl would.
func siteKey(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "site 17"}, NotBefore: time.Now(), NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "site.crt"), filepath.Join(dir, "site.key")
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// refusesUnsigned wants a site without keys to be told that this host would
// refuse what it boots, before the host is switched on.
func (b *bench) refusesUnsigned() {
	text, err := os.ReadFile(b.inventory())
	if err != nil {
		b.Fatal(err)
	}
	var kept []string
	skip := false
	for line := range strings.Lines(string(text)) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if skip = strings.HasPrefix(line, "  secureBoot:") || skip && indent > 2; !skip {
			kept = append(kept, line)
		}
	}
	other := filepath.Join(b.dir, "unsigned.yaml")
	if err := os.WriteFile(other, []byte(strings.Join(kept, "")), 0o600); err != nil {
		b.Fatal(err)
	}
	r := b.exits(b.inside("plan", other), 3)
	if !strings.Contains(r.out+r.err, "its firmware would refuse it") {
		b.Errorf("%s", r)
	}
	b.onlyReads(time.Time{}, host)
}

// plansKeys wants the step that brings the certificate into the firmware.
func (b *bench) plansKeys() {
	r := b.exits(b.inside("plan", "--exit-code", b.inventory()), 4)
	for _, want := range []string{"! cp-a/verifying", "db lacks the certificate", "- cp-a/installed"} {
		if !strings.Contains(r.out, want) {
			b.Errorf("the plan lacks %q\n%s", want, r)
		}
	}
}

// Said by the stub and by the kernel while Secure Boot is in force.
const (
	stubVerified   = "Secure Boot is enabled"
	kernelVerified = "secureboot: Secure boot enabled"
	lockedDown     = "Kernel is locked down from EFI Secure Boot"
)

// installsSigned runs `up` to its end. Both kernels, that of the installer and
// that of the installed system, say that Secure Boot is on.
func (b *bench) installsSigned() {
	c := b.startInside("up", "--yes", b.inventory())
	late := time.AfterFunc(installTime, func() { _ = c.Process.Signal(os.Interrupt) })
	r := c.wait()
	if !late.Stop() {
		b.Errorf("the install took longer than %s", installTime)
	}
	if r.code != 0 {
		said := b.console()
		b.Logf("console:\n%s", said[max(0, len(said)-3000):])
	}
	b.must(r)
	b.Logf("\n%s", r.out[strings.Index(r.out, "node  "):])
	b.inOrder(b.console(), stubVerified, lockedDown, kernelVerified, "ra2-node: mode netboot", "ra2-node: this is "+host, "reading image back", "100%",
		"restarting through the firmware", stubVerified, "Linux version", lockedDown, kernelVerified, "ra2-node: mode boot", "ra2-node: this is "+host, "running in system mode")
	b.hasWords(b.console())
	if strings.Contains(r.out, "not in force") {
		b.Errorf("words of the class are not in force\n%s", r)
	}
	for _, unsigned := range []string{"iPXE", "Access Denied"} {
		if strings.Contains(b.console(), unsigned) {
			b.Errorf("the console says %q", unsigned)
		}
	}
	if _, text := b.redfish(host, http.MethodGet, "/Systems/1/SecureBoot", ""); !strings.Contains(text, `"SecureBootCurrentBoot":"Enabled"`) {
		b.Errorf("the controller says %s", text)
	}
}

// startsSigned cycles the power: the firmware starts the signed program of the
// disk, and the agent speaks.
func (b *bench) startsSigned() {
	before := len(b.console())
	b.reset(host, "ForceRestart")
	b.until("the system to start from the disk", startTime, func() (bool, string) {
		said := b.console()[before:]
		return strings.Contains(said, "running in system mode"), said[max(0, len(said)-300):]
	})
	said := b.console()[before:]
	b.inOrder(said, stubVerified, "ra2.initrd=", lockedDown, kernelVerified, "ra2-node: mode boot", "verity of the root: on", "running in system mode")
	b.hasWords(said)
	if strings.Contains(said, "mode netboot") {
		b.Error("the machine booted from the network")
	}
	b.until("the agent to say hello", startTime, func() (bool, string) {
		r := b.inside("plan", "--exit-code", b.inventory())
		return r.code == 0, r.String()
	})
}

// refusesChangedProgram flips one bit of the signed program's kernel line on the disk:
// the firmware doesn't start it.
func (b *bench) refusesChangedProgram() {
	b.reset(host, "ForceOff")
	b.off(host)
	b.flipOnESP("ra2.initrd=")
	before := len(b.console())
	b.reset(host, "On")
	b.until("the firmware to refuse the disk", startTime, func() (bool, string) {
		said := b.console()[before:]
		return strings.Contains(said, "Access Denied") || strings.Contains(said, "Security Violation"), said[max(0, len(said)-300):]
	})
	if said := b.console()[before:]; strings.Contains(said, "Linux version") {
		b.Error("it was started")
	}
	b.reset(host, "ForceOff")
	b.off(host)
}
