package provisioner

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// aBundle is a bundle with one file.
func aBundle(t *testing.T) bundle.Bundle {
	t.Helper()
	w, err := bundle.Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.AddFile(bundle.Item{Kind: bundle.File, Name: "note", Source: "file:note"}, strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	b, err := w.Commit(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loopback() inventory.Cluster {
	var c inventory.Cluster
	c.Provisioning.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}
	return c
}

// What nodes are told to trust is what a bundle is served with, from a directory
// and from one file, in this run and in the next.
func TestContent(t *testing.T) {
	b, dir := aBundle(t), t.TempDir()
	file := filepath.Join(dir, "bundle.tar")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Export(t.Context(), out, nil), out.Close()); err != nil {
		t.Fatal(err)
	}
	o := ContentOptions{Cache: dir, Inventory: filepath.Join(dir, "edge.yaml"), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Log: slog.New(slog.DiscardHandler)}
	key, err := stateOf(o.Inventory).agentKey()
	if err != nil {
		t.Fatal(err)
	}
	told, err := mirrorOf(loopback(), key)
	if err != nil || told.URL != "https://127.0.0.1:8444" {
		t.Fatalf("%+v, %v", told, err)
	}
	for _, path := range []string{b.Dir(), file} {
		o.Bundle = path
		content, err := OpenContent(t.Context(), loopback(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- content.Serve(ctx) }()
		if text, err := trusting(t, told.CA, content.Places[0]+"/file/note"); err != nil || text != "hello" {
			t.Errorf("%s: %q, %v", path, text, err)
		}
		if kept, err := os.ReadFile(content.CA); err != nil || string(kept) != told.CA {
			t.Errorf("the certificate that is kept for people: %s, %v", kept, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// trusting asks as a client that trusts one certificate.
func trusting(t *testing.T, ca, url string) (string, error) {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		t.Fatal("no certificate")
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	r, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

// A stranger's certificate is not trusted, and a bundle that is bad, unsigned or
// not there is refused before a port is open.
func TestContentRefused(t *testing.T) {
	dir := t.TempDir()
	bad := aBundle(t)
	if err := errors.Join(os.Chmod(bad.Path(bad.Items()[0]), 0o644), os.WriteFile(bad.Path(bad.Items()[0]), []byte("hallo"), 0o644)); err != nil {
		t.Fatal(err)
	}
	private, public, err := bundle.GenerateKey(secret.Value{})
	if err != nil || len(private) == 0 {
		t.Fatal(err)
	}
	key, err := bundle.ReadVerifier(string(public))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		key  *bundle.Verifier
		want string
	}{
		"no bundle": {filepath.Join(dir, "none"), nil, "no such file"},
		"unsigned":  {aBundle(t).Dir(), &key, "sign"},
		"damaged":   {bad.Dir(), nil, "file note"},
	} {
		_, err := OpenContent(t.Context(), loopback(), ContentOptions{Bundle: c.path, Key: c.key, Cache: dir, Inventory: filepath.Join(dir, "edge.yaml"), Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "edge.ra2")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused call left something: %v", err)
	}
}

// What is wrong with a bundle while a run serves it becomes a notice of the run.
func TestTeller(t *testing.T) {
	var said []string
	log := slog.New(teller{func(node, text string) { said = append(said, text) }})
	log.Error("not served", "why", "file note is damaged")
	log.Info("a request")
	if len(said) != 1 || said[0] != `bundle: not served why="file note is damaged"` {
		t.Errorf("%q", said)
	}
}

// A stranger's key serves nobody of this site.
func TestContentStranger(t *testing.T) {
	key, err := agent.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := agent.AuthorityPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	content, err := OpenContent(t.Context(), loopback(), ContentOptions{
		Bundle: aBundle(t).Dir(), Cache: dir, Inventory: filepath.Join(dir, "edge.yaml"), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- content.Serve(ctx) }()
	if text, err := trusting(t, string(other), content.Places[0]+"/file/note"); err == nil {
		t.Errorf("who trusts another key got %q", text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if block, _ := pem.Decode(other); block == nil || bytes.Contains(other, []byte("PRIVATE")) {
		t.Error("the certificate is none")
	}
}
