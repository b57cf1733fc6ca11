package mirror

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// Server is an http.Handler that serves one bundle. It may be used by many
// goroutines.
type Server struct {
	list     []byte
	content  *checked
	registry registry
	files    map[string]bundle.Item
	deb      *repo
	rpm      *repo
	log      *slog.Logger

	mu     sync.Mutex
	counts map[string]Count
}

// Count is how often something was asked for.
type Count struct {
	What     string // "image registry.k8s.io/pause:3.10.2", "apt repository"
	Requests int64
	Bytes    int64 // of bodies that were sent
	Failed   int64 // requests that were answered with 5xx: content is damaged
}

// New returns a server of a bundle. No content is read before it is asked for.
// The log gets a line for each answer that failed.
func New(b bundle.Bundle, log *slog.Logger) (*Server, error) {
	list, err := os.ReadFile(filepath.Join(b.Dir(), bundle.FileList))
	if err != nil {
		return nil, fmt.Errorf("serve bundle: %w", err)
	}
	if sum := sha256.Sum256(list); hex.EncodeToString(sum[:]) != b.Digest().Hex() {
		return nil, fmt.Errorf("serve bundle %s: its %s changed while it was open", b.Dir(), bundle.FileList)
	}
	items := b.Items()
	s := &Server{list: list, content: newChecked(b.Dir()), files: map[string]bundle.Item{}, log: log, counts: map[string]Count{}}
	s.registry = newRegistry(items, s.content)
	s.deb, s.rpm = newDeb(items, s.content), newRPM(items, s.content)
	for _, i := range items {
		if i.Kind == bundle.File {
			s.files[i.Name] = i
		}
	}
	return s, nil
}

// Serve answers on l until ctx ends, by TLS.
func (s *Server) Serve(ctx context.Context, l net.Listener, conf *tls.Config) error {
	web := &http.Server{
		Handler: s, TLSConfig: conf,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		TLSNextProto:   map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only, as the agent API
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),      // a client that breaks off is no news
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the bundle on %s: %w", l.Addr(), err)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, r: r}
	defer s.count(x)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		x.refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", r.Method+" changes something, and a bundle is only read")
		return
	}
	path := r.URL.Path
	switch {
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		s.registry.serve(x)
	case strings.HasPrefix(path, "/deb/"):
		s.deb.serve(x, strings.TrimPrefix(path, "/deb/"))
	case strings.HasPrefix(path, "/rpm/"):
		s.rpm.serve(x, strings.TrimPrefix(path, "/rpm/"))
	case strings.HasPrefix(path, "/file/"):
		s.file(x, strings.TrimPrefix(path, "/file/"))
	case path == "/"+bundle.FileList:
		x.what = bundle.FileList
		x.Header().Set("Content-Type", "application/json")
		http.ServeContent(x, r, "", time.Time{}, bytes.NewReader(s.list))
	default:
		x.refuse(http.StatusNotFound, "UNSUPPORTED", "the bundle is at /v2/, /deb/, /rpm/, /file/ and /"+bundle.FileList)
	}
}

// file sends an item of kind file.
func (s *Server) file(x *exchange, name string) {
	item, ok := s.files[name]
	if !ok {
		x.refuse(http.StatusNotFound, "UNSUPPORTED", "the bundle has no file "+name)
		return
	}
	x.what = item.String()
	x.send(s.content, item.Digest, item.String(), "application/octet-stream")
}

// count notes a request that was answered, and tells of one that failed.
func (s *Server) count(x *exchange) {
	if x.err != nil {
		s.log.Error("not served", "request", x.r.Method+" "+x.r.URL.RequestURI(), "from", x.r.RemoteAddr, "why", x.err.Error())
	}
	what := x.what
	if what == "" {
		what = "nothing that is there"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[what]
	c.What = what
	c.Requests++
	c.Bytes += x.sent
	if x.err != nil {
		c.Failed++
	}
	s.counts[what] = c
}

// Counts returns what was asked for until now, most requests first.
func (s *Server) Counts() []Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.counts), func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.What, b.What))
	})
}
