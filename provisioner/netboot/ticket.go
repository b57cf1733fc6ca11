package netboot

import (
	"bytes"
	"fmt"
	"net/http"
	"path"
	"time"
)

// ticketName is the last part of the ticket's URL.
const ticketName = "ticket.cpio"

// serveTicket sends the one-time ticket: once in one opening, and to the
// reserved address only. A second try is 410 and reported, since either the host
// lost its first one or somebody else had it.
func (s *Server) serveTicket(w http.ResponseWriter, r *http.Request, b Boot) {
	e := Event{By: "http", From: r.RemoteAddr, File: path.Base(r.URL.Path)}
	if r.Method != http.MethodGet || !b.owns(peer(r)) {
		http.NotFound(w, r)
		e.Kind, e.Note = Refused, fmt.Sprintf("the ticket is for %s only", b.addr4().Addr())
		e.Next = "find out which machine has the address that asked"
		s.emit(b, e)
		return
	}
	began := time.Now()
	ticket, ok := s.conf.Book.TakeTicket(b.MAC)
	if !ok {
		http.Error(w, "the ticket was taken", http.StatusGone)
		e.Kind, e.Note = Refused, "the ticket was served before in this install step and is not served twice"
		e.Next = "let the install step start again, which makes a new ticket"
		s.emit(b, e)
		return
	}
	text := []byte(ticket.Reveal())
	archive := newc("ra2/ticket", text)
	if b.Program != "" {
		archive = text // nobody makes an initrd of it
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	n, err := w.Write(archive)
	e.Kind, e.Bytes, e.Total = Ticketed, int64(n), int64(len(archive))
	e.Took = time.Since(began)
	e.Own = e.Took
	if err != nil {
		e.Note = err.Error()
	}
	s.emit(b, e)
}

// newc returns a cpio archive ("070701", Linux's
// Documentation/driver-api/early-userspace/buffer-format.rst) with one file of
// mode 0600 in one directory of mode 0700. Its length is a multiple of 512, so
// whatever follows it in memory is aligned as the kernel wants it.
func newc(path string, data []byte) []byte {
	var out bytes.Buffer
	entry := func(ino, mode, links int, name string, body []byte) {
		fmt.Fprintf(&out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			ino, mode, 0, 0, links, 0, len(body), 0, 0, 0, 0, len(name)+1, 0, name)
		pad(&out, 4)
		out.Write(body)
		pad(&out, 4)
	}
	dir, _, _ := bytes.Cut([]byte(path), []byte("/"))
	entry(1, 0o040700, 2, string(dir), nil)
	entry(2, 0o100600, 1, path, data)
	entry(0, 0, 1, "TRAILER!!!", nil)
	pad(&out, 512)
	return out.Bytes()
}

func pad(b *bytes.Buffer, to int) {
	if rest := b.Len() % to; rest != 0 {
		b.Write(make([]byte, to-rest))
	}
}
