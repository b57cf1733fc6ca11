package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

const content = "some content that is long enough to be cut"

func wanted(text string) bundle.Item {
	return bundle.Item{Kind: bundle.File, Name: "f", Source: "file:f", Size: int64(len(text)),
		Digest: bundle.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))))}
}

// moody is a server that answers each request in its next mood.
func moody(t *testing.T, moods ...http.HandlerFunc) (url string, asked *int) {
	t.Helper()
	asked = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := min(*asked, len(moods)-1)
		*asked++
		moods[n](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func good(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(content)) }

// cut looks like a good answer, until its connection ends.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	w.Write([]byte(content[:10]))
}

// silent begins well and sends nothing more, until the client goes.
func silent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	w.Write([]byte(content[:10]))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func answers(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestFetch(t *testing.T) {
	for name, c := range map[string]struct {
		moods []http.HandlerFunc
		want  string // part of the error
		asked int
	}{
		"good":       {[]http.HandlerFunc{good}, "", 1},
		"cut":        {[]http.HandlerFunc{cut, cut, good}, "", 3},
		"always cut": {[]http.HandlerFunc{cut}, "it broke off: unexpected EOF", 4},
		"silent":     {[]http.HandlerFunc{silent, good}, "", 2},
		"deaf":       {[]http.HandlerFunc{silent}, "it broke off: the server sends nothing for 50ms", 4},
		"gone":       {[]http.HandlerFunc{answers(404)}, "answers 404 Not Found", 1},
		"refused":    {[]http.HandlerFunc{answers(403)}, "answers 403 Forbidden", 1},
		"too long":   {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { good(w, r); good(w, r) }}, "gives other content", 1},
		"other":      {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(strings.ToUpper(content))) }}, "gives other content", 1},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := moody(t, c.moods...)
			s := Store{Dir: filepath.Join(t.TempDir(), "content"), pause: time.Millisecond, patience: 50 * time.Millisecond}
			file, err := s.fetch(t.Context(), url, wanted(content))
			if *asked != c.asked {
				t.Errorf("asked %d times, want %d", *asked, c.asked)
			}
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), url) {
					t.Errorf("got %v", err)
				}
				left, err := os.ReadDir(s.Dir)
				if err != nil || len(left) != 0 {
					t.Errorf("%v is left, %v", left, err)
				}
				return
			}
			text, readErr := os.ReadFile(file)
			if err != nil || readErr != nil || string(text) != content {
				t.Errorf("%q, %v, %v", text, err, readErr)
			}
			if _, err := s.fetch(t.Context(), url, wanted(content)); err != nil || *asked != c.asked {
				t.Errorf("fetched a second time: %v", err)
			}
			// A store that rots gives nothing that is rotten.
			if err := os.WriteFile(file, []byte("rot"), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := s.fetch(t.Context(), url, wanted(content)); err != nil || *asked != c.asked+1 {
				t.Errorf("what rotted was not fetched anew: %v", err)
			}
		})
	}
}

func TestFetchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, _ := moody(t, func(w http.ResponseWriter, r *http.Request) { cancel(); silent(w, r) })
	s := Store{Dir: t.TempDir(), pause: time.Hour}
	if _, err := s.fetch(ctx, url, wanted(content)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFetchFromADisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.deb")
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	s := Store{Dir: filepath.Join(t.TempDir(), "content")}
	if _, err := s.fetch(t.Context(), "file:"+file, wanted(content)); err != nil {
		t.Error(err)
	}
	if _, err := s.fetch(t.Context(), "file:"+file+"x", wanted("other")); err == nil {
		t.Error("what isn't there was fetched")
	}
}
