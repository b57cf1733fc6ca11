package mirror_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Whatever is asked for, nothing of a sound bundle is the server's fault, and
// nothing outside of it is told.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/v2/", "/v2/registry.k8s.io/pause/manifests/3.10.2", "/v2/pause/tags/list", "/v2/a/blobs/sha256:" + strings.Repeat("0", 64),
		"/deb/dists/ra2/Release", "/deb/pool/../../bundle.json", "/rpm/repodata/repomd.xml", "/file/loader/snponly.efi", "/bundle.json", "/../bundle.json",
	} {
		f.Add("GET", path, "registry.k8s.io")
	}
	s := newSite(f, "")
	f.Fuzz(func(t *testing.T, method, path, ns string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: url.Values{"ns": {ns}}.Encode()}, Header: http.Header{}, RemoteAddr: "10.17.0.11:1"}
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		if !slices.Contains([]int{200, 400, 404, 405}, w.Code) {
			t.Errorf("%s %q ns=%q: %d %s", method, path, ns, w.Code, w.Body)
		}
	})
}
