package secureboot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
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

	"pgregory.net/rapid"
)

func TestSignVerify(t *testing.T) {
	ours, other := newSigner(t, "ours", keyOf()), newSigner(t, "other", keyOf())
	program := unified(t, stub())
	signed, err := ours.Sign(program)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ours.Sign(program)
	if err != nil || !bytes.Equal(signed, again) {
		t.Errorf("the same program and key gave other bytes (%v)", err)
	}
	trusted := func(s ...Signer) (all []*x509.Certificate) {
		for _, one := range s {
			all = append(all, one.Certificate())
		}
		return all
	}
	if err := Verify(signed, trusted(other, ours)); err != nil {
		t.Errorf("ours: %v", err)
	}
	var not *NotSigned
	if err := Verify(signed, trusted(other)); !errors.As(err, &not) || len(not.By) != 1 || not.By[0] != "CN=ours" {
		t.Errorf("by another key: %v", err)
	}
	if err := Verify(program, trusted(ours)); !errors.As(err, &not) || err.Error() != "the program is not signed" {
		t.Errorf("unsigned: %v", err)
	}
	both, err := other.Sign(signed)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Signer{ours, other} {
		if err := Verify(both, trusted(s)); err != nil {
			t.Errorf("signed twice: %v", err)
		}
	}
}

// TestIssued: db may hold the authority that issued the signer's certificate.
func TestIssued(t *testing.T) {
	root := newSigner(t, "root", keyOf())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}, root.Certificate(), key, keyOf())
	signed, err := leaf.Sign(unified(t, stub()))
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(signed, []*x509.Certificate{root.Certificate()}); err != nil {
		t.Error(err)
	}
	// The same name, another key: it issued nothing.
	forged := newSigner(t, "root", key)
	if err := Verify(signed, []*x509.Certificate{forged.Certificate()}); err == nil {
		t.Error("an authority of the same name was taken")
	}
}

// TestChanged: no byte of a signed program can be changed, but for the checksum
// that no firmware reads. UEFI 2.10, 32.2.2; Authenticode 1.0, "Calculating the
// PE Image Hash".
func TestChanged(t *testing.T) {
	s := newSigner(t, "ours", keyOf())
	signed, err := s.Sign(unified(t, stub()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.IntRange(0, p.end()-1).Draw(r, "at")
		changed := bytes.Clone(signed)
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(r, "bits"))
		if at >= p.opt+optCheckSum && at < p.opt+optCheckSum+4 {
			return
		}
		if err := Verify(changed, []*x509.Certificate{s.Certificate()}); err == nil {
			r.Errorf("byte %#x was changed and nobody noticed", at)
		}
	})
}

// TestPeers: sbverify takes what we sign, we take what sbsign signs, and neither
// takes what was changed.
func TestPeers(t *testing.T) {
	need(t, "sbsign", "sbsigntool")
	s := newSigner(t, "ours", keyOf())
	certificate, key := files(t, s)
	otherCertificate, _ := files(t, newSigner(t, "other", keyOf()))
	for name, program := range map[string][]byte{
		"small": unified(t, stub()), "odd": append(unified(t, stub()), 1, 2, 3), "systemd's stub": realStub(t), "unified": unified(t, realStub(t)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			signed, err := s.Sign(program)
			if err != nil {
				t.Fatal(err)
			}
			ours := put(t, filepath.Join(dir, "ours.efi"), signed)
			if out, err := exec.Command("sbverify", "--cert", certificate, ours).CombinedOutput(); err != nil {
				t.Errorf("sbverify of ours: %v: %s", err, out)
			}
			if out, err := exec.Command("sbverify", "--cert", otherCertificate, ours).CombinedOutput(); err == nil {
				t.Errorf("sbverify with another certificate takes it: %s", out)
			}
			theirs := filepath.Join(dir, "theirs.efi")
			if out, err := exec.Command("sbsign", "--key", key, "--cert", certificate, "--output", theirs, put(t, filepath.Join(dir, "in.efi"), program)).CombinedOutput(); err != nil {
				t.Fatalf("sbsign: %v: %s", err, out)
			}
			data, err := os.ReadFile(theirs)
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(data, []*x509.Certificate{s.Certificate()}); err != nil {
				t.Errorf("sbsign's: %v", err)
			}
			data[len(program)/2] ^= 1
			if err := Verify(data, []*x509.Certificate{s.Certificate()}); err == nil {
				t.Error("sbsign's, changed: taken")
			}
		})
	}
}

// TestDebian: the distribution's own signatures are read: shim has Microsoft's,
// GRUB the distribution's.
func TestDebian(t *testing.T) {
	for _, file := range []string{"/usr/lib/shim/shimx64.efi.signed", "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Skip("needs shim and GRUB: apt install shim-signed grub-efi-amd64-signed")
		}
		err = Verify(data, nil)
		var not *NotSigned
		if !errors.As(err, &not) || len(not.By) == 0 {
			t.Errorf("%s: %v", file, err)
		}
		t.Logf("%s: %v", file, err)
	}
}

func TestNewSigner(t *testing.T) {
	good := newSigner(t, "ours", keyOf()).Certificate()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	make := func(public any, by any) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, by)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for want, try := range map[string]func() (Signer, error){
		"not that of the certificate": func() (Signer, error) { return NewSigner(good, small) },
		"1024 bits and needs 2048":    func() (Signer, error) { return NewSigner(make(&small.PublicKey, small), small) },
		"RSA only":                    func() (Signer, error) { return NewSigner(make(&curve.PublicKey, curve), curve) },
	} {
		if _, err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := newSigner(f, "ours", keyOf())
	signed, err := s.Sign(unified(f, stub()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(stub())
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = Verify(data, []*x509.Certificate{s.Certificate()})
		if again, err := s.Sign(data); err == nil {
			if err := Verify(again, []*x509.Certificate{s.Certificate()}); err != nil && strings.Contains(err.Error(), "changed after") {
				t.Errorf("what was signed now is not signed: %v", err)
			}
		}
	})
}
