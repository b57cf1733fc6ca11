package bundle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// Signer signs bundles and single files with one key.
type Signer struct{ key minisign.PrivateKey }

// Verifier knows the public half of a key.
type Verifier struct{ key minisign.PublicKey }

// ErrEncrypted says that a key needs its password.
var ErrEncrypted = errors.New("the key is encrypted, and no password is given")

// GenerateKey makes a new key: the text of its file, encrypted unless the
// password is empty, and that of its public half. minisign reads both.
func GenerateKey(password secret.Value) (private, public []byte, err error) {
	pub, key, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if password.Empty() {
		private, err = key.MarshalText()
	} else {
		private, err = minisign.EncryptKey(password.Reveal(), key)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	return append(private, '\n'), []byte(Verifier{pub}.text()), nil
}

func (v Verifier) text() string {
	return fmt.Sprintf("untrusted comment: minisign public key %s\n%s\n", v.ID(), v.key)
}

// ReadSigner reads a secret key that minisign or GenerateKey made. The error is
// ErrEncrypted when it needs a password and none is given.
func ReadSigner(text []byte, password secret.Value) (Signer, error) {
	text = bytes.ReplaceAll(text, []byte("\r"), nil)
	if !minisign.IsEncrypted(text) {
		var s Signer
		if err := s.key.UnmarshalText(text); err != nil {
			return Signer{}, errors.New("this is no secret key of minisign")
		}
		return s, nil
	}
	if password.Empty() {
		return Signer{}, ErrEncrypted
	}
	key, err := minisign.DecryptKey(password.Reveal(), text)
	if err != nil {
		return Signer{}, errors.New("the password doesn't open the key")
	}
	return Signer{key}, nil
}

// Verifier returns the public half.
func (s Signer) Verifier() Verifier { return Verifier{s.key.Public().(minisign.PublicKey)} }

// Sign signs a bundle.json; it fits Commit. The same key and list give the same
// signature: its trusted comment has the bundle's digest and no time.
func (s Signer) Sign(list []byte) ([]byte, error) {
	sum := sha256.Sum256(list)
	return s.SignFile(FileList, list, "ra2-deploy bundle "+string(digestOf(sum[:])))
}

// SignFile signs what a file of this name holds. The trusted comment is signed
// too, and shown by minisign when it verifies.
func (s Signer) SignFile(name string, content []byte, trusted string) ([]byte, error) {
	r := minisign.NewReader(bytes.NewReader(content))
	if _, err := new(bytes.Buffer).ReadFrom(r); err != nil {
		return nil, err
	}
	return r.SignWithComments(s.key, trusted, "signature of "+name+" by key "+s.Verifier().ID()), nil
}

// ReadVerifier reads a public key: the text of its file, or its one line of
// base64 alone.
func ReadVerifier(text string) (Verifier, error) {
	var v Verifier
	if err := v.key.UnmarshalText([]byte(strings.TrimSpace(strings.ReplaceAll(text, "\r", "")))); err != nil {
		return Verifier{}, errors.New("this is no public key of minisign: it begins with RW and has 56 characters")
	}
	return v, nil
}

// ID is the key's number, as minisign shows it: without leading zeros.
func (v Verifier) ID() string { return keyID(v.key.ID()) }

func keyID(id uint64) string { return fmt.Sprintf("%X", id) }

// check says what is wrong with a signature of a list.
func (v Verifier) check(list, signature []byte) error { return v.CheckFile(FileList, list, signature) }

// CheckFile says what is wrong with a signature of what a file of this name holds.
func (v Verifier) CheckFile(name string, content, signature []byte) error {
	id, err := signedBy(signature)
	switch {
	case err != nil:
		return err
	case id != v.ID():
		return fmt.Errorf("it was signed by key %s, not by %s", id, v.ID())
	case !minisign.Verify(v.key, content, signature):
		return fmt.Errorf("its signature by key %s is wrong: %s or the signature was changed", v.ID(), name)
	}
	return nil
}

// SignedBy returns the ID of the key that a signature names, which anybody can
// write; only CheckFile says whether that key made it.
func SignedBy(signature []byte) (string, error) { return signedBy(signature) }

// signedBy returns the ID of the key that a signature names.
func signedBy(signature []byte) (string, error) {
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return "", errors.New("this is no signature of minisign")
	}
	return keyID(s.KeyID), nil
}
