package bmc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"
)

// TLS returns how a controller is served: by a certificate of its own, or by
// the one that its faults want at the time of the handshake. The fingerprint
// is that of the certificate which an inventory knows: the one that it shows at
// first, and with the fault "changed" the one before.
func (c *Controller) TLS(address netip.Addr) (*tls.Config, string, error) {
	shown := map[string]tls.Certificate{}
	now := time.Now()
	for fault, until := range map[string]time.Time{"": now.AddDate(10, 0, 0), "changed": now.AddDate(10, 0, 0), "expired": now.Add(-time.Hour)} {
		cert, _, err := selfSigned(address, until)
		if err != nil {
			return nil, "", err
		}
		shown[fault] = cert
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert := shown[c.Faults().Certificate]
		return &cert, nil
	}}
	known := c.Faults().Certificate
	if known == "changed" {
		known = "" // the inventory was written before the change
	}
	return cfg, Fingerprint(shown[known].Certificate[0]), nil
}

// SelfSigned returns a certificate as a BMC makes one for itself at first
// start (ECDSA P-256, ten years, back-dated by a day against clock skew), and
// its fingerprint "sha256:<hex of the certificate>".
func SelfSigned(address netip.Addr) (tls.Certificate, string, error) {
	return selfSigned(address, time.Now().AddDate(10, 0, 0))
}

func selfSigned(address netip.Addr, until time.Time) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make a key for the BMC at %s: %w", address, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make a certificate for the BMC at %s: %w", address, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: address.String(), Organization: []string{vendor}},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IPAddresses: []net.IP{address.AsSlice()},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("sign the certificate of the BMC at %s: %w", address, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, Fingerprint(der), nil
}

// Fingerprint returns "sha256:<hex>" of a DER certificate.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}
