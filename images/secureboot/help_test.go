package secureboot

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/secureboot/stubtest"
)

// keyOf makes a key once for each bit length: RSA keys take long.
var keyOf = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newSigner is a signer with a certificate of its own, for the one key of the
// tests unless another is given.
func newSigner(t testing.TB, name string, key *rsa.PrivateKey) Signer {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	return issue(t, template, template, key, key)
}

func issue(t testing.TB, template, parent *x509.Certificate, key, by *rsa.PrivateKey) Signer {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stub is a program that is built like systemd's stub.
func stub() []byte { return stubtest.Stub("test") }

func unified(t testing.TB, stub []byte) []byte {
	t.Helper()
	out, err := Unified(stub, Parts{Linux: []byte("a kernel"), Initrd: []byte("an initrd"), Line: "ra2.mode=boot quiet", Release: "6.12.0", OS: "ID=debian\n"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// realStub is systemd's stub, or "".
func realStub(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	if err != nil {
		t.Skip("needs systemd's stub: apt install systemd-boot-efi")
	}
	return text
}

// need skips where a program is missing.
func need(t *testing.T, program, deb string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s: apt install %s", program, deb)
	}
}

// files writes what a real tool reads.
func files(t *testing.T, s Signer) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, certificate, PEM(s.Certificate()))
	put(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return certificate, key
}

func put(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
