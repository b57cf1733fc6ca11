package netboot

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// leaseTime is long against one install and short against a day: an address
// is used by firmware and loader only, the installer has it statically.
const leaseTime = time.Hour

// An answer is what goes back for one DHCP message. A nil Message is silence.
type answer struct {
	message *dhcpv4.DHCPv4
	file    string // the boot file that was named, for events
	why     string // why it is a refusal or silence, for a person
}

// lease decides the authoritative answer to a message from the NIC of b.
//
// RFC 2131, 4.3.2 tells the states of a client apart: with a server identifier
// it is SELECTING, without one and with a requested address INIT-REBOOT, with
// ciaddr RENEWING or REBINDING.
func (c Config) lease(b Boot, cl Client, m *dhcpv4.DHCPv4) answer {
	own := b.addr4().Addr()
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return c.grant(b, cl, m, dhcpv4.MessageTypeOffer)
	case dhcpv4.MessageTypeInform:
		return c.inform(b, cl, m)
	case dhcpv4.MessageTypeRequest:
	default:
		return answer{}
	}
	server := address(m.ServerIdentifier())
	if server.IsValid() && server != c.Addr {
		return answer{why: fmt.Sprintf("it took the offer of the DHCP server %s", server)}
	}
	wanted := address(m.ClientIPAddr)
	if !wanted.IsValid() {
		wanted = address(m.RequestedIPAddress())
	}
	if wanted != own {
		return c.refuse(m, fmt.Sprintf("it asked for %s and %s is reserved for it", said(wanted), own))
	}
	return c.grant(b, cl, m, dhcpv4.MessageTypeAck)
}

// grant offers or acknowledges the reserved address and says what to boot.
func (c Config) grant(b Boot, cl Client, m *dhcpv4.DHCPv4, kind dhcpv4.MessageType) answer {
	p := b.addr4()
	r, err := c.base(m, kind)
	if err != nil {
		return answer{why: err.Error()}
	}
	r.YourIPAddr = p.Addr().AsSlice()
	r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(leaseTime))
	c.describe(b, r)
	return answer{message: r, file: c.bootFile(b, cl, r)}
}

// inform answers a client that has an address by other means. RFC 2131, 4.3.5:
// "The server MUST NOT send a lease expiration time to the client and SHOULD NOT
// fill in 'yiaddr'."
func (c Config) inform(b Boot, cl Client, m *dhcpv4.DHCPv4) answer {
	r, err := c.base(m, dhcpv4.MessageTypeAck)
	if err != nil {
		return answer{why: err.Error()}
	}
	r.ClientIPAddr = m.ClientIPAddr
	c.describe(b, r)
	return answer{message: r, file: c.bootFile(b, cl, r)}
}

// refuse says no. RFC 2131, 4.3.2: "If 'giaddr' is set in the DHCPREQUEST
// message, the client is on a different subnet. The server MUST set the broadcast
// bit in the DHCPNAK, so that the relay agent will broadcast the DHCPNAK to the
// client".
func (c Config) refuse(m *dhcpv4.DHCPv4, why string) answer {
	r, err := c.base(m, dhcpv4.MessageTypeNak)
	if err != nil {
		return answer{why: err.Error()}
	}
	if address(m.GatewayIPAddr).IsValid() {
		r.SetBroadcast()
	}
	r.UpdateOption(dhcpv4.OptMessage(why))
	return answer{message: r, why: why}
}

// base begins a reply: the fields of RFC 2131, table 3, the server identifier,
// and what must come back as it was sent (client identifier, RFC 6842; relay
// agent information, RFC 3046; machine identifier, RFC 4578, 2.3).
func (c Config) base(m *dhcpv4.DHCPv4, kind dhcpv4.MessageType) (*dhcpv4.DHCPv4, error) {
	r, err := dhcpv4.NewReplyFromRequest(m,
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(c.Addr.AsSlice())),
		dhcpv4.WithOptionCopied(m, dhcpv4.OptionClientMachineIdentifier))
	if err != nil {
		return nil, fmt.Errorf("make a DHCP %s for %s: %w", kind, m.ClientHWAddr, err)
	}
	return r, nil
}

// describe adds the network: mask, gateway, names, time (RFC 2132).
func (c Config) describe(b Boot, r *dhcpv4.DHCPv4) {
	p := b.addr4()
	r.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(p.Bits(), 32)))
	if b.Gateway.Is4() {
		r.UpdateOption(dhcpv4.OptRouter(b.Gateway.AsSlice()))
	}
	if dns := only4(b.DNS); len(dns) > 0 {
		r.UpdateOption(dhcpv4.OptDNS(dns...))
	}
	if ntp := only4(b.NTP); len(ntp) > 0 {
		r.UpdateOption(dhcpv4.OptNTPServers(ntp...))
	}
	if b.Hostname != "" {
		r.UpdateOption(dhcpv4.OptHostName(b.Hostname))
	}
}

// bootFile says what to boot, in the way the client understands, and returns
// the file's name; empty when there is nothing for such a client.
func (c Config) bootFile(b Boot, cl Client, r *dhcpv4.DHCPv4) string {
	name := b.loader(cl)
	switch {
	case cl.Persona == IPXE && b.Program == "":
		name = scriptName
		r.UpdateOption(dhcpv4.OptBootFileName(c.bootURL(b.MAC, name)))
		// iPXE waits some seconds for a proxy DHCP server unless encapsulated
		// option 176, "no-pxedhcp", is set. Nobody else is here to answer.
		if c.Mode == Authoritative {
			r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(optionIPXE), []byte{176, 1, 1}))
		}
	case cl.Persona == Plain || name == "":
		return ""
	case cl.Persona == IPXE:
		r.UpdateOption(dhcpv4.OptBootFileName(c.bootURL(b.MAC, name)))
	case cl.Persona == UEFIHTTP:
		// UEFI 2.10, 24.7.3.1: the client takes an offer for HTTP boot only when
		// option 60 says HTTPClient; option 67 holds the whole URI.
		r.UpdateOption(dhcpv4.OptClassIdentifier("HTTPClient"))
		r.UpdateOption(dhcpv4.OptBootFileName(c.bootURL(b.MAC, name)))
	default:
		file := b.MAC.Dashes() + "/" + name
		r.ServerIPAddr = c.Addr.AsSlice()
		r.ServerHostName = c.Addr.String()
		r.BootFileName = file
		r.UpdateOption(dhcpv4.OptTFTPServerName(c.Addr.String()))
		r.UpdateOption(dhcpv4.OptBootFileName(file))
	}
	return name
}

// destination says where the reply goes (RFC 2131, 4.1): to the relay's server
// port; to a client that can be reached by its address; else to all.
//
// A client without an address that didn't ask for broadcast could be reached at
// yiaddr by a frame to chaddr, which needs a raw socket or an ARP entry per
// client. RFC 2131, 4.1: "If unicasting is not possible, the message MAY be sent
// as an IP broadcast using an IP broadcast address (preferably 0xffffffff) as the
// IP destination address and the link-layer broadcast address as the link-layer
// destination address." Every firmware takes it, and one path is tested instead
// of two. The socket is bound to the interface, so the broadcast leaves there.
func destination(m, r *dhcpv4.DHCPv4) netip.AddrPort {
	if relay := address(m.GatewayIPAddr); relay.IsValid() {
		return netip.AddrPortFrom(relay, dhcpv4.ServerPort)
	}
	client := address(m.ClientIPAddr)
	if client.IsValid() && r.MessageType() != dhcpv4.MessageTypeNak {
		return netip.AddrPortFrom(client, dhcpv4.ClientPort)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dhcpv4.ClientPort)
}

// address turns a field of a message into an address, zero when it is unset.
func address(ip net.IP) netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	if a = a.Unmap(); !ok || !a.Is4() || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

func only4(addrs []netip.Addr) []net.IP {
	var ips []net.IP
	for _, a := range addrs {
		if a.Is4() {
			ips = append(ips, a.AsSlice())
		}
	}
	return ips
}

func said(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	return a.String()
}
