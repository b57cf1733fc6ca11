package watch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// api is an API server that lets only this kubelet change its own node's status.
func api(t *testing.T, root string, patched *map[string]any) *httptest.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: "system:node:w-a", Organization: []string{"system:nodes"}},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	both := append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), cert...)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	pair, err := tls.X509KeyPair(both, both)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := r.TLS.PeerCertificates[0].Subject.CommonName
		if r.Method != http.MethodPatch || r.URL.Path != "/api/v1/nodes/w-a/status" || who != "system:node:w-a" || r.Header.Get("Content-Type") != "application/strategic-merge-patch+json" {
			http.Error(w, who+" may not "+r.Method+" "+r.URL.Path, http.StatusForbidden)
			return
		}
		if err := json.NewDecoder(r.Body).Decode(patched); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.StartTLS()
	t.Cleanup(s.Close)
	for name, text := range map[string][]byte{
		"etc/kubernetes/kubelet.conf":                    []byte("apiVersion: v1\nclusters:\n- cluster:\n    server: " + s.URL + "\n  name: edge\n"),
		"etc/kubernetes/pki/ca.crt":                      cert,
		"var/lib/kubelet/pki/kubelet-client-current.pem": both,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCondition(t *testing.T) {
	root, got := t.TempDir(), map[string]any{}
	api(t, root, &got)
	k := installed(root)
	if err := k.set(t.Context(), "w-a", corrupt("data block 7 is corrupted"), time.Unix(1767225600, 0)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"type":"` + agent.ConditionRootCorrupt + `"`, `"status":"True"`, `"message":"data block 7 is corrupted"`, `"lastTransitionTime":"2026-01-01T00:00:00Z"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the patch lacks %s: %s", want, text)
		}
	}
	if err := k.set(t.Context(), "w-b", corrupt("x"), time.Now()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("another node's object: %v", err)
	}
	if err := os.WriteFile(k.client, []byte("very secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.set(t.Context(), "w-a", corrupt("x"), time.Now()); err == nil || strings.Contains(err.Error(), "very secret") {
		t.Errorf("a bad key: %v", err)
	}
	if err := installed(t.TempDir()).set(t.Context(), "w-a", corrupt("x"), time.Now()); !os.IsNotExist(err) {
		t.Errorf("a host that is no member: %v", err)
	}
}
