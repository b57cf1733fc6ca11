package serve

import (
	"bytes"
	"cmp"
	"log/slog"
	"maps"
	"net/http"
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

// New returns a server of a bundle; list is its bundle.json. Nothing is read
// before it is asked for. The log gets a line for each answer that failed.
func New(c Content, list []byte, log *slog.Logger) *Server {
	items := c.Items()
	s := &Server{list: list, content: newChecked(c), files: map[string]bundle.Item{}, log: log, counts: map[string]Count{}}
	s.registry = newRegistry(items, s.content)
	s.deb, s.rpm = newDeb(items, s.content), newRPM(items, s.content)
	for _, i := range items {
		if i.Kind == bundle.File {
			s.files[i.Name] = i
		}
	}
	return s
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
