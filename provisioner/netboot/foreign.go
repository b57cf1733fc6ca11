package netboot

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

// An Offer is what a DHCP server said that isn't ours.
type Offer struct {
	Server   netip.Addr // DHCP option 54, else the sender's address
	From     netip.Addr // the sender: the server, or a relay
	Type     string     // "OFFER", "ACK", "NAK"
	Address  netip.Addr // offered; zero from a proxy DHCP server
	BootFile string     // header field or DHCP option 67
	Class    string     // DHCP option 60: "PXEClient" from a proxy DHCP server
}

// String returns one line for people.
func (o Offer) String() string {
	text := fmt.Sprintf("DHCP server %s sent %s of %s", o.Server, o.Type, said(o.Address))
	if o.BootFile != "" {
		text += fmt.Sprintf(" with boot file %q", o.BootFile)
	}
	return text
}

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
func (s *Server) learnFrom(b Boot, o Offer) {
	if b.Opening != 0 && o.Type == dhcpv4.MessageTypeAck.String() {
		s.watch.learn(b, o.Address)
	}
}

// overheard reads a server's message and for whom it is.
func overheard(from netip.Addr, raw []byte) (Offer, MAC, bool) {
	m, err := dhcpv4.FromBytes(raw)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootReply || len(m.ClientHWAddr) != 6 {
		return Offer{}, MAC{}, false
	}
	o := Offer{Server: address(m.ServerIdentifier()), From: from, Type: m.MessageType().String(),
		Address: address(m.YourIPAddr), BootFile: printable(m.BootFileNameOption()), Class: printable(m.ClassIdentifier())}
	if o.BootFile == "" {
		o.BootFile = printable(m.BootFileName)
	}
	if !o.Server.IsValid() {
		o.Server = from
	}
	return o, MAC(m.ClientHWAddr), true
}

// Sniff asks who gives addresses on the network behind iface: it sends DISCOVER
// with a MAC that nobody has, every second for the time d, and lists who
// offers, each server once. It must run before a Server of ours listens there.
// It needs root. A server that answers known machines only stays unseen; a
// Server reports such ones when they answer a host of the inventory.
//
// Nothing is reserved: an offer that is not requested lapses (RFC 2131, 3.1).
func Sniff(ctx context.Context, iface string, d time.Duration) ([]Offer, error) {
	conn, err := server4.NewIPv4UDPConn(iface, &net.UDPAddr{Port: dhcpv4.ClientPort})
	if err != nil {
		return nil, fmt.Errorf("look for DHCP servers on %s: %w (run as root; a DHCP client of this machine may have port 68)", iface, err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mac MAC
	_, _ = rand.Read(mac[:])
	mac[0] = mac[0]&^1 | 2 // one station, locally administered (IEEE 802, 8.2)
	seen := map[netip.Addr]bool{}
	var offers []Offer
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		if err := discover(conn, mac); err != nil {
			return offers, fmt.Errorf("look for DHCP servers on %s: send DISCOVER: %w", iface, err)
		}
		round, _ := ctx.Deadline()
		if next := time.Now().Add(time.Second); next.Before(round) {
			round = next
		}
		_ = conn.SetReadDeadline(round)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if os.IsTimeout(err) {
				break
			}
			if err != nil {
				return offers, fmt.Errorf("look for DHCP servers on %s: %w", iface, err)
			}
			if o, to, ok := overheard(plain(from.Addr()), buf[:n]); ok && to == mac && !seen[o.Server] {
				seen[o.Server] = true
				offers = append(offers, o)
			}
		}
	}
	return offers, nil
}

// discover sends one DISCOVER that asks for broadcast answers, as a PXE client
// would, so that proxy DHCP servers speak too.
func discover(conn *net.UDPConn, mac MAC) error {
	m, err := dhcpv4.NewDiscovery(mac[:], dhcpv4.WithBroadcast(true),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00007:UNDI:003016")),
		dhcpv4.WithOption(dhcpv4.OptClientArch(7)),
		dhcpv4.WithGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 3, 16}),
		dhcpv4.WithGeneric(dhcpv4.OptionClientMachineIdentifier, append([]byte{0}, make([]byte, 16)...)))
	if err != nil {
		return err
	}
	all := netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dhcpv4.ServerPort)
	_, err = conn.WriteToUDPAddrPort(m.ToBytes(), all)
	return err
}
