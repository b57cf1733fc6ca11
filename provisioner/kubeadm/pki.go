package kubeadm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// Validity of certificates. They begin a day before they are made: a node whose
// clock is behind must not find them "not yet valid" at its first boot.
const (
	BackDate     = 24 * time.Hour
	CAValidity   = 10 * 365 * 24 * time.Hour
	LeafValidity = 365 * 24 * time.Hour // as kubeadm's own
)

// An Authority is a CA: its certificate and its key, both PEM.
type Authority struct {
	Cert string
	Key  secret.Value
}

// PKI is what all control planes share: three authorities and the key that
// signs the tokens of service accounts. kubeadm makes each node's own
// certificates from them; those begin five minutes before the node's own clock.
type PKI struct {
	CA         Authority // of the API server, kubelets and users
	FrontProxy Authority // of aggregated API servers
	Etcd       Authority // of etcd's members and clients
	SAKey      secret.Value
	SAPub      string
}

// NewPKI makes all keys (ECDSA P-256) and certificates from random bytes: the
// same bytes and the same time make the same keys.
func NewPKI(random io.Reader, now time.Time) (PKI, error) {
	var p PKI
	var err error
	for _, a := range []struct {
		name string
		to   *Authority
	}{{"kubernetes", &p.CA}, {"front-proxy-ca", &p.FrontProxy}, {"etcd-ca", &p.Etcd}} {
		if *a.to, err = newAuthority(random, now, a.name); err != nil {
			return PKI{}, fmt.Errorf("make the authority %s: %w", a.name, err)
		}
	}
	key, err := newKey(random)
	if err != nil {
		return PKI{}, fmt.Errorf("make the key for service accounts: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return PKI{}, fmt.Errorf("encode the key for service accounts: %w", err)
	}
	p.SAPub = encode("PUBLIC KEY", public)
	p.SAKey, err = encodeKey(key)
	return p, err
}

// pkiJSON is how a PKI is kept. It is secret as a whole.
type pkiJSON struct {
	Version                                               int
	CACert, CAKey, FrontCert, FrontKey, EtcdCert, EtcdKey string
	SAKey, SAPub                                          string
}

// Encode returns p as one secret text for ParsePKI, to be kept where only its
// owner can read it (mode 0600).
func (p PKI) Encode() (secret.Value, error) {
	text, err := json.MarshalIndent(pkiJSON{
		1, p.CA.Cert, p.CA.Key.Reveal(), p.FrontProxy.Cert, p.FrontProxy.Key.Reveal(),
		p.Etcd.Cert, p.Etcd.Key.Reveal(), p.SAKey.Reveal(), p.SAPub,
	}, "", " ")
	return secret.New(string(text)), err
}

// ParsePKI reads what Encode wrote.
func ParsePKI(text secret.Value) (PKI, error) {
	var j pkiJSON
	// The decoder's error could quote the text, which is secret.
	if json.Unmarshal([]byte(text.Reveal()), &j) != nil || j.Version != 1 {
		return PKI{}, fmt.Errorf("read the cluster's certificates: not what this version of ra2-deploy wrote")
	}
	p := PKI{
		CA:         Authority{j.CACert, secret.New(j.CAKey)},
		FrontProxy: Authority{j.FrontCert, secret.New(j.FrontKey)},
		Etcd:       Authority{j.EtcdCert, secret.New(j.EtcdKey)},
		SAKey:      secret.New(j.SAKey), SAPub: j.SAPub,
	}
	for name, a := range map[string]Authority{"ca": p.CA, "front-proxy-ca": p.FrontProxy, "etcd-ca": p.Etcd} {
		if _, _, err := a.parse(); err != nil {
			return PKI{}, fmt.Errorf("read the cluster's certificates: %s: %w", name, err)
		}
	}
	return p, nil
}

// Files returns the files that every control plane has below
// /etc/kubernetes/pki before kubeadm makes the rest.
func (p PKI) Files() []wire.File {
	file := func(name, text string, mode uint32) wire.File {
		return wire.File{Path: pkiDir + "/" + name, Mode: mode, Data: []byte(text)}
	}
	return []wire.File{
		file("ca.crt", p.CA.Cert, 0o644), file("ca.key", p.CA.Key.Reveal(), 0o600),
		file("front-proxy-ca.crt", p.FrontProxy.Cert, 0o644), file("front-proxy-ca.key", p.FrontProxy.Key.Reveal(), 0o600),
		file("etcd/ca.crt", p.Etcd.Cert, 0o644), file("etcd/ca.key", p.Etcd.Key.Reveal(), 0o600),
		file("sa.pub", p.SAPub, 0o600), file("sa.key", p.SAKey.Reveal(), 0o600),
	}
}

func newAuthority(random io.Reader, now time.Time, name string) (Authority, error) {
	key, err := newKey(random)
	if err != nil {
		return Authority{}, err
	}
	template, err := template(random, now, CAValidity)
	if err != nil {
		return Authority{}, err
	}
	template.Subject = pkix.Name{CommonName: name}
	template.DNSNames = []string{name} // as kubeadm's own (pkiutil.NewSelfSignedCACert)
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.IsCA = true
	// With no source of randomness ECDSA signs deterministically (RFC 6979).
	der, err := x509.CreateCertificate(nil, template, template, &key.PublicKey, key)
	if err != nil {
		return Authority{}, err
	}
	text, err := encodeKey(key)
	return Authority{encode("CERTIFICATE", der), text}, err
}

// template returns what authorities and leaves have in common.
func template(random io.Reader, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(random, serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // RFC 5280 4.1.2.2: positive, at most 20 octets
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial),
		NotBefore:             now.Add(-BackDate).UTC(),
		NotAfter:              now.Add(validity).UTC(),
		BasicConstraintsValid: true,
	}, nil
}

// newKey makes an ECDSA P-256 key of random bytes. ecdsa.GenerateKey would
// ignore the reader since Go 1.26.
func newKey(random io.Reader) (*ecdsa.PrivateKey, error) {
	raw := make([]byte, 32)
	for {
		if _, err := io.ReadFull(random, raw); err != nil {
			return nil, err
		}
		// It refuses zero and what isn't below the order of the group: try other bytes.
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw); err == nil {
			return key, nil
		}
	}
}

func encodeKey(key *ecdsa.PrivateKey) (secret.Value, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return secret.New(encode("EC PRIVATE KEY", der)), err
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
