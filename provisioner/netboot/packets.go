package netboot

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// A decision is one of Config.lease, offer and confirm.
type decision func(Boot, Client, *dhcpv4.DHCPv4) answer

func (s *Server) serveDHCP(ctx context.Context) error {
	decide := s.conf.lease
	if s.conf.Mode == Proxy {
		decide = s.conf.offer
	}
	return read(ctx, s.dhcp, func(from netip.AddrPort, raw []byte) {
		began := time.Now()
		m, a, b, cl := s.consider(raw, decide)
		if a.message != nil {
			s.send(s.dhcp, b, destination(m, a.message), a.message)
		}
		s.tellDHCP(m, a, b, cl, from, time.Since(began))
	})
}

// serveProxy answers on port 4011: to where the question came from, since the
// client has an address now.
func (s *Server) serveProxy(ctx context.Context) error {
	return read(ctx, s.proxy, func(from netip.AddrPort, raw []byte) {
		began := time.Now()
		m, a, b, cl := s.consider(raw, s.conf.confirm)
		if a.message != nil && from.Addr().IsValid() && !from.Addr().IsUnspecified() {
			s.send(s.proxy, b, from, a.message)
		}
		s.tellDHCP(m, a, b, cl, from, time.Since(began))
	})
}

// consider reads a packet and decides. A message that isn't from the NIC of an
// open boot has no answer. The message is nil when the packet is no request.
func (s *Server) consider(raw []byte, decide decision) (*dhcpv4.DHCPv4, answer, Boot, Client) {
	m, err := dhcpv4.FromBytes(raw)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest || len(m.ClientHWAddr) != 6 {
		return nil, answer{}, Boot{}, Client{}
	}
	b, open := s.conf.Book.ByMAC(MAC(m.ClientHWAddr))
	if !open {
		return m, answer{}, Boot{}, Client{}
	}
	cl := identify(m)
	return m, decide(b, cl, m), b, cl
}

func (s *Server) send(conn *net.UDPConn, b Boot, to netip.AddrPort, m *dhcpv4.DHCPv4) {
	if _, err := conn.WriteToUDPAddrPort(m.ToBytes(), to); err != nil {
		s.emit(b, Event{Kind: Trouble, By: "dhcp", From: to.String(),
			Note: fmt.Sprintf("send the DHCP %s to %s: %v", m.MessageType(), to, err),
			Next: "look at address and state of the interface " + s.conf.Interface})
	}
}

// tellDHCP reports what a message showed.
func (s *Server) tellDHCP(m *dhcpv4.DHCPv4, a answer, b Boot, cl Client, from netip.AddrPort, own time.Duration) {
	if m == nil || b.Node == "" && b.Opening == 0 {
		return
	}
	e := Event{From: from.String(), Client: cl, File: a.file, By: "dhcp", Took: own, Own: own}
	if s.conf.Mode == Proxy {
		e.By = "proxy-dhcp"
		s.watch.learn(b, address(m.ClientIPAddr), address(m.RequestedIPAddress()))
	}
	kind := m.MessageType()
	if kind == dhcpv4.MessageTypeDecline {
		e.Kind, e.Note, e.Next = Declined, fmt.Sprintf("it found its address %s in use", b.addr4().Addr()), "find the other machine that has this address"
		s.emit(b, e)
		return
	}
	if s.watch.firstAsk(b, cl.Persona) {
		e.Kind = Asked
		e.Note = fmt.Sprintf("%s from a %s client, architecture %s, class %q", kind, cl.Persona, cl.archText(), cl.Class)
		s.emit(b, e)
		s.tellMismatch(b, cl)
	}
	switch {
	case a.why != "" && a.message == nil && kind == dhcpv4.MessageTypeRequest:
		e.Kind, e.Note, e.Next = Foreign, a.why, "use proxy DHCP beside that server, or switch it off on this network"
	case a.why != "":
		e.Kind, e.Note = Declined, a.why
	case a.message != nil && a.message.MessageType() == dhcpv4.MessageTypeAck && !a.message.YourIPAddr.IsUnspecified():
		e.Kind, e.Note = Leased, a.message.YourIPAddr.String()
	default:
		return
	}
	s.emit(b, e)
}

// tellMismatch reports a firmware that boots by another way than the inventory
// says, and one that there is no loader for.
func (s *Server) tellMismatch(b Boot, cl Client) {
	if cl.Persona == IPXE || cl.Persona == Plain {
		return
	}
	if b.Method != "" && b.Method != string(cl.Persona) {
		s.emit(b, Event{Kind: Trouble, By: "dhcp", Client: cl,
			Note: fmt.Sprintf("it boots by %s and the inventory says %s; it is served all the same", cl.Persona, b.Method),
			Next: "correct boot.method in the inventory, or the boot mode in the firmware"})
	}
	if b.Loader == "" && cl.loader() == "" {
		s.emit(b, Event{Kind: Trouble, By: "dhcp", Client: cl,
			Note: "there is no loader for architecture " + cl.archText(),
			Next: "set the boot mode of the firmware to UEFI on x86-64"})
	}
}

// read hands each packet to handle until the socket is closed.
func read(ctx context.Context, conn *net.UDPConn, handle func(netip.AddrPort, []byte)) error {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from %s: %w", conn.LocalAddr(), err)
		}
		handle(netip.AddrPortFrom(plain(from.Addr()), from.Port()), buf[:n])
	}
}
