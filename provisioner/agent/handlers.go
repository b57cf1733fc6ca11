package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Limits of request bodies. A claim lists disks, a report carries output.
const (
	maxClaim  = 512 << 10
	maxHello  = 16 << 10
	maxReport = 64 << 10
)

// session lets only hosts with a session through and tells h who asks.
func (s *Server) session(h func(w http.ResponseWriter, r *http.Request, node string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		node, ok := s.who(r)
		if !ok {
			http.Error(w, "no session: boot the installer again and claim with a new ticket", http.StatusUnauthorized)
			return
		}
		h(w, r, node)
	}
}

func (s *Server) claim(w http.ResponseWriter, r *http.Request) {
	var c Claim
	if !read(w, r, maxClaim, &c) {
		return
	}
	notice, err := s.redeem(c, remote(r))
	s.notice(c.Node, notice)
	if err == nil && s.cfg.Accept != nil {
		err = s.cfg.Accept(c)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	s.mu.Lock()
	n := s.node(c.Node)
	n.inBand = &c.Facts
	n.heard = facts.Agent{
		Heard: s.now(), Stage: StageInstaller,
		Hardware: c.Facts.Hardware, Told: s.now(), Serial: c.Facts.Serial, UUID: c.Facts.UUID,
	}
	s.mu.Unlock()
	write(w, Session{Bearer: s.open(c.Node)})
}

// wordFor answers with the word of node as soon as there is one that the host
// doesn't have yet.
func (s *Server) wordFor(w http.ResponseWriter, r *http.Request, name string) {
	var h Hello
	if !read(w, r, maxHello, &h) {
		return
	}
	if h.Stage != StageInstaller && h.Stage != StageNode {
		http.Error(w, fmt.Sprintf("unknown stage %q", h.Stage), http.StatusBadRequest)
		return
	}
	if s.cfg.Hello != nil {
		s.cfg.Hello(name, h)
	}
	timer := time.NewTimer(s.cfg.Hold)
	defer timer.Stop()
	s.hear(name, h)
	for {
		word, changed := s.word(name)
		if !word.Empty() && word.For(h.Stage) && word.Digest() != h.Have {
			write(w, word)
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			write(w, Word{})
			return
		case <-r.Context().Done():
			return
		}
	}
}

// hear notes a hello.
func (s *Server) hear(name string, h Hello) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, now := s.node(name), s.now()
	// A system that runs asks again at once: who was silent for longer has started anew.
	if h.Stage == StageNode && (n.heard.Stage != StageNode || now.Sub(n.heard.Heard) > 2*s.cfg.Hold) {
		n.heard.Started = now
	}
	n.heard.Heard, n.heard.Stage = now, h.Stage // what its claim told stays
	n.heard.Image, n.heard.Generation, n.heard.Phase = h.Image, h.Generation, h.Phase
	n.heard.Root = h.Root
}

// word returns the word of the node and what is closed when it changes.
func (s *Server) word(name string) (Word, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.node(name)
	return n.word, n.changed
}

func (s *Server) report(w http.ResponseWriter, r *http.Request, name string) {
	var report Report
	if !read(w, r, maxReport, &report) {
		return
	}
	s.noteReport(name, report)
	if s.cfg.Report != nil {
		s.cfg.Report(name, report)
	}
	w.WriteHeader(http.StatusNoContent)
}

// noteReport keeps what a report tells beside its event. A report doesn't say
// which image the host runs: only a hello of the same stage makes it count.
func (s *Server) noteReport(name string, r Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.node(name)
	if n.heard.Heard.IsZero() || n.heard.Stage != r.Stage {
		return
	}
	n.heard.Heard = s.now()
	if r.Phase != "" && r.Status == StatusDone {
		n.heard.Phase = r.Phase
	}
}

// read decodes the JSON body of a request; on failure it has answered.
func read(w http.ResponseWriter, r *http.Request, limit int64, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(into); err != nil {
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // the host asks again when the connection breaks
}

func remote(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}
