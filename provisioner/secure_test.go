package provisioner

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// signedSite is an inventory with keys of its own in a directory.
func signedSite(t *testing.T) (inventory.Cluster, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"boot.crt": {Type: "CERTIFICATE", Bytes: der}, "boot.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return inventory.Cluster{
		SecureBoot:   &inventory.SecureBoot{Certificate: "boot.crt", Key: secret.Ref{File: "boot.key"}, Enroll: true},
		Provisioning: inventory.Provisioning{Networks: []netip.Prefix{netip.MustParsePrefix("10.17.0.1/24")}},
		Nodes: []inventory.Node{{
			Name: "a", Boot: inventory.Boot{MAC: "52:54:00:17:00:11", Method: "uefi-http"}, Disk: inventory.Disk{Serial: "S1"},
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")},
		}},
	}, dir
}

// TestProgram: the program is made with the key and served without it; a changed
// host needs the key again, and that is said before anything is touched.
func TestProgram(t *testing.T) {
	c, dir := signedSite(t)
	stub, err := os.ReadFile("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	if err != nil {
		t.Skip("needs systemd's stub: apt install systemd-boot-efi")
	}
	files := imageFiles{cache: t.TempDir(), manifest: images.Manifest{Dir: t.TempDir()}}
	for name, data := range map[string][]byte{images.FileStub: stub, images.FileKernel: []byte("kernel"), images.FileInitrd: []byte("initrd")} {
		if err := os.WriteFile(filepath.Join(files.manifest.Dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if files.keys, err = readKeys(c, dir); err != nil || files.keys.signer == nil {
		t.Fatal(err)
	}
	made, err := program(c, files, "https://10.17.0.1:8443", "sha256:pin")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made)
	for _, want := range []string{
		"ra2.mode=netboot console=tty0", "ra2.node=a ra2.server=https://10.17.0.1:8443 ra2.pin=sha256:pin ra2.mac=52:54:00:17:00:11",
		"ra2.disk=serial:S1 ra2.ticket=http://10.17.0.1:8080/boot/52-54-00-17-00-11/ticket",
	} {
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%q is not in it (%v)", want, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "boot.key")); err != nil {
		t.Fatal(err)
	}
	if files.keys, err = readKeys(c, dir); err != nil || files.keys.signer != nil {
		t.Fatalf("a key that is elsewhere: %v", err)
	}
	if again, err := program(c, files, "https://10.17.0.1:8443", "sha256:pin"); err != nil || again != made {
		t.Errorf("without the key: %q, %v", again, err)
	}
	c.Nodes[0].Disk.Serial = "S2"
	if _, err := program(c, files, "https://10.17.0.1:8443", "sha256:pin"); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "file boot.key") {
		t.Errorf("another disk, without the key: %v", err)
	}
}

// TestVerified: a machine counts only when it says itself that Secure Boot is in
// force; without keys nobody asks.
func TestVerified(t *testing.T) {
	with := &servers{cluster: inventory.Cluster{SecureBoot: &inventory.SecureBoot{}}}
	for name, c := range map[string]struct {
		machine *facts.Hardware
		want    string
	}{
		"on":      {&facts.Hardware{SecureBoot: new(true)}, ""},
		"off":     {&facts.Hardware{SecureBoot: new(false)}, "Secure Boot is off"},
		"no UEFI": {&facts.Hardware{}, "did not start by UEFI"},
		"nothing": {nil, "did not start by UEFI"},
	} {
		err := with.verified(c.machine)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := (&servers{}).verified(c.machine); err != nil {
			t.Errorf("%s, without keys: %v", name, err)
		}
	}
}

// TestSignedMethods: iPXE from a virtual CD is no way for firmware that verifies.
func TestSignedMethods(t *testing.T) {
	c, _ := signedSite(t)
	r := &Run{want: c}
	if got := r.methods("a"); !slices.Equal(got, []string{"uefi-http", "uefi-pxe", "boot-order"}) {
		t.Errorf("%v", got)
	}
}
