package secureboot

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// WIN_CERTIFICATE (UEFI 2.10, 32.2.4): length, revision, type, then PKCS #7.
const (
	certificateHeader   = 8
	certificateRevision = 0x0200
	certificatePKCS7    = 0x0002 // WIN_CERT_TYPE_PKCS_SIGNED_DATA
)

// A Signer signs programs with one key.
type Signer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// Certificate is the certificate that firmware must have in db.
func (s Signer) Certificate() *x509.Certificate { return s.certificate }

// Sign returns the program with a signature behind those that it has. The same
// program and key give the same bytes (RSASSA-PKCS1-v1_5, RFC 8017, 8.2).
func (s Signer) Sign(program []byte) ([]byte, error) {
	p, err := parse(program)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if p.certs != 0 && int(p.certs)+int(p.certsLen) != len(p.data) {
		return nil, errors.New("sign: there are bytes behind the program's signatures")
	}
	digest, err := p.digest()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	der, err := s.sign(digest)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return p.attach(der), nil
}

// sign makes the PKCS #7 signature of a program's digest.
func (s Signer) sign(digest []byte) ([]byte, error) {
	content, err := indirect(digest)
	if err != nil {
		return nil, err
	}
	hashed, err := inner(content)
	if err != nil {
		return nil, err
	}
	signed, err := attributes(hashed)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(signed)
	value, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	stored := slices.Clone(signed)
	stored[0] = 0xa0 // [0] IMPLICIT instead of SET
	inside, err := asn1.Marshal(signedData{
		Version: 1, DigestAlgorithms: []pkix.AlgorithmIdentifier{sha256Algorithm()},
		Content:      contentInfo{oid(oidIndirectData), asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content}},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: s.certificate.Raw},
		Signers: []signerInfo{{
			Version: 1, Certificate: certificateOf(s.certificate), DigestAlgorithm: sha256Algorithm(), Attributes: asn1.RawValue{FullBytes: stored},
			Algorithm: pkix.AlgorithmIdentifier{Algorithm: oid(oidRSA), Parameters: asn1.NullRawValue}, Signature: value,
		}},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oid(oidSignedData), asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inside}})
}

// attach returns the program with one more signature.
func (p *program) attach(der []byte) []byte {
	out := slices.Clone(p.data)
	begin := p.certs
	if begin == 0 {
		out = append(out, make([]byte, padding(len(out), certificateAlign))...)
		begin = uint32(len(out))
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(certificateHeader+len(der)))
	out = binary.LittleEndian.AppendUint16(out, certificateRevision)
	out = binary.LittleEndian.AppendUint16(out, certificatePKCS7)
	out = append(out, der...)
	out = append(out, make([]byte, padding(len(out), certificateAlign))...)
	binary.LittleEndian.PutUint32(out[p.opt+optSecurity:], begin)
	binary.LittleEndian.PutUint32(out[p.opt+optSecurity+4:], uint32(len(out))-begin)
	binary.LittleEndian.PutUint32(out[p.opt+optCheckSum:], checkSum(out, p.opt+optCheckSum))
	return out
}

// NotSigned says that no signature of a program is by a wanted key.
type NotSigned struct {
	By []string // subjects of the certificates that it is signed by; none when it isn't signed
}

// Error tells by whom it is signed instead.
func (e *NotSigned) Error() string {
	if len(e.By) == 0 {
		return "the program is not signed"
	}
	return fmt.Sprintf("the program is signed by %q, and by no key that is trusted", e.By)
}

// Verify holds a program's signatures against certificates as firmware holds
// them against db: one that is right and comes from a certificate of the list,
// or from one that such a certificate has issued, is enough. The error is
// *NotSigned when there is none. Like firmware it doesn't look at dates.
func Verify(program []byte, trusted []*x509.Certificate) error {
	p, err := parse(program)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	ders, err := p.signatures()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	digest, err := p.digest()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	missing := &NotSigned{}
	var wrong error
	for _, der := range ders {
		s, err := readSignature(der)
		if err == nil {
			err = s.of(digest)
		}
		switch {
		case err != nil:
			wrong = errors.Join(wrong, fmt.Errorf("verify: %w", err))
		case s.from(trusted):
			return nil
		default:
			missing.By = append(missing.By, s.signer.Subject.String())
		}
	}
	if wrong != nil {
		return wrong
	}
	return missing
}

// of holds the signature against a program's digest and its own certificate.
func (s signature) of(digest []byte) error {
	if !bytes.Equal(s.digest, digest) {
		return errors.New("the program was changed after it was signed")
	}
	if err := s.signer.CheckSignature(x509.SHA256WithRSA, s.attributes, s.value); err != nil {
		return fmt.Errorf("signature by %q: %w", s.signer.Subject, err)
	}
	return nil
}

// from reports whether the signer is one of the certificates, or was issued by
// one.
func (s signature) from(trusted []*x509.Certificate) bool {
	for _, t := range trusted {
		if t.Equal(s.signer) || s.issued(t, s.signer, len(s.certificates)) {
			return true
		}
	}
	return false
}

// issued follows issuers from c towards root, over at most depth certificates.
func (s signature) issued(root, c *x509.Certificate, depth int) bool {
	if depth < 0 {
		return false
	}
	if root.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil && bytes.Equal(root.RawSubject, c.RawIssuer) {
		return true
	}
	for _, up := range s.certificates {
		if !up.Equal(c) && bytes.Equal(up.RawSubject, c.RawIssuer) && up.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return s.issued(root, up, depth-1)
		}
	}
	return false
}

// signatures gives the PKCS #7 signatures of a program in DER.
func (p *program) signatures() ([][]byte, error) {
	if p.certs == 0 {
		return nil, nil
	}
	var all [][]byte
	for rest := p.data[p.certs : p.certs+p.certsLen]; len(rest) > 0; {
		if len(rest) < certificateHeader {
			return nil, errors.New("its signatures end inside one")
		}
		n := int(binary.LittleEndian.Uint32(rest))
		if n < certificateHeader || n > len(rest) {
			return nil, fmt.Errorf("a signature says it has %d bytes of %d", n, len(rest))
		}
		if binary.LittleEndian.Uint16(rest[6:]) == certificatePKCS7 {
			all = append(all, rest[certificateHeader:n])
		}
		rest = rest[min(len(rest), n+padding(n, certificateAlign)):]
	}
	return all, nil
}

// minBits is the least RSA key that is taken: UEFI 2.10, 32.4.1 knows
// certificates with RSA of 2048 bits and more, and nobody breaks those.
const minBits = 2048

// NewSigner joins a certificate and its private key. Firmware knows RSA only.
func NewSigner(certificate *x509.Certificate, key crypto.Signer) (Signer, error) {
	public, ok := certificate.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return Signer{}, fmt.Errorf("the certificate's key is %v, and firmware verifies RSA only", certificate.PublicKeyAlgorithm)
	case public.N.BitLen() < minBits:
		return Signer{}, fmt.Errorf("the certificate's key has %d bits and needs %d", public.N.BitLen(), minBits)
	case !public.Equal(key.Public()):
		return Signer{}, errors.New("the private key is not that of the certificate")
	}
	return Signer{certificate, key}, nil
}
