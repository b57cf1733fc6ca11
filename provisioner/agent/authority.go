package agent

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"
)

// authority is the certificate of the provisioner's key, for programs that trust
// certificates and know no pins: containerd, apt, dnf. It is the same bytes for
// the same key, and doesn't end (RFC 5280, 4.1.2.5): it is worth what the key is
// worth, and lies on nodes that are replaced, not changed.
func authority(key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(id[:15]),
		Subject:      pkix.Name{CommonName: "ra2-deploy site authority"},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageCertSign,
		IsCA:         true, BasicConstraintsValid: true, MaxPathLenZero: true,
		SubjectKeyId: id[:20],
	}
	// Without a source of chance the signature is RFC 6979's, the same each time.
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the site's authority: %w", err)
	}
	return x509.ParseCertificate(der)
}

// AuthorityPEM returns the certificate that signs those of ServerTLS, in PEM.
func AuthorityPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	cert, err := authority(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), nil
}

// ServerTLS returns the configuration of a listener at these addresses: a
// certificate made now from the long-lived key, signed by the authority of the
// same key. It begins a day in the past, since the clock of a server that was in a
// box may be behind (coreos/ignition#1484).
func ServerTLS(key *ecdsa.PrivateKey, now time.Time, addresses []netip.Addr) (*tls.Config, error) {
	signer, err := authority(key)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "ra2-deploy provisioner"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, a := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(a.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the provisioner: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"}, // one long stream per host: HTTP/2 adds flow control and nothing else
	}, nil
}
