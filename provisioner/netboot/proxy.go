package netboot

import (
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// proxyPort is where a PXE client asks a proxy DHCP server again, after it has
// an address (PXE 2.1, 2.2.3).
const proxyPort = 4011

// vendorPXE returns DHCP option 43 for PXE clients: sub-option 6,
// PXE_DISCOVERY_CONTROL, with bit 3 set, and the end (PXE 2.1, table 2-1):
// "download the boot file, don't prompt, don't discover".
func vendorPXE() []byte { return []byte{6, 1, 8, 255} }

// offer decides the proxy's answer on port 67: to a DISCOVER of a client that
// boots from the network, what to boot and no address. It stays silent to
// DHCPREQUEST there, which the site's server answers.
func (c Config) offer(b Boot, cl Client, m *dhcpv4.DHCPv4) answer {
	if m.MessageType() != dhcpv4.MessageTypeDiscover || cl.Persona == Plain {
		return answer{}
	}
	return c.point(b, cl, m, dhcpv4.MessageTypeOffer)
}

// confirm decides the proxy's answer on port 4011.
func (c Config) confirm(b Boot, cl Client, m *dhcpv4.DHCPv4) answer {
	kind := m.MessageType()
	if cl.Persona == Plain || kind != dhcpv4.MessageTypeRequest && kind != dhcpv4.MessageTypeInform {
		return answer{}
	}
	return c.point(b, cl, m, dhcpv4.MessageTypeAck)
}

// point names the boot file without giving an address. The class comes back,
// else the client takes the message for an offer of an address.
func (c Config) point(b Boot, cl Client, m *dhcpv4.DHCPv4, kind dhcpv4.MessageType) answer {
	r, err := c.base(m, kind)
	if err != nil {
		return answer{why: err.Error()}
	}
	r.ClientIPAddr = m.ClientIPAddr
	r.ServerIPAddr = c.Addr.AsSlice()
	if cl.Persona != UEFIHTTP {
		r.UpdateOption(dhcpv4.OptClassIdentifier("PXEClient"))
		r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, vendorPXE()))
	}
	file := c.bootFile(b, cl, r)
	if file == "" {
		return answer{why: "there is no loader for its architecture"}
	}
	if cl.Persona == IPXE {
		// iPXE reads the boot file of a proxy's offer from the header field.
		r.BootFileName = c.bootURL(b.MAC, file)
	}
	return answer{message: r, file: file}
}
