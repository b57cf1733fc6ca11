package netboot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pin/tftp/v3"
)

// blockSize is the greatest TFTP block (RFC 2348) in one Ethernet frame:
// 1500 - 20 (IP) - 8 (UDP) - 4 (TFTP). A smaller MTU makes it smaller.
const blockSize = 1468

// block returns the block size for the MTU of the interface. The library does
// so too, and takes off 20 bytes too many (v3.2.0 has the IPv4 and IPv6
// overheads swapped for a single port).
func (c Config) block() int {
	ifi, err := net.InterfaceByName(c.Interface)
	if err != nil || ifi.MTU >= 1500 {
		return blockSize
	}
	return max(513, ifi.MTU-32)
}

// autoexec is what iPXE looks for beside the file it was loaded from.
const autoexec = "autoexec.ipxe"

// serveTFTP hands out loaders, by one port: firmware behind a packet filter
// then needs port 69 open and no other.
func (s *Server) serveTFTP(ctx context.Context) error {
	srv := tftp.NewServer(s.sendLoader, nil)
	srv.EnableSinglePort()
	srv.SetBlockSizeNegotiation(false)
	srv.SetBlockSize(s.conf.block())
	srv.SetTimeout(time.Second)
	srv.SetRetries(6)
	defer context.AfterFunc(ctx, srv.Shutdown)()
	for ctx.Err() == nil {
		if err := s.tftpOnce(srv); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve TFTP: %w", err)
		}
	}
	return nil
}

// tftpOnce runs the read loop until it ends. In single-port mode the library
// (v3.2.0) sends a client's packet to a channel that the transfer may have
// closed in between, which panics: a late ACK is enough. The loop has nothing
// to lose then and is started again.
func (s *Server) tftpOnce(srv *tftp.Server) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.emit(Boot{}, Event{Kind: Trouble, By: "tftp", Note: fmt.Sprintf("the TFTP loop was started again: %v", p)})
			err = nil
		}
	}()
	return srv.Serve(s.tftp)
}

// sendLoader answers one TFTP read request. The error's text goes to the client.
func (s *Server) sendLoader(name string, to io.ReaderFrom) error {
	began := time.Now()
	var from netip.Addr
	if t, ok := to.(tftp.OutgoingTransfer); ok {
		remote := t.RemoteAddr()
		from = plain(remote.AddrPort().Addr())
	}
	b, file, open := s.whose(name, from)
	if !open {
		s.emit(Boot{}, Event{Kind: Refused, By: "tftp", From: from.String(), File: printable(name), Note: "nothing is open for it"})
		return fmt.Errorf("nothing to boot for %s", from)
	}
	if b.Program != "" {
		return s.sendProgram(b, file, from, to)
	}
	if file == autoexec {
		text, err := s.script(b)
		if err != nil {
			return err
		}
		s.tellScript(b, "tftp", from.String(), len(text), time.Since(began))
		_, err = to.ReadFrom(strings.NewReader(text))
		return err
	}
	f, err := s.openLoader(b, file, "tftp")
	if err != nil {
		return err
	}
	data, err := io.ReadAll(f)
	_ = f.Close()
	if err != nil {
		return err
	}
	own := time.Since(began)
	n, err := to.ReadFrom(bytes.NewReader(data))
	if err != nil {
		// Not an event of its own: firmware asks for the size first and breaks
		// off on purpose (EDK2's PXE does), and a lost client asks again.
		return err
	}
	s.tellLoader(b, Event{By: "tftp", From: from.String(), File: file, Bytes: n, Total: n, Took: time.Since(began), Own: own})
	return nil
}

// whose finds the open boot of a request: by the MAC in the name
// ("52-54-00-17-00-11/snponly.efi"), else by the sender's address.
func (s *Server) whose(name string, from netip.Addr) (Boot, string, bool) {
	dir, file := path.Split(strings.TrimLeft(strings.ReplaceAll(name, `\`, "/"), "/"))
	if dir = strings.Trim(dir, "/"); dir != "" {
		mac, err := ParseMAC(dir)
		if err != nil {
			return Boot{}, "", false
		}
		b, ok := s.conf.Book.ByMAC(mac)
		return b, file, ok
	}
	b, ok := s.at(from)
	return b, file, ok
}

// at finds the open boot behind an address: reserved, or learnt from the
// messages that a host exchanged with a site's DHCP server.
func (s *Server) at(from netip.Addr) (Boot, bool) {
	if b, ok := s.conf.Book.ByAddr(from); ok {
		return b, true
	}
	if mac, ok := s.watch.at(from); ok {
		return s.conf.Book.ByMAC(mac)
	}
	return Boot{}, false
}

// openLoader opens a file of the loader directory, and of no other.
func (s *Server) openLoader(b Boot, name, by string) (*os.File, error) {
	f, err := os.OpenInRoot(s.conf.Loaders, name)
	if err != nil {
		s.emit(b, Event{Kind: Trouble, By: by, File: printable(name), Note: fmt.Sprintf("open the loader: %v", err),
			Next: fmt.Sprintf("put it into %s (Debian package ipxe)", s.conf.Loaders)})
		return nil, fmt.Errorf("no loader %q here", name)
	}
	return f, nil
}

// tellLoader reports a loader that was fetched whole. The second one without a
// script in between means that iPXE was sent to itself.
func (s *Server) tellLoader(b Boot, e Event) {
	e.Kind = Loader
	n := s.watch.loader(b)
	s.emit(b, e)
	if n < 2 {
		return
	}
	e.Kind = Loop
	e.Note = fmt.Sprintf("it fetched the loader %d times and never asked for the script: the DHCP server in front gives iPXE the loader again", n)
	e.Next = "let that DHCP server match user class \"iPXE\" (option 77) or option 175, and name " + s.conf.bootURL(b.MAC, scriptName)
	s.emit(b, e)
}
