package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// A bundle is served until the interrupt, which is a good end; what was asked for
// is counted then.
func TestBundleServe(t *testing.T) {
	r, err := newRack()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	dir := t.TempDir()
	site := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(site, []byte(r.inventory()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BMC_PASSWORD", password)
	for _, s := range r.servers {
		t.Setenv(strings.ReplaceAll(s.name, "-", "_")+"_url", s.url())
	}
	path := filepath.Join(dir, "bundle")
	writeBundle(t, path)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	var errs strings.Builder
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"bundle", "serve", path, site, "--listen", "127.0.0.1:0"}, strings.NewReader(""), in, &errs)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	url := ""
	for lines.Scan() && !strings.Contains(lines.Text(), "An interrupt") {
		if m := regexp.MustCompile(`served at\s+(https://\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
	}
	if url == "" {
		t.Fatalf("it is not served: exit status %d\n%s", <-ended, errs.String())
	}
	ca, err := os.ReadFile(filepath.Join(dir, "site.ra2", "site.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if text := fetched(t, ca, url+"/file/hello"); text != "hello" {
		t.Errorf("the file is %q", text)
	}
	interrupt()
	var rest strings.Builder
	for lines.Scan() {
		rest.WriteString(lines.Text() + "\n")
	}
	if status := <-ended; status != exitDone {
		t.Errorf("exit status %d\n%s", status, errs.String())
	}
	if !regexp.MustCompile(`1 request, 0\.0 MB\n +1 +0\.0 MB  file hello\n`).MatchString(rest.String()) {
		t.Errorf("it ends with\n%s", rest.String())
	}
}

// writeBundle makes a bundle of one file.
func writeBundle(t *testing.T, path string) {
	t.Helper()
	w, err := bundle.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.AddFile(bundle.Item{Kind: bundle.File, Name: "hello", Source: "file:hello"}, strings.NewReader("hello"))
	if err == nil {
		_, err = w.Commit(nil)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}

// fetched is what a client gets that trusts one certificate.
func fetched(t *testing.T, ca []byte, url string) string {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no certificate")
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
