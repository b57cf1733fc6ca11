package agent

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// NewKey makes the provisioner's long-lived key (ECDSA P-256). Hosts know the
// provisioner by it alone, so it is kept beside the record, mode 0600.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// EncodeKey returns the key as PKCS #8 in PEM. It is secret.
func EncodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode agent key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// DecodeKey reads what EncodeKey wrote.
func DecodeKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("decode agent key: not a PEM block PRIVATE KEY")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("decode agent key: %w", err)
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("decode agent key: %T is not ECDSA", any)
	}
	return key, nil
}

// Pin returns "sha256:<hex>" of the key's SubjectPublicKeyInfo (as RFC 7469
// does, in hex).
func Pin(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("pin of the agent key: %w", err)
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// ClientTLS trusts exactly the key with this pin. Names and dates of the
// certificate mean nothing: the pin came by the same way as the program.
func ClientTLS(pin string) (*tls.Config, error) {
	want, err := hex.DecodeString(strings.TrimPrefix(pin, "sha256:"))
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("pin %q is not sha256:<64 hex digits>", pin)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // #nosec G402 -- VerifyConnection below checks the pinned key instead of a chain
		NextProtos:         []string{"http/1.1"},
		VerifyConnection: func(state tls.ConnectionState) error {
			got := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if subtle.ConstantTimeCompare(got[:], want) != 1 {
				return &PinError{Want: pin, Got: "sha256:" + hex.EncodeToString(got[:])}
			}
			return nil
		},
	}, nil
}

// PinError says that something else than the provisioner answers on its address.
type PinError struct{ Want, Got string }

// Error implements error.
func (e *PinError) Error() string {
	return fmt.Sprintf("the server's key is %s and should be %s: this is not the provisioner that started the install", e.Got, e.Want)
}
