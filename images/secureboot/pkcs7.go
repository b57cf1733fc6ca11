package secureboot

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Object identifiers of RFC 5652 (PKCS #7, CMS) and of Authenticode.
const (
	oidSignedData    = "1.2.840.113549.1.7.2"
	oidContentType   = "1.2.840.113549.1.9.3"
	oidMessageDigest = "1.2.840.113549.1.9.4"
	oidRSA           = "1.2.840.113549.1.1.1"
	oidRSASHA256     = "1.2.840.113549.1.1.11"
	oidSHA256        = "2.16.840.1.101.3.4.2.1"
	oidIndirectData  = "1.3.6.1.4.1.311.2.1.4"
	oidPEImage       = "1.3.6.1.4.1.311.2.1.15"
)

// oid reads one of the identifiers above.
func oid(text string) asn1.ObjectIdentifier {
	var id asn1.ObjectIdentifier
	for number := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(number)
		if err != nil {
			panic("secureboot: object identifier " + text) // none of the constants
		}
		id = append(id, n)
	}
	return id
}

// contentInfo is the outermost frame of PKCS #7.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

// signedData of RFC 2315, 9.1, with what Authenticode signs.
type signedData struct {
	Version          int
	DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
	Content          contentInfo
	Certificates     asn1.RawValue `asn1:"optional,tag:0"`
	CRLs             asn1.RawValue `asn1:"optional,tag:1"`
	Signers          []signerInfo  `asn1:"set"`
}

type signerInfo struct {
	Version         int
	Certificate     issuerAndSerial
	DigestAlgorithm pkix.AlgorithmIdentifier
	Attributes      asn1.RawValue `asn1:"optional,tag:0"`
	Algorithm       pkix.AlgorithmIdentifier
	Signature       []byte
	Unsigned        asn1.RawValue `asn1:"optional,tag:1"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue `asn1:"set"`
}

// indirectData is SpcIndirectDataContent: what kind of thing was hashed, and
// the hash.
type indirectData struct {
	Data   asn1.RawValue
	Digest digestInfo
}

type digestInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Digest    []byte
}

// peImage is the first half of SpcIndirectDataContent in DER: type
// SPC_PE_IMAGE_DATAOBJ, no flags, and for a file the obsolete text that the
// specification wants, empty as sbsign has it.
const peImage = "\x30\x17\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f\x30\x09\x03\x01\x00\xa0\x04\xa2\x02\x80\x00"

func sha256Algorithm() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid(oidSHA256), Parameters: asn1.NullRawValue}
}

// indirect gives SpcIndirectDataContent in DER for a program's digest.
func indirect(digest []byte) ([]byte, error) {
	return asn1.Marshal(indirectData{asn1.RawValue{FullBytes: []byte(peImage)}, digestInfo{sha256Algorithm(), digest}})
}

// attributes gives the signed attributes in DER, as the SET that is signed.
func attributes(content []byte) ([]byte, error) {
	digest := sha256.Sum256(content)
	kind, err := asn1.Marshal(oid(oidIndirectData))
	if err != nil {
		return nil, err
	}
	sum, err := asn1.Marshal(digest[:])
	if err != nil {
		return nil, err
	}
	return asn1.MarshalWithParams([]attribute{
		{oid(oidContentType), set(kind)}, {oid(oidMessageDigest), set(sum)},
	}, "set")
}

func set(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: der}
}

// inner is the content of a DER value, without its tag and length: what
// PKCS #7 hashes (RFC 2315, 9.3).
func inner(der []byte) ([]byte, error) {
	var v asn1.RawValue
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil, err
	}
	return v.Bytes, nil
}

// certificateOf names a certificate as PKCS #7 does.
func certificateOf(c *x509.Certificate) issuerAndSerial {
	return issuerAndSerial{asn1.RawValue{FullBytes: c.RawIssuer}, c.SerialNumber}
}

// signature is an Authenticode signature, read.
type signature struct {
	digest       []byte // of the program
	attributes   []byte // DER, as the SET that is signed
	signer       *x509.Certificate
	certificates []*x509.Certificate
	value        []byte
}

// readSignature reads a signature in DER and holds its parts against each
// other, but not against any key.
func readSignature(der []byte) (signature, error) {
	var s signature
	var outer contentInfo
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return s, fmt.Errorf("read the signature: %w", err)
	}
	if outer.Type.String() != oidSignedData {
		return s, fmt.Errorf("its type is %v, and signed data have %v", outer.Type, oidSignedData)
	}
	var data signedData
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &data); err != nil {
		return s, err
	}
	if data.Content.Type.String() != oidIndirectData {
		return s, fmt.Errorf("it signs %v, and programs are %v", data.Content.Type, oidIndirectData)
	}
	if len(data.Signers) != 1 {
		return s, fmt.Errorf("it has %d signers, and programs have one", len(data.Signers))
	}
	var err error
	if s.certificates, err = x509.ParseCertificates(data.Certificates.Bytes); err != nil {
		return s, err
	}
	if s.digest, err = readDigest(data.Content.Content.Bytes); err != nil {
		return s, err
	}
	return s, s.readSigner(data.Signers[0], data.Content.Content.Bytes)
}

func readDigest(der []byte) ([]byte, error) {
	var content indirectData
	if _, err := asn1.Unmarshal(der, &content); err != nil {
		return nil, err
	}
	var kind struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(content.Data.FullBytes, &kind); err != nil {
		return nil, err
	}
	if kind.Type.String() != oidPEImage {
		return nil, fmt.Errorf("it is of a thing %v, and programs are %v", kind.Type, oidPEImage)
	}
	if content.Digest.Algorithm.Algorithm.String() != oidSHA256 {
		return nil, fmt.Errorf("the program's hash is %v, and only SHA-256 is taken", content.Digest.Algorithm.Algorithm)
	}
	return content.Digest.Digest, nil
}

func (s *signature) readSigner(info signerInfo, content []byte) error {
	for _, c := range s.certificates {
		if bytes.Equal(c.RawIssuer, info.Certificate.Issuer.FullBytes) && info.Certificate.Serial != nil && c.SerialNumber.Cmp(info.Certificate.Serial) == 0 {
			s.signer = c
		}
	}
	if s.signer == nil {
		return errors.New("the signer's certificate is not in it")
	}
	if info.DigestAlgorithm.Algorithm.String() != oidSHA256 {
		return fmt.Errorf("its hash is %v, and only SHA-256 is taken", info.DigestAlgorithm.Algorithm)
	}
	if a := info.Algorithm.Algorithm; a.String() != oidRSA && a.String() != oidRSASHA256 {
		return fmt.Errorf("its kind is %v, and only RSA is taken", a)
	}
	if len(info.Attributes.FullBytes) == 0 {
		return errors.New("it has no signed attributes")
	}
	// They are signed as a SET and stored under an implicit tag (RFC 2315, 9.3).
	s.attributes = bytes.Clone(info.Attributes.FullBytes)
	s.attributes[0] = asn1.TagSet | 0x20
	s.value = info.Signature
	return s.sameContent(content)
}

// sameContent holds the signed attributes against what they speak of.
func (s *signature) sameContent(content []byte) error {
	var list []attribute
	if _, err := asn1.UnmarshalWithParams(s.attributes, &list, "set"); err != nil {
		return err
	}
	hashed, err := inner(content)
	if err != nil {
		return err
	}
	want := sha256.Sum256(hashed)
	for _, a := range list {
		if a.Type.String() != oidMessageDigest {
			continue
		}
		var got []byte
		if _, err := asn1.Unmarshal(a.Values.Bytes, &got); err != nil {
			return err
		}
		if !bytes.Equal(got, want[:]) {
			return errors.New("the digest that is signed is of something else")
		}
		return nil
	}
	return errors.New("it signs no digest")
}
