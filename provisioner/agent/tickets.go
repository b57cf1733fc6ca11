package agent

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// hash is how tickets and sessions are kept: who reads the server's memory or
// its record can't use them.
type hash [sha256.Size]byte

func hashOf(text string) hash { return sha256.Sum256([]byte(text)) }

// same compares in a time that doesn't depend on the values.
func (h hash) same(other hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// newToken returns 256 random bits as text.
func newToken() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails (package crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// A ticket lets one host claim its identity, once.
type ticket struct {
	hash      hash
	node, run string
	addresses []netip.Addr
	expires   time.Time
	used      bool
}

// Ticket issues the one-time ticket for an install of node in this run. It is
// good for one claim from one of the addresses until it expires. Older tickets
// of the node, its word and what was heard of it are forgotten: a new life
// begins. The result is secret.
func (s *Server) Ticket(node, run string, addresses []netip.Addr, expires time.Time) string {
	token := newToken()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickets = slices.DeleteFunc(s.tickets, func(t *ticket) bool { return t.node == node })
	s.tickets = append(s.tickets, &ticket{hash: hashOf(token), node: node, run: run, addresses: slices.Clone(addresses), expires: expires})
	s.dropNode(node)
	return token
}

// Close ends the claim window of node: its tickets are worth nothing. Sessions stay.
func (s *Server) Close(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickets = slices.DeleteFunc(s.tickets, func(t *ticket) bool { return t.node == node })
}

// redeem uses up the ticket of a claim. The error says why it can't; notice is
// what the user of the provisioner should know, empty when it is nothing.
func (s *Server) redeem(c Claim, from netip.Addr) (notice string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := hashOf(c.Ticket)
	var t *ticket
	for _, each := range s.tickets { // all of them: the time tells nothing
		if each.hash.same(got) {
			t = each
		}
	}
	switch {
	case t == nil:
		return "", fmt.Errorf("the ticket is unknown: no install is open for %q, or the run that opened it is over", c.Node)
	case t.node != c.Node:
		return fmt.Sprintf("the ticket of %s was shown by a machine that calls itself %s (%s)", t.node, c.Node, from),
			fmt.Errorf("the ticket is not that of %q", c.Node)
	case t.used:
		return fmt.Sprintf("ticket used twice: another machine answers on this network? (run %s, from %s)", t.run, from),
			fmt.Errorf("the ticket was used before")
	case !slices.Contains(t.addresses, from):
		return fmt.Sprintf("the ticket was shown from %s and is for %v: another machine answers on this network?", from, t.addresses),
			fmt.Errorf("the ticket is not for the address %s", from)
	}
	t.used = true
	if s.now().After(t.expires) {
		return fmt.Sprintf("the ticket of run %s was shown after %s, too late", t.run, t.expires.Format(time.TimeOnly)),
			fmt.Errorf("the ticket expired at %s", t.expires.Format(time.RFC3339))
	}
	return "", nil
}
