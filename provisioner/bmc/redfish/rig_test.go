package redfish_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// rig is a lab controller with a virtual CD and a boot order, and one fault in
// front of it.
type rig struct {
	*lab.Controller
	mu      sync.Mutex
	extra   *jukebox // the resources that the lab's controller lacks
	fault   func(w http.ResponseWriter, r *http.Request, next http.Handler)
	refused map[string]int // 401 by who asks: those that count against the account
	bare    bool           // the lab's controller and nothing laid over it
	writes  atomic.Int32   // changes that were sent, sessions beside
}

const systemPath = "/redfish/v1/Systems/1"

func newRig(t *testing.T) *rig {
	j := newJukebox(t, "", true)
	options := library(t, false)
	for at, doc := range options.docs {
		if strings.Contains(at, "BootOptions") {
			j.docs[at] = doc
		}
	}
	j.docs[systemPath]["Boot"] = options.bootOf()
	return &rig{Controller: machine(t, lab.Config{}), extra: j, refused: map[string]int{}}
}

// overlaid reports what the lab's controller doesn't have.
func overlaid(path string) bool {
	return strings.Contains(path, "/VirtualMedia") || strings.Contains(path, "/BootOptions")
}

// base answers without a fault.
func (g *rig) base(w http.ResponseWriter, r *http.Request) {
	switch {
	case g.bare:
		g.Controller.ServeHTTP(w, r)
	case overlaid(r.URL.Path):
		g.extra.ServeHTTP(w, r)
	case r.Method == http.MethodGet && r.URL.Path == systemPath:
		rec := httptest.NewRecorder()
		g.Controller.ServeHTTP(rec, r)
		var doc map[string]any
		if rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), &doc) != nil {
			w.WriteHeader(rec.Code)
			return
		}
		g.extra.mu.Lock()
		boot := g.extra.bootOf()
		merge(doc["Boot"].(map[string]any), map[string]any{"BootOptions": boot["BootOptions"], "BootOrder": boot["BootOrder"]})
		g.extra.mu.Unlock()
		doc["VirtualMedia"] = map[string]any{"@odata.id": mgr + "/VirtualMedia"}
		_ = json.NewEncoder(w).Encode(doc)
	case r.Method == http.MethodPatch && r.URL.Path == systemPath:
		g.patch(w, r)
	default:
		g.Controller.ServeHTTP(w, r)
	}
}

// patch gives a boot order to the shelf and all else to the lab's controller.
func (g *rig) patch(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Boot map[string]any `json:"Boot"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body.Boot["BootOrder"] != nil {
		g.extra.mu.Lock()
		merge(g.extra.bootOf(), body.Boot)
		g.extra.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return
	}
	text, _ := json.Marshal(map[string]any{"Boot": body.Boot})
	again := r.Clone(r.Context())
	again.Body, again.ContentLength = http.NoBody, int64(len(text))
	again.Body = readCloser{strings.NewReader(string(text))}
	again.Header.Del("If-Match") // of the resource with what was laid over it
	g.Controller.ServeHTTP(w, again)
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// writing reports a request that changes the host.
func writing(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/Sessions")
}

func (g *rig) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if writing(r) {
		g.writes.Add(1)
	}
	rec := &status{ResponseWriter: w}
	defer func() {
		if rec.code == http.StatusUnauthorized {
			g.mu.Lock()
			g.refused["admin"]++
			g.mu.Unlock()
		}
	}()
	if g.fault != nil {
		g.fault(rec, r, http.HandlerFunc(g.base))
		return
	}
	g.base(rec, r)
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// memory is a transport without a network, for a clock that isn't the wall's.
type memory struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	ended := make(chan *http.Response, 1)
	go func() {
		rec := httptest.NewRecorder()
		defer func() {
			if recover() != nil {
				close(ended)
				return
			}
			ended <- rec.Result()
		}()
		m.ServeHTTP(rec, r)
	}()
	select {
	case resp, whole := <-ended:
		if !whole {
			return nil, io.ErrUnexpectedEOF
		}
		resp.Request = r
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// inMemory returns a client with the patience of the product.
func inMemory(t *testing.T, h http.Handler, change func(*redfish.Config)) *redfish.Client {
	t.Helper()
	cfg := redfish.Config{Host: "cp-a", URL: "https://10.17.1.11", Username: "admin", Password: secret.New(password)}
	if change != nil {
		change(&cfg)
	}
	c, err := redfish.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Through(memory{h})
	return c
}
