package agent_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// What a key signs today is trusted by whoever keeps the authority of that key,
// now and in years, and by nobody who keeps another.
func TestAuthority(t *testing.T) {
	key := newKey(t)
	first, err := agent.AuthorityPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := agent.AuthorityPEM(key)
	if err != nil || !bytes.Equal(first, again) {
		t.Fatalf("the authority of one key differs: %v\n%s\n%s", err, first, again)
	}
	conf, err := agent.ServerTLS(key, time.Now(), []netip.Addr{netip.MustParseAddr("10.17.0.1"), netip.MustParseAddr("fd00:17::1")})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(conf.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	other, err := agent.AuthorityPEM(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ca   []byte
		host string
		good bool
	}{{first, "10.17.0.1", true}, {first, "fd00:17::1", true}, {first, "10.17.0.2", false}, {other, "10.17.0.1", false}} {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(c.ca) {
			t.Fatal("the authority is no certificate")
		}
		for _, at := range []time.Time{time.Now(), time.Now().AddDate(9, 0, 0)} {
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: c.host, Roots: pool, CurrentTime: at})
			if (err == nil) != c.good {
				t.Errorf("%s at %s: %v", c.host, at, err)
			}
		}
	}
	opensslVerifies(t, first, leaf)
}

// opensslVerifies asks the library that curl, apt and dnf use, which looks closer
// at key identifiers than Go does.
func opensslVerifies(t *testing.T, ca []byte, leaf *x509.Certificate) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("without openssl: it is not asked")
		return
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{"ca": ca, "leaf": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", filepath.Join(dir, "ca"), filepath.Join(dir, "leaf")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
