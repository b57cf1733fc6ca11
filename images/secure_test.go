package images

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot/stubtest"
)

func testSigner(t *testing.T) secureboot.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "site"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s, err := secureboot.NewSigner(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// imageFolder is a folder with what is signed of an image.
func imageFolder(t *testing.T, s secureboot.Signer) Manifest {
	t.Helper()
	stub, err := os.ReadFile("/" + stubPath)
	if err != nil {
		t.Skip("needs systemd's stub: apt install systemd-boot-efi")
	}
	m := Manifest{Dir: t.TempDir(), KernelRelease: "6.12.0", SignedBy: secureboot.Fingerprint(s.Certificate())}
	for name, data := range map[string][]byte{FileStub: stub, FileKernel: []byte("kernel"), FileInitrd: []byte("an initrd")} {
		if err := os.WriteFile(filepath.Join(m.Dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestInstaller: the program is signed, holds the line and, in its initrd, the
// hosts; it is made once, and found without the key afterwards.
func TestInstaller(t *testing.T) {
	s := testSigner(t)
	m, cacheDir := imageFolder(t, s), t.TempDir()
	make := func(signer *secureboot.Signer, hosts string) (string, error) {
		return Installer(cacheDir, m, signer, "ra2.mode=netboot", "ra2/hosts", hosts)
	}
	if _, err := make(nil, "host a"); !errors.Is(err, ErrNoKey) {
		t.Errorf("without the key: %v", err)
	}
	file, err := make(&s, "host a")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := secureboot.Verify(program, []*x509.Certificate{s.Certificate()}); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(program, []byte("an initrd\x00\x00\x00070701")) || !bytes.Contains(program, []byte("host a")) || !bytes.Contains(program, []byte("ra2.mode=netboot")) {
		t.Error("line or hosts are not in it, or not where the kernel looks")
	}
	if again, err := make(nil, "host a"); err != nil || again != file {
		t.Errorf("found again: %q, %v", again, err)
	}
	if other, err := make(&s, "host b"); err != nil || other == file {
		t.Errorf("other hosts: %q, %v", other, err)
	}
}

// TestSecureImage: with a key the disk starts a signed program, and the image is
// another one; without a key nothing is different.
func TestSecureImage(t *testing.T) {
	s := testSigner(t)
	m := imageFolder(t, s)
	m.SignedBy, m.KernelLine, m.InitrdDigest = "", "ra2.mode=boot ra2.verity=ab", "cd"
	work, out := t.TempDir(), m.Dir
	loaders := t.TempDir()
	if err := os.MkdirAll(filepath.Join(loaders, filepath.Dir(stubPath)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(m.Dir, FileStub), filepath.Join(loaders, stubPath)); err != nil {
		t.Fatal(err)
	}
	addon := filepath.Join(loaders, addonStubPath)
	if err := os.WriteFile(addon, stubtest.Stub("systemd-addon 257"), 0o644); err != nil {
		t.Fatal(err)
	}
	esp := map[string]string{firmwareStarts: "systemd-boot", "/loader/loader.conf": "x", "/ra2/kernel": "k"}
	unsigned := &builder{}
	if err := unsigned.secure(pieces{loaders: loaders}, work, out, &m, esp); err != nil || esp[firmwareStarts] != "systemd-boot" || len(esp) != 3 {
		t.Errorf("without a key: %v, %v", esp, err)
	}
	b := &builder{spec: Spec{SignedBy: secureboot.Fingerprint(s.Certificate())}}
	if err := b.secure(pieces{loaders: loaders}, work, out, &m, esp); !errors.Is(err, ErrNoKey) {
		t.Errorf("the key is not here: %v", err)
	}
	b.spec.Signer = &s
	if err := b.secure(pieces{loaders: loaders}, work, out, &m, esp); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(esp[firmwareStarts])
	if err != nil {
		t.Fatal(err)
	}
	if err := secureboot.Verify(program, []*x509.Certificate{s.Certificate()}); err != nil || m.SignedBy != b.spec.SignedBy || len(esp) != 3 || m.Room == nil || !strings.HasPrefix(m.Stub, "systemd-stub ") {
		t.Errorf("%v, %+v, %v", err, m, esp)
	}
	delete(esp, addonFile)
	old := m
	old.Room = nil
	if err := errors.Join(os.Remove(addon), b.secure(pieces{loaders: loaders}, work, out, &old, esp)); err != nil || old.Room != nil || len(esp) != 2 {
		t.Errorf("a stub that reads no add-ons: %v, %+v, %v", err, old.Room, esp)
	}
	if _, err := exec.LookPath("objcopy"); err == nil {
		line := filepath.Join(work, "line")
		if said, err := exec.Command("objcopy", "-O", "binary", "--only-section=.cmdline", esp[firmwareStarts], line).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if got, _ := os.ReadFile(line); strings.TrimRight(string(got), "\x00") != "ra2.mode=boot ra2.verity=ab ra2.initrd=cd" {
			t.Errorf("the line is %q", got)
		}
	}
}
