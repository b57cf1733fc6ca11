package preflight

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot/frame"
)

// arp asks by ARP (RFC 826), as somebody without an address: RFC 5227, 2.1.1:
// "an ARP Request with an all-zero 'sender IP address'", "to avoid polluting ARP
// caches in other hosts on the same link in the case where the address turns out
// to be already in use by another host".
type arp struct{ mac net.HardwareAddr }

func (arp) protocol() int { return frame.ARP }

// question implements dialect.
func (a arp) question(addr netip.Addr) (to net.HardwareAddr, payload []byte) {
	p := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, sizes 6 and 4, REQUEST
	p = append(p, a.mac...)
	p = append(p, make([]byte, 4+6)...) // sender address, target MAC
	return net.HardwareAddr{255, 255, 255, 255, 255, 255}, append(p, addr.AsSlice()...)
}

// owner implements dialect. RFC 5227, 2.1.1 counts "any ARP packet (Request *or*
// Reply)" whose sender address is the one that was asked for, and somebody
// else's probe for it: he is about to take it.
func (arp) owner(p []byte) (netip.Addr, net.HardwareAddr, bool) {
	if len(p) < 28 || [6]byte(p[:6]) != [6]byte{0, 1, 8, 0, 6, 4} {
		return netip.Addr{}, nil, false
	}
	op := binary.BigEndian.Uint16(p[6:])
	mac, sender, target := net.HardwareAddr(p[8:14]), netip.AddrFrom4([4]byte(p[14:18])), netip.AddrFrom4([4]byte(p[24:28]))
	switch {
	case op != 1 && op != 2:
		return netip.Addr{}, nil, false
	case !sender.IsUnspecified():
		return sender, mac, true
	case op == 1:
		return target, mac, true
	}
	return netip.Addr{}, nil, false
}
