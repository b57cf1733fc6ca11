package bundle

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// key returns the n-th key of the tests: the same at each call.
func key(t testing.TB, n byte) Signer {
	t.Helper()
	var file [158]byte // as minisign's manual describes it, without encryption
	copy(file[:], "Ed\x00\x00B2")
	file[54] = n
	copy(file[62:], ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	s, err := ReadSigner([]byte(base64.StdEncoding.EncodeToString(file[:])), secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeyWithPassword(t *testing.T) {
	password := secret.New("correct-horse-battery-staple")
	private, public, err := GenerateKey(password)
	if err != nil {
		t.Fatal(err)
	}
	if !minisign.IsEncrypted(private) || strings.Contains(string(private), password.Reveal()) {
		t.Errorf("the key is not encrypted: %s", private)
	}
	if _, err := ReadSigner(private, secret.Value{}); err != ErrEncrypted {
		t.Errorf("without the password: %v", err)
	}
	if _, err := ReadSigner(private, secret.New("wrong")); err == nil || !strings.Contains(err.Error(), "the password doesn't open the key") {
		t.Errorf("with another password: %v", err)
	}
	s, err := ReadSigner(private, password)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ReadVerifier(string(public))
	if err != nil || v.ID() != s.Verifier().ID() {
		t.Errorf("the halves are of %s and %s, %v", v.ID(), s.Verifier().ID(), err)
	}
	crossCheck(t, private, string(public), s, password)
}

// crossCheck lets Debian's minisign check what s signs, and sign what we check.
func crossCheck(t *testing.T, private []byte, public string, s Signer, password secret.Value) {
	t.Helper()
	tool, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("needs minisign (apt-get install minisign)")
	}
	dir := t.TempDir()
	b := made(t, s.Sign)
	out, err := exec.Command(tool, "-V", "-m", filepath.Join(b.Dir(), FileList), "-P", strings.Fields(public)[len(strings.Fields(public))-1]).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ra2-deploy bundle "+string(b.Digest())) {
		t.Errorf("minisign says %s, %v", out, err)
	}
	change(t, filepath.Join(b.Dir(), FileList))
	if out, err := exec.Command(tool, "-V", "-m", filepath.Join(b.Dir(), FileList), "-P", strings.Fields(public)[len(strings.Fields(public))-1]).CombinedOutput(); err == nil {
		t.Errorf("minisign takes another list: %s", out)
	}
	change(t, filepath.Join(b.Dir(), FileList)) // back

	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, private, 0o600); err != nil {
		t.Fatal(err)
	}
	forms := [][]string{{"-S", "-H"}, {"-S", "-l"}} // hashed first, and the form of before 2021
	if !password.Empty() {
		forms = forms[:1] // each opens the key anew, which takes seconds and a gigabyte on purpose
	}
	for _, args := range forms {
		sign := exec.Command(tool, append(args, "-s", file, "-m", filepath.Join(b.Dir(), FileList), "-x", filepath.Join(b.Dir(), FileSignature))...)
		sign.Stdin = strings.NewReader(password.Reveal() + "\n")
		if out, err := sign.CombinedOutput(); err != nil {
			t.Fatalf("minisign doesn't sign with our key: %s %v", out, err)
		}
		v := s.Verifier()
		if _, err := Verify(t.Context(), b.Dir(), &v, nil); err != nil {
			t.Errorf("%v: what minisign signed: %v", args, err)
		}
	}
}

func TestKeyWithoutPassword(t *testing.T) {
	private, public, err := GenerateKey(secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSigner(private, secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	crossCheck(t, private, string(public), s, secret.Value{})
}

// minisign's own keys are taken. That it reads ours with a password, which
// crossCheck proves, shows that both encrypt alike.
func TestKeysOfMinisign(t *testing.T) {
	tool, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("needs minisign (apt-get install minisign)")
	}
	private, public := filepath.Join(t.TempDir(), "site.key"), filepath.Join(t.TempDir(), "site.pub")
	if out, err := exec.Command(tool, "-G", "-W", "-s", private, "-p", public).CombinedOutput(); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	text, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSigner(text, secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ReadVerifier(string(pub))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(pub), "key "+v.ID()+"\n") || keyID(0x2F) != "2F" {
		t.Errorf("minisign calls the key otherwise than %s: %s", v.ID(), pub)
	}
	b := made(t, s.Sign)
	if c, err := Verify(t.Context(), b.Dir(), &v, nil); err != nil || c.Signer != v.ID() {
		t.Errorf("%s: %v", c.Signer, err)
	}
}

func TestSignatureIsAlwaysTheSame(t *testing.T) {
	a, err := key(t, 1).Sign([]byte("list"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := key(t, 1).Sign([]byte("list"))
	if err != nil || string(a) != string(b) {
		t.Errorf("%s\n%s %v", a, b, err)
	}
}

func TestWhatIsNoKey(t *testing.T) {
	public := key(t, 1).Verifier()
	for _, text := range []string{"", "RW", "hello", "untrusted comment: x\n" + strings.Repeat("A", 56), public.text()} {
		if _, err := ReadSigner([]byte(text), secret.New("x")); err == nil {
			t.Errorf("%q is taken as a secret key", text)
		}
	}
	for _, text := range []string{"", "RW", "hello", "untrusted comment: x\n" + strings.Repeat("A", 56)} {
		if _, err := ReadVerifier(text); err == nil {
			t.Errorf("%q is taken as a public key", text)
		}
	}
	for _, text := range []string{public.text(), public.key.String(), strings.ReplaceAll(public.text(), "\n", "\r\n")} {
		if v, err := ReadVerifier(text); err != nil || v.ID() != public.ID() {
			t.Errorf("%q: %v", text, err)
		}
	}
}
