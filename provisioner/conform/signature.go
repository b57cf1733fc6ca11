package conform

import (
	"crypto/x509"
	"encoding/base64"
	encoded "encoding/pem"
	"fmt"
)

// signatures judges by what hash cert-manager's certificates are signed, as its
// requests hold them (they are public). Only some releases ask for it.
func (s Snapshot) signatures(bits int) []Finding {
	want := fmt.Sprintf("certificates that are signed with a hash of %d bits or more", bits)
	if lack := s.lack(want, CustomOf(certRequests)); lack != nil {
		return lack
	}
	var all []Finding
	for _, o := range s.Custom[certRequests] {
		text, err := base64.StdEncoding.DecodeString(o.Text("status", "certificate"))
		block, _ := encoded.Decode(text)
		if err != nil || block == nil {
			continue // it wasn't issued yet, or was denied
		}
		object := "certificaterequest/" + o.Text("metadata", "namespace") + "/" + o.Text("metadata", "name")
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			all = append(all, Finding{Verdict: Unknown, Subject: object, Want: want, Missing: []string{"its certificate can't be read: " + err.Error()}})
			continue
		}
		seen := s.saw(CustomOf(certRequests), object, ".status.certificate", cert.SignatureAlgorithm)
		seen.Command += " | base64 -d | openssl x509 -noout -text"
		all = append(all, either(hashBits(cert.SignatureAlgorithm) >= bits, object, want, cert.SignatureAlgorithm.String(), "issue it anew, with SHA-256 or stronger", seen))
	}
	if _, done := s.probe(ProbeCertificate); all == nil && !done {
		return []Finding{{Verdict: Unknown, Want: want, Missing: []string{"customTypes: no CertificateRequest holds a certificate"}}}
	}
	return all
}

// hashBits returns the length of the hash that an algorithm signs, 0 of one that is
// unknown or broken.
func hashBits(a x509.SignatureAlgorithm) int {
	switch a {
	case x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		return 256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return 384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512, x509.PureEd25519: // Ed25519 hashes with SHA-512 (RFC 8032)
		return 512
	}
	return 0
}
