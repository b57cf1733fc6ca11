package netboot

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/templates"
)

// Handler serves the boot files by HTTP:
//
//	/boot/<mac>/ipxe, autoexec.ipxe   the script
//	/boot/<mac>/kernel, initrd        with ranges (RFC 9110, 14)
//	/boot/<mac>/ticket.cpio           once, to the reserved address
//	/boot/<mac>/ipxe.iso              for virtual media, with ranges
//	/boot/<mac>/<loader>              for UEFI HTTP boot
//	/boot/<mac>/ra2.efi, ticket       of a boot with a signed program, which has nothing else
//	/loaders/<loader>                 to addresses of open boots
//
// All is 404 for a MAC or an address without an open boot.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boot/{mac}/{file}", s.serveBoot)
	mux.HandleFunc("GET /loaders/{file}", func(w http.ResponseWriter, r *http.Request) {
		b, open := s.at(peer(r))
		if !open {
			s.notFound(w, r, "nothing is open for it")
			return
		}
		s.serveLoader(w, r, b, r.PathValue("file"))
	})
	return mux
}

func (s *Server) serveBoot(w http.ResponseWriter, r *http.Request) {
	mac, err := ParseMAC(r.PathValue("mac"))
	if err != nil {
		s.notFound(w, r, "no MAC in the path")
		return
	}
	b, open := s.conf.Book.ByMAC(mac)
	if !open {
		s.notFound(w, r, "nothing is open for it")
		return
	}
	file := r.PathValue("file")
	if b.Program != "" {
		s.serveSigned(w, r, b, file)
		return
	}
	switch file {
	case scriptName, autoexec:
		s.serveScript(w, r, b)
	case "kernel":
		s.serveFile(w, r, b, file, b.Kernel)
	case "initrd":
		s.serveFile(w, r, b, file, b.Initrd)
	case mediaName:
		s.serveMedia(w, r, b)
	case ticketName:
		s.serveTicket(w, r, b)
	default:
		s.serveLoader(w, r, b, file)
	}
}

// notFound answers 404 and reports who asked.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request, why string) {
	http.NotFound(w, r)
	s.emit(Boot{}, Event{Kind: Refused, By: "http", From: r.RemoteAddr, File: printable(r.URL.Path), Note: why})
}

func (s *Server) serveScript(w http.ResponseWriter, r *http.Request, b Boot) {
	began := time.Now()
	text, err := s.script(b)
	if err != nil {
		http.Error(w, "no script", http.StatusInternalServerError)
		s.emit(b, Event{Kind: Trouble, By: "http", File: scriptName, Note: err.Error()})
		return
	}
	own := time.Since(began)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text)
	if r.Method == http.MethodGet {
		s.tellScript(b, "http", r.RemoteAddr, len(text), own)
	}
}

// script renders the iPXE script of b.
func (s *Server) script(b Boot) (string, error) {
	p := b.addr4()
	return templates.RenderIPXE(templates.IPXE{
		Node: b.Node, MAC: b.MAC.String(), Address: p, Gateway: b.Gateway,
		Base: s.conf.base4() + "/boot/" + b.MAC.Dashes(), Args: b.Args,
	})
}

func (s *Server) tellScript(b Boot, by, from string, size int, own time.Duration) {
	s.watch.script(b)
	s.emit(b, Event{Kind: Script, By: by, From: from, File: scriptName, Bytes: int64(size), Total: int64(size), Took: own, Own: own})
}

// serveFile sends kernel or initrd. It holds no more than the kernel's socket
// buffers: the file goes out by sendfile.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, b Boot, name, path string) {
	began := time.Now()
	f, size, err := regular(path)
	if err != nil {
		http.NotFound(w, r)
		s.emit(b, Event{Kind: Trouble, By: "http", File: name, Note: fmt.Sprintf("open %s: %v", name, err), Next: "build the image again"})
		return
	}
	defer f.Close()
	m := newMeter(w, size, func(sent int64) {
		s.emit(b, Event{Kind: Progress, By: "http", From: r.RemoteAddr, File: name, Bytes: sent, Total: size, Took: time.Since(began)})
	})
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(m, r, "", time.Time{}, f)
	if r.Method == http.MethodGet && m.sent == size {
		took := time.Since(began)
		s.emit(b, Event{Kind: Fetched, By: "http", From: r.RemoteAddr, File: name, Bytes: size, Total: size, Took: took, Own: took - m.waited})
	}
}

// serveLoader sends a loader by HTTP.
func (s *Server) serveLoader(w http.ResponseWriter, r *http.Request, b Boot, name string) {
	began := time.Now()
	f, err := s.openLoader(b, name, "http")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	m := newMeter(w, info.Size(), func(int64) {})
	w.Header().Set("Content-Type", loaderType(name))
	http.ServeContent(m, r, "", time.Time{}, f)
	if r.Method == http.MethodGet && m.sent == info.Size() {
		took := time.Since(began)
		s.tellLoader(b, Event{By: "http", From: r.RemoteAddr, File: name, Bytes: m.sent, Total: m.sent, Took: took, Own: took - m.waited})
	}
}

// mediaName is the boot image for virtual media: iPXE for BIOS and UEFI, as
// Debian's package ipxe has it. It asks for its script as any iPXE does.
const mediaName = "ipxe.iso"

// MediaURL returns where a host's boot image is. It is plain, since management
// controllers refuse or cut URLs with more in them than a path.
func (c Config) MediaURL(mac MAC) string { return c.withDefaults().bootURL(mac, mediaName) }

// serveMedia sends the boot image to a management controller, which reads it in
// pieces. The first read is what proves that the image is in use.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request, b Boot) {
	f, err := s.openLoader(b, mediaName, "http")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	if r.Method == http.MethodGet && s.watch.firstRead(b) {
		s.emit(b, Event{Kind: Media, By: "http", From: r.RemoteAddr, File: mediaName, Note: "the image is read from " + r.RemoteAddr})
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
}

// loaderType returns what UEFI 2.10, 24.7.4 wants of a boot program's answer.
func loaderType(name string) string {
	if strings.HasSuffix(name, ".efi") {
		return "application/efi"
	}
	return "application/octet-stream"
}

// regular opens a regular file and tells its size.
func regular(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// peer returns the address that a request came from, zero when it isn't one.
func peer(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(from.Addr())
}
