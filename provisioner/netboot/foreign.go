package netboot

import (
	"context"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// serveSpy reports what other servers say on this network. It hears broadcasts;
// what they send to one client alone goes past us on a switched network, and then
// the client's own DHCPREQUEST, which names the server, tells.
func (s *Server) serveSpy(ctx context.Context) error {
	type once struct {
		server, from netip.Addr
		opening      uint64
	}
	seen := map[once]bool{}
	return read(ctx, s.spy, func(from netip.AddrPort, raw []byte) {
		o, mac, ok := overheard(from.Addr(), raw)
		if !ok || o.Server == s.conf.Addr || from.Addr() == s.conf.Addr {
			return
		}
		b, _ := s.conf.Book.ByMAC(mac)
		if s.conf.Mode == Proxy {
			s.learnFrom(b, o)
			return
		}
		// Once for each server and open boot; for all other hosts together once.
		key := once{o.Server, from.Addr(), b.Opening}
		if seen[key] || len(seen) > 1000 {
			return
		}
		seen[key] = true
		s.emit(b, Event{Kind: Foreign, By: "dhcp", From: from.String(), MAC: mac.String(), Note: o.String(),
			Next: "use proxy DHCP beside that server, or switch it off on this network"})
	})
}

// learnFrom notes the address that a site's server gave to a host of ours.
func (s *Server) learnFrom(b Boot, o facts.Offer) {
	if b.Opening != 0 && o.Type == dhcpv4.MessageTypeAck.String() {
		s.watch.learn(b, o.Address)
	}
}

// overheard reads a server's message and for whom it is.
func overheard(from netip.Addr, raw []byte) (facts.Offer, MAC, bool) {
	m, err := dhcpv4.FromBytes(raw)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootReply || len(m.ClientHWAddr) != 6 {
		return facts.Offer{}, MAC{}, false
	}
	return told(from, m), MAC(m.ClientHWAddr), true
}

// told takes what matters out of a server's message.
func told(from netip.Addr, m *dhcpv4.DHCPv4) facts.Offer {
	o := facts.Offer{Server: address(m.ServerIdentifier()), From: from, Type: m.MessageType().String(),
		Address: address(m.YourIPAddr), BootFile: printable(m.BootFileNameOption()), Class: printable(m.ClassIdentifier())}
	if o.BootFile == "" {
		o.BootFile = printable(m.BootFileName)
	}
	if !o.Server.IsValid() {
		o.Server = from
	}
	return o
}
