package mirror_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// What the OCI distribution specification 1.1 says of a registry that is read.
func TestRegistryConforms(t *testing.T) {
	s := newSite(t, "")
	digest, text, layer := s.manifest(pauseName)
	const pause = "/v2/registry.k8s.io/pause/"
	none := "sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		says, method, path string
		header             []string
		code               int
		head               map[string]string
		body, problem      string
	}{
		{says: "end-1: 200 OK", method: "GET", path: "/v2/", code: 200, head: map[string]string{"Docker-Distribution-Api-Version": "registry/2.0"}, body: "{}"},
		{
			says: "a GET request to /v2/<name>/manifests/<reference>; Content-Type matches the mediaType", method: "GET", path: pause + "manifests/3.10.2", code: 200,
			head: map[string]string{"Content-Type": "application/vnd.docker.distribution.manifest.v2+json", "Docker-Content-Digest": digest, "Etag": `"` + digest + `"`}, body: text,
		},
		{says: "a digest as reference", method: "GET", path: pause + "manifests/" + digest, code: 200, head: map[string]string{"Docker-Content-Digest": digest}, body: text},
		{says: "end-3: HEAD", method: "HEAD", path: pause + "manifests/3.10.2", code: 200, head: map[string]string{"Docker-Content-Digest": digest, "Content-Length": itoa(len(text))}},
		{says: "a manifest that is known needs not be sent", method: "GET", path: pause + "manifests/3.10.2", header: []string{"If-None-Match", `"` + digest + `"`}, code: 304},
		{says: "if the manifest is not found the response code MUST be 404", method: "GET", path: pause + "manifests/3.8", code: 404, problem: "MANIFEST_UNKNOWN"},
		{says: "404 by digest", method: "GET", path: pause + "manifests/" + none, code: 404, problem: "MANIFEST_UNKNOWN"},
		{says: "404 by HEAD", method: "HEAD", path: pause + "manifests/3.8", code: 404},
		{says: "a digest of another algorithm", method: "GET", path: pause + "manifests/md5:00", code: 400, problem: "DIGEST_INVALID"},
		{says: "a GET request to /v2/<name>/blobs/<digest>", method: "GET", path: pause + "blobs/" + layer, code: 200, head: map[string]string{"Docker-Content-Digest": layer, "Accept-Ranges": "bytes"}},
		{says: "HEAD of a blob", method: "HEAD", path: pause + "blobs/" + layer, code: 200, head: map[string]string{"Docker-Content-Digest": layer}},
		{says: "a registry SHOULD support the Range request header (RFC 9110)", method: "GET", path: pause + "blobs/" + digest, header: []string{"Range", "bytes=2-9"}, code: 206, body: text[2:10]},
		{says: "a range behind the end", method: "GET", path: pause + "blobs/" + digest, header: []string{"Range", "bytes=9999999-"}, code: 416},
		{says: "if the blob is not found the response code MUST be 404", method: "GET", path: pause + "blobs/" + none, code: 404, problem: "BLOB_UNKNOWN"},
		{says: "a blob of another repository", method: "GET", path: "/v2/registry.k8s.io/coredns/coredns/blobs/" + layer, code: 404, problem: "BLOB_UNKNOWN"},
		{says: "no digest", method: "GET", path: pause + "blobs/3.10.2", code: 400, problem: "DIGEST_INVALID"},
		{says: "a way out of the folder", method: "GET", path: pause + "blobs/sha256:..%2f..%2f..%2fbundle.json", code: 404},
		{says: "tags in lexical order", method: "GET", path: pause + "tags/list", code: 200, head: map[string]string{"Content-Type": "application/json"}, body: `{"name":"registry.k8s.io/pause","tags":["3.10.2","3.9"]}`},
		{says: "n tags, and a link to the next page", method: "GET", path: pause + "tags/list?n=1", code: 200, head: map[string]string{"Link": `</v2/registry.k8s.io/pause/tags/list?last=3.10.2&n=1>; rel="next"`}, body: `{"name":"registry.k8s.io/pause","tags":["3.10.2"]}`},
		{says: "the page after last", method: "GET", path: pause + "tags/list?n=1&last=3.10.2", code: 200, body: `{"name":"registry.k8s.io/pause","tags":["3.9"]}`},
		{says: "when n is zero, an empty list without a link", method: "GET", path: pause + "tags/list?n=0", code: 200, head: map[string]string{"Link": ""}, body: `{"name":"registry.k8s.io/pause","tags":[]}`},
		{says: "n is no number", method: "GET", path: pause + "tags/list?n=x", code: 400, problem: "UNSUPPORTED"},
		{says: "an unknown name", method: "GET", path: "/v2/registry.k8s.io/none/tags/list", code: 404, problem: "NAME_UNKNOWN"},
		{says: "a name against the grammar", method: "GET", path: "/v2/Registry/Pause/manifests/1", code: 400, problem: "NAME_INVALID"},
		{says: "a registry without the referrers API MUST answer 404", method: "GET", path: pause + "referrers/" + digest, code: 404, problem: "UNSUPPORTED"},
		{says: "end-4a: no uploads", method: "POST", path: pause + "blobs/uploads/", code: 405, head: map[string]string{"Allow": "GET, HEAD"}, problem: "UNSUPPORTED"},
		{says: "end-7: no push", method: "PUT", path: pause + "manifests/3.10.2", code: 405, problem: "UNSUPPORTED"},
		{says: "end-9: no deletion", method: "DELETE", path: pause + "manifests/" + digest, code: 405, problem: "UNSUPPORTED"},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := s.ask(c.method, c.path, c.header...)
			if got.code != c.code {
				t.Fatalf("%s %s: %d %s", c.method, c.path, got.code, got.body)
			}
			for name, want := range c.head {
				if got.head.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.head.Get(name), want)
				}
			}
			if c.body != "" && strings.TrimSpace(got.body) != strings.TrimSpace(c.body) {
				t.Errorf("the body is %q, want %q", got.body, c.body)
			}
			if c.problem != "" {
				problems(t, got, c.problem)
			}
		})
	}
}

// problems wants one error in the specification's form.
func problems(t *testing.T, got answer, code string) {
	t.Helper()
	var body struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body.Errors) != 1 || body.Errors[0].Code != code || body.Errors[0].Message == "" {
		t.Errorf("the body is %q, want one error %s (%v)", got.body, code, err)
	}
	if kind := got.head.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type of an error is %q", kind)
	}
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// containerd asks a mirror for the path, and names the registry beside it.
func TestRegistryOfMirrors(t *testing.T) {
	s := newSite(t, "")
	for path, ref := range map[string]string{
		"/v2/pause/manifests/3.10.2?ns=registry.k8s.io":                pauseName,
		"/v2/coredns/coredns/manifests/v1.14.6?ns=registry.k8s.io":     corednsRef,
		"/v2/pause/manifests/3.10.2?ns=mirror.example%3A5000":          otherPause,
		"/v2/pause/manifests/3.10.2?ns=registry.k8s.io&ns=example.com": pauseName,
	} {
		_, want, _ := s.manifest(ref)
		if got := s.ask(http.MethodGet, path); got.code != 200 || got.body != want {
			t.Errorf("GET %s: %d %s", path, got.code, got.body)
		}
	}
	for path, want := range map[string]int{
		"/v2/pause/manifests/3.10.2":                         404, // would be Docker Hub's
		"/v2/pause/manifests/3.10.2?ns=docker.io":            404,
		"/v2/pause/manifests/3.10.2?ns=../etc":               400,
		"/v2/registry.k8s.io/pause/manifests/3.10.2?ns=ghcr": 404,
	} {
		if got := s.ask(http.MethodGet, path); got.code != want {
			t.Errorf("GET %s: %d, want %d", path, got.code, want)
		}
	}
}
