package mirror_test

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A flipped byte is never sent: the answer and the log name the item, whatever
// was good before, and whoever asks at the same time.
func TestDamage(t *testing.T) {
	s := newSite(t, "")
	digest, _, layer := s.manifest(pauseName)
	at := "/v2/registry.k8s.io/pause/blobs/" + layer
	if got := s.ask(http.MethodGet, at); got.code != 200 || hash(got.body) != strings.TrimPrefix(layer, "sha256:") {
		t.Fatalf("the layer before: %d", got.code)
	}
	s.flip(layer, 100)
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(s.blob(layer), later, later); err != nil { // a write in the same tick of the clock
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := s.ask(http.MethodGet, at, "Range", "bytes=0-9"); got.code != 500 || !strings.Contains(got.body, "layer "+layer+" of image "+pauseName) {
				t.Errorf("a damaged layer: %d %s", got.code, got.body)
			}
		})
	}
	all.Wait()
	if text := s.log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, pauseName) {
		t.Errorf("the log says %q", text)
	}
	s.flip(digest, 5)
	if got := s.ask(http.MethodGet, "/v2/registry.k8s.io/pause/manifests/3.10.2"); got.code != 500 || !strings.Contains(got.body, pauseName) {
		t.Errorf("a damaged manifest: %d %s", got.code, got.body)
	}
	if got := s.ask(http.MethodGet, "/v2/registry.k8s.io/pause/manifests/3.9"); got.code != 200 {
		t.Errorf("its sound neighbour: %d %s", got.code, got.body)
	}
	if got := s.ask(http.MethodGet, "/file/loader/snponly.efi"); got.code != 200 || got.body != "a boot loader" {
		t.Errorf("a sound file: %d %s", got.code, got.body)
	}
}

// Content that was mended, from the exported file or a copy, is served again.
func TestMended(t *testing.T) {
	s := newSite(t, "")
	_, _, layer := s.manifest(pauseName)
	at := "/v2/registry.k8s.io/pause/blobs/" + layer
	s.flip(layer, 0)
	if got := s.ask(http.MethodGet, at); got.code != 500 {
		t.Fatalf("a damaged layer: %d", got.code)
	}
	s.flip(layer, 0)
	if got := s.ask(http.MethodGet, at); got.code != 200 {
		t.Errorf("the mended layer: %d %s", got.code, got.body)
	}
	if err := os.Remove(s.blob(layer)); err != nil {
		t.Fatal(err)
	}
	if got := s.ask(http.MethodGet, at); got.code != 500 || !strings.Contains(got.body, "no file") {
		t.Errorf("a missing layer: %d %s", got.code, got.body)
	}
}

// Each request is counted, by what it asked for.
func TestCounts(t *testing.T) {
	s := newSite(t, "")
	_, text, _ := s.manifest(pauseName)
	for range 3 {
		s.ask(http.MethodGet, "/v2/registry.k8s.io/pause/manifests/3.10.2")
	}
	s.ask(http.MethodGet, "/nothing")
	s.ask(http.MethodGet, "/bundle.json")
	all := s.server.Counts()
	if len(all) != 3 || all[0].What != "image "+pauseName || all[0].Requests != 3 || all[0].Bytes != int64(3*len(text)) || all[0].Failed != 0 {
		t.Errorf("counts %+v", all)
	}
}
