package secureboot

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseCertificate reads one X.509 certificate, PEM or DER.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	der := text
	if block, rest := pem.Decode(text); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds %q, and CERTIFICATE is wanted", block.Type)
		}
		if more, _ := pem.Decode(rest); more != nil {
			return nil, errors.New("it holds more than one certificate")
		}
		der = block.Bytes
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("it is no X.509 certificate: %w", err)
	}
	return c, nil
}

// ParseKey reads a private key in PEM, PKCS #8 or PKCS #1. What is wrong is
// told without a byte of it.
func ParseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is no private key in PEM")
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("its private key can't be read as PKCS #8")
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, fmt.Errorf("its private key is a %T, which signs nothing", key)
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			break
		}
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("its private key can't be read as PKCS #1")
		}
		return key, nil
	case "ENCRYPTED PRIVATE KEY":
	default:
		return nil, fmt.Errorf("it holds %q, and a private key is wanted", block.Type)
	}
	return nil, errors.New("its private key is encrypted; next: openssl pkey -in FILE -out DECRYPTED, and keep that file to yourself")
}

// Fingerprint names a certificate: "sha256:" and the hex of its DER's digest.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PEM gives a certificate as text, as Redfish wants it.
func PEM(c *x509.Certificate) []byte {
	var out bytes.Buffer
	_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // to memory, without headers: can't fail
	return out.Bytes()
}
