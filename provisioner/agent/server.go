package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Config is what a Server asks of its caller. Functions may be called at the
// same time from many goroutines; they must not wait.
type Config struct {
	// Accept judges a claim whose ticket is good: is this the machine of the
	// inventory (serial, disks)? Its error is told to the host and refuses it.
	Accept func(Claim) error
	// Report takes what a host reports. The node is proven by its session.
	Report func(node string, r Report)
	// Hello takes what a host says when it asks for a word. May be nil.
	Hello func(node string, h Hello)
	// Notice takes what the user should know: a ticket used twice. No secrets.
	Notice func(node, text string)
	// File finds a file of the image with this digest (64 hex digits): name is
	// FileImage, FileKernel or FileInitrd. With FileAddon it is the add-on's digest.
	File func(digest, name string) (path string, err error)
	// SaveSessions keeps the open sessions for the next run. May be nil.
	SaveSessions func([]SavedSession)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Hold is how long a request for a word waits for one; zero is 25 s.
	Hold time.Duration
}

// Server is the provisioner's side of the conversation. It is an
// http.Handler; Serve runs it over TLS.
type Server struct {
	cfg Config
	mux *http.ServeMux

	saving sync.Mutex // held while sessions are saved: the last save holds the last state

	mu       sync.Mutex
	tickets  []*ticket
	sessions []*session
	nodes    map[string]*node
}

// node is what the server knows of one host in this run.
type node struct {
	word    Word
	changed chan struct{} // closed when word is replaced
	heard   facts.Agent
	inBand  *InBand
}

// NewServer returns a server without tickets, sessions and words.
func NewServer(cfg Config) *Server {
	if cfg.Hold == 0 {
		cfg.Hold = 25 * time.Second
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux(), nodes: map[string]*node{}}
	s.mux.HandleFunc("POST "+PathClaim, s.claim)
	s.mux.HandleFunc("POST "+PathWord, s.session(s.wordFor))
	s.mux.HandleFunc("POST "+PathReport, s.session(s.report))
	s.mux.HandleFunc("GET "+PathImage+"{file}", s.session(s.image))
	s.mux.HandleFunc("GET "+PathBoot+"{digest}/{file}", s.session(s.bootFile))
	s.mux.HandleFunc("GET "+PathAddon+"{digest}", s.session(s.addon))
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Serve answers on l until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener, conf *tls.Config) error {
	web := &http.Server{
		Handler: s, TLSConfig: conf,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		TLSNextProto:   map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the agent API on %s: %w", l.Addr(), err)
	}
	return nil
}

// SetWord replaces what node is told. An empty word takes the last one back.
func (s *Server) SetWord(name string, w Word) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.node(name)
	n.word = w
	close(n.changed)
	n.changed = make(chan struct{})
}

// Heard returns what node said of itself in this run.
func (s *Server) Heard(name string) facts.Agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node(name).heard
}

// InBand returns what node saw of its own hardware when it claimed; ok is
// false when it didn't in this run.
func (s *Server) InBand(name string) (in InBand, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.node(name).inBand; in != nil {
		return *in, true
	}
	return InBand{}, false
}

// node finds or makes the entry of a host. s.mu is held.
func (s *Server) node(name string) *node {
	n := s.nodes[name]
	if n == nil {
		n = &node{changed: make(chan struct{})}
		s.nodes[name] = n
	}
	return n
}

// dropNode forgets word and facts of a host. s.mu is held.
func (s *Server) dropNode(name string) {
	if n := s.nodes[name]; n != nil {
		close(n.changed)
		delete(s.nodes, name)
	}
}

func (s *Server) now() time.Time {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Now()
}

func (s *Server) notice(node, text string) {
	if text != "" && s.cfg.Notice != nil {
		s.cfg.Notice(node, text)
	}
}
