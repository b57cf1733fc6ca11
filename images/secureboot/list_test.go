package secureboot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestList(t *testing.T) {
	a, b := newSigner(t, "a", keyOf()).Certificate(), newSigner(t, "b, with a longer name", keyOf()).Certificate()
	got, err := ReadList(List(a, b))
	if err != nil || len(got.Certificates) != 2 || !got.Certificates[0].Equal(a) || !got.Certificates[1].Equal(b) || got.Others != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for cut := range len(List(a)) - 1 {
		if _, err := ReadList(List(a)[:cut+1]); err == nil {
			t.Fatalf("a list cut after %d bytes was read", cut+1)
		}
	}
}

// TestListPeer: efitools makes the same list.
func TestListPeer(t *testing.T) {
	need(t, "cert-to-efi-sig-list", "efitools")
	s := newSigner(t, "a", keyOf())
	certificate, _ := files(t, s)
	out := filepath.Join(t.TempDir(), "out.esl")
	if said, err := exec.Command("cert-to-efi-sig-list", "-g", "2b5fd604-5e3d-474b-9e1b-726132646570", certificate, out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	want, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(List(s.Certificate()), want) {
		t.Errorf("ours differs from efitools' (%v)", err)
	}
}

func TestParseKeys(t *testing.T) {
	s := newSigner(t, "a", keyOf())
	for _, text := range [][]byte{PEM(s.Certificate()), s.Certificate().Raw} {
		if c, err := ParseCertificate(text); err != nil || !c.Equal(s.Certificate()) {
			t.Errorf("%v", err)
		}
	}
	if _, err := ParseCertificate(append(PEM(s.Certificate()), PEM(s.Certificate())...)); err == nil {
		t.Error("two certificates were taken for one")
	}
	_, file := files(t, s)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := ParseKey(text); err != nil || !keyOf().Equal(key) {
		t.Errorf("%v", err)
	}
	for want, text := range map[string]string{
		"no private key in PEM": "hello", `it holds "CERTIFICATE"`: string(PEM(s.Certificate())),
		"encrypted": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
	} {
		if _, err := ParseKey([]byte(text)); err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzReadList(f *testing.F) {
	f.Add(List(newSigner(f, "a", keyOf()).Certificate()))
	f.Fuzz(func(t *testing.T, value []byte) { _, _ = ReadList(value) })
}
