package kubeadm

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

var made = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func testPKI(t testing.TB) PKI {
	t.Helper()
	p, err := NewPKI(fixed(), made)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPKI(t *testing.T) {
	p := testPKI(t)
	for name, a := range map[string]Authority{"ca": p.CA, "front-proxy": p.FrontProxy, "etcd": p.Etcd} {
		cert, key, err := a.parse()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !cert.IsCA || cert.CheckSignatureFrom(cert) != nil {
			t.Errorf("%s isn't a CA that signed itself", name)
		}
		if got := made.Sub(cert.NotBefore); got != 24*time.Hour {
			t.Errorf("%s begins %v before it is made", name, got)
		}
		if got := cert.NotAfter.Sub(made).Hours() / 24 / 365; got != 10 {
			t.Errorf("%s is good for %v years", name, got)
		}
		if key.Curve.Params().Name != "P-256" {
			t.Errorf("%s is on %s", name, key.Curve.Params().Name)
		}
	}
	if p.CA.Key.Reveal() == p.Etcd.Key.Reveal() {
		t.Error("two authorities share a key")
	}
}

// A leaf of one authority is good for that authority, and for no other.
func TestClient(t *testing.T) {
	p := testPKI(t)
	leaf, err := p.Etcd.Client(fixed(), made, "ra2-deploy", "group")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair([]byte(leaf.Cert), []byte(leaf.Key.Reveal())); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(leaf.Cert))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(a Authority) error {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(a.Cert))
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: made, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err
	}
	if err := verify(p.Etcd); err != nil {
		t.Error(err)
	}
	if verify(p.CA) == nil {
		t.Error("a certificate of etcd's authority is good for the cluster's")
	}
	if cert.Subject.CommonName != "ra2-deploy" || cert.Subject.Organization[0] != "group" {
		t.Errorf("the subject is %v", cert.Subject)
	}
}

// kubeadm finds and takes the files as its own (pkiutil, "certs all").
func TestKubeadmTakesTheFiles(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, testPKI(t).Files())
	for _, name := range []string{"ca", "front-proxy-ca", "etcd/ca"} {
		cert, key, err := pkiutil.TryLoadCertAndKeyFromDisk(dir+pkiDir, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := key.(*ecdsa.PrivateKey); !ok || !cert.IsCA {
			t.Errorf("%s: %T, CA %v", name, key, cert.IsCA)
		}
	}
	if _, _, err := pkiutil.TryLoadPrivatePublicKeyFromDisk(dir+pkiDir, "sa"); err != nil {
		t.Error(err)
	}
}

func TestEncode(t *testing.T) {
	p := testPKI(t)
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParsePKI(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || again.Reveal() != text.Reveal() {
		t.Errorf("not the same after a round trip (%v)", err)
	}
	for _, bad := range []string{"", "{}", "x" + text.Reveal(), strings.Replace(text.Reveal(), "BEGIN EC", "BEGIN XX", 1)} {
		if _, err := ParsePKI(secret.New(bad)); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%.20q...: %v", bad, err)
		}
	}
}

func TestAdminKubeconfig(t *testing.T) {
	text, err := testPKI(t).AdminKubeconfig(fixed(), made, "edge-17", "https://10.17.0.11:6443", "ra2-deploy")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://10.17.0.11:6443" || len(config.CAData) == 0 {
		t.Errorf("host %q, %d bytes of CA", config.Host, len(config.CAData))
	}
	if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil {
		t.Error(err)
	}
}

// The same bytes and time give the same keys; nothing of them prints.
func TestDeterministicAndSilent(t *testing.T) {
	a, b := testPKI(t), testPKI(t)
	if d := cmp.Diff(a.CA.Cert+a.CA.Key.Reveal()+a.SAPub, b.CA.Cert+b.CA.Key.Reveal()+b.SAPub); d != "" {
		t.Error(d)
	}
	if text := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(text, "PRIVATE") {
		t.Error("a key prints")
	}
}

func TestToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.Byte(), 4096, 4096).Draw(t, "random")
		token, err := NewToken(strings.NewReader(string(bytes)))
		if err != nil {
			return // all bytes above the fair limit: the reader ran dry
		}
		c := site(3, 1, true)
		in := input(c, 0)
		in.Token = token
		if _, err := Init(in); err != nil {
			t.Error(err)
		}
	})
	a, _ := NewToken(fixed())
	if a.Empty() || len(a.Reveal()) != 23 {
		t.Errorf("a token of %d characters", len(a.Reveal()))
	}
}
