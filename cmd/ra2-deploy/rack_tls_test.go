package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// tls is how the server speaks TLS now.
func (s *server) tls(*tls.ClientHelloInfo) (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &tls.Config{Certificates: []tls.Certificate{s.cert}}, nil
}

// certify gives the server a new certificate that is valid for so long, like
// -24h for one that ended yesterday.
func (s *server) certify(validity string) error {
	d, err := time.ParseDuration(validity)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "idrac-" + s.name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.Add(d)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	s.http.CloseClientConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cert, s.pin = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, bmc.Fingerprint(der)
	return nil
}
