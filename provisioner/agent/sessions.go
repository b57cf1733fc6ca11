package agent

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A session lets a host that has claimed its identity speak as this node.
type session struct {
	hash  hash
	node  string
	since time.Time
}

// SavedSession is a session as the caller may keep it between runs: the bearer
// can't be got back from it.
type SavedSession struct {
	Node  string    `json:"node"`
	Hash  string    `json:"hash"` // SHA-256 of the bearer, hex
	Since time.Time `json:"since"`
}

// Sessions returns the open sessions, to be kept for the next run.
func (s *Server) Sessions() []SavedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SavedSession, 0, len(s.sessions))
	for _, each := range s.sessions {
		out = append(out, SavedSession{Node: each.node, Hash: hex.EncodeToString(each.hash[:]), Since: each.since})
	}
	return out
}

// Restore opens sessions of an earlier run again, so that hosts which claimed
// their identity then are still known.
func (s *Server) Restore(saved []SavedSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, each := range saved {
		raw, err := hex.DecodeString(each.Hash)
		if err != nil || len(raw) != len(hash{}) {
			return fmt.Errorf("restore the session of %s: %q is not a SHA-256", each.Node, each.Hash)
		}
		s.sessions = append(s.sessions, &session{hash: hash(raw), node: each.Node, since: each.Since})
	}
	return nil
}

// Forget ends all sessions of node: its disk is no longer trusted.
func (s *Server) Forget(node string) {
	s.mu.Lock()
	s.sessions = slices.DeleteFunc(s.sessions, func(each *session) bool { return each.node == node })
	s.mu.Unlock()
	s.saveSessions()
}

// open begins a session for node and ends its older ones: the system that held
// them is about to be overwritten.
func (s *Server) open(node string) (bearer string) {
	bearer = newToken()
	s.mu.Lock()
	s.sessions = slices.DeleteFunc(s.sessions, func(each *session) bool { return each.node == node })
	s.sessions = append(s.sessions, &session{hash: hashOf(bearer), node: node, since: s.now()})
	s.mu.Unlock()
	s.saveSessions()
	return bearer
}

// saveSessions lets the caller keep what is open now. One save at a time: an
// older list must not replace a newer one, for a host whose session is lost has
// to be written anew.
func (s *Server) saveSessions() {
	if s.cfg.SaveSessions == nil {
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	s.cfg.SaveSessions(s.Sessions())
}

// who returns the node that holds the request's session.
func (s *Server) who(r *http.Request) (node string, ok bool) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || bearer == "" {
		return "", false
	}
	got := hashOf(bearer)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, each := range s.sessions { // all of them: the time tells nothing
		if each.hash.same(got) {
			node = each.node
		}
	}
	return node, node != ""
}
