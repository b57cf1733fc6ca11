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
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"time"
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

// ServerTLS returns the configuration of the API's listener: a certificate
// made now from the long-lived key. It begins a day in the past, since the
// clock of a server that was in a box may be behind (coreos/ignition#1484).
func ServerTLS(key *ecdsa.PrivateKey, now time.Time, addresses []netip.Addr) (*tls.Config, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "ra2-deploy agent API"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, a := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(a.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the agent API: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"}, // one long stream per host: HTTP/2 adds flow control and nothing else
	}, nil
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
