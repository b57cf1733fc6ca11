package netboot

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"
)

// What a boot with a signed program is served.
const (
	programName = "ra2.efi"
	plainTicket = "ticket" // the installer's own request; with a loader it comes as an initrd
)

// TicketURL returns where the installer of a signed program asks for its ticket.
func (c Config) TicketURL(mac MAC) string { return c.withDefaults().bootURL(mac, plainTicket) }

// loader returns the file that a client is given, empty when there is none.
func (b Boot) loader(cl Client) string {
	switch {
	case b.Program == "" && b.Loader != "":
		return b.Loader
	case b.Program == "":
		return cl.loader()
	case cl.Persona == IPXE || cl.loader() == "snponly.efi": // what runs programs of x86-64
		return programName
	}
	return ""
}

// serveSigned serves all that a boot with a signed program has. A script, or an
// initrd beside the program, would be somebody's own words under our
// signature.
func (s *Server) serveSigned(w http.ResponseWriter, r *http.Request, b Boot, file string) {
	switch file {
	case programName:
		s.serveProgram(w, r, b)
	case plainTicket:
		s.watch.script(b)
		s.serveTicket(w, r, b)
	default:
		s.notFound(w, r, "the host boots a signed program, and there is nothing beside it")
	}
}

// serveProgram sends the program by HTTP (UEFI 2.10, 24.7).
func (s *Server) serveProgram(w http.ResponseWriter, r *http.Request, b Boot) {
	began := time.Now()
	f, size, err := s.openProgram(b, "http")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	m := newMeter(w, size, func(sent int64) {
		s.emit(b, Event{Kind: Progress, By: "http", From: r.RemoteAddr, File: programName, Bytes: sent, Total: size, Took: time.Since(began)})
	})
	w.Header().Set("Content-Type", loaderType(programName))
	http.ServeContent(m, r, "", time.Time{}, f)
	if r.Method == http.MethodGet && m.sent == size {
		took := time.Since(began)
		s.tellProgram(b, Event{By: "http", From: r.RemoteAddr, Bytes: size, Took: took, Own: took - m.waited})
	}
}

// sendProgram sends the program by TFTP. With blocks of 1468 bytes the block
// numbers (16 bits, RFC 1350) last for 96 MB.
func (s *Server) sendProgram(b Boot, file string, from netip.Addr, to io.ReaderFrom) error {
	if file != programName {
		return fmt.Errorf("nothing but %s for %s", programName, from)
	}
	began := time.Now()
	f, size, err := s.openProgram(b, "tftp")
	if err != nil {
		return fmt.Errorf("no %s here", programName)
	}
	defer f.Close()
	if t, ok := to.(interface{ SetSize(int64) }); ok {
		t.SetSize(size)
	}
	n, err := to.ReadFrom(f)
	if err != nil {
		return err // see sendLoader
	}
	s.tellProgram(b, Event{By: "tftp", From: from.String(), Bytes: n, Took: time.Since(began)})
	return nil
}

func (s *Server) openProgram(b Boot, by string) (*os.File, int64, error) {
	f, size, err := regular(b.Program)
	if err != nil {
		s.emit(b, Event{Kind: Trouble, By: by, File: programName, Note: fmt.Sprintf("open the signed program: %v", err), Next: "build the image again"})
	}
	return f, size, err
}

// tellProgram reports a program that was fetched whole. The second one without
// a word of the installer in between means that the firmware doesn't start it.
func (s *Server) tellProgram(b Boot, e Event) {
	e.Kind, e.File, e.Total = Program, programName, e.Bytes
	n := s.watch.loader(b)
	s.emit(b, e)
	if n < 2 {
		return
	}
	e.Kind = Loop
	e.Note = fmt.Sprintf("it fetched the signed program %d times and the installer never spoke: its firmware refuses it, or it ends at once", n)
	e.Next = "look at its console for \"Access Denied\" or \"Security Violation\", and whether its Secure Boot db holds the certificate of spec.secureBoot"
	s.emit(b, e)
}
