package preflight

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot/frame"
)

// ICMPv6 types and options of neighbour discovery (RFC 4861, 4).
const (
	icmpv6                = 58 // protocol number
	neighborSolicitation  = 135
	neighborAdvertisement = 136
	targetLinkAddress     = 2
)

// ndp asks as duplicate address detection does (RFC 4862, 5.4.2): from the
// unspecified address. RFC 4861, 7.2.4 has the owner answer to all nodes then.
type ndp struct{ mac net.HardwareAddr }

func (ndp) protocol() int { return frame.IPv6 }

// question implements dialect.
func (n ndp) question(addr netip.Addr) (to net.HardwareAddr, payload []byte) {
	target := addr.As16()
	group := netip.MustParseAddr("ff02::1:ff00:0").As16() // solicited-node, RFC 4291, 2.7.1
	copy(group[13:], target[13:])
	p := make([]byte, 40+24)
	p[0] = 6 << 4
	binary.BigEndian.PutUint16(p[4:], 24)
	p[6], p[7] = icmpv6, 255 // RFC 4861, 7.1.1: another hop limit is dropped
	copy(p[24:], group[:])
	p[40] = neighborSolicitation
	copy(p[48:], target[:])
	binary.BigEndian.PutUint16(p[42:], ^frame.Sum(pseudo(p)))
	return net.HardwareAddr{0x33, 0x33, group[12], group[13], group[14], group[15]}, p // RFC 2464, 7
}

// owner implements dialect: an advertisement of the address, or another's
// duplicate address detection for it.
func (ndp) owner(p []byte) (netip.Addr, net.HardwareAddr, bool) {
	if len(p) < 64 || p[0]>>4 != 6 || p[6] != icmpv6 || p[7] != 255 || p[41] != 0 {
		return netip.Addr{}, nil, false
	}
	size := int(binary.BigEndian.Uint16(p[4:]))
	if size < 24 || 40+size > len(p) {
		return netip.Addr{}, nil, false
	}
	m, target := p[40:40+size], netip.AddrFrom16([16]byte(p[48:64]))
	switch from := netip.AddrFrom16([16]byte(p[8:24])); {
	case m[0] == neighborAdvertisement:
		mac, ok := option(m[24:], targetLinkAddress)
		return target, mac, ok
	case m[0] == neighborSolicitation && from.IsUnspecified():
		return target, nil, true // the frame's sender
	}
	return netip.Addr{}, nil, false
}

// option returns the link-layer address in an option of neighbour discovery.
func option(p []byte, kind byte) (net.HardwareAddr, bool) {
	for len(p) >= 8 {
		size := int(p[1]) * 8
		if size == 0 || size > len(p) {
			return nil, false
		}
		if p[0] == kind && size == 8 {
			return net.HardwareAddr(p[2:8]), true
		}
		p = p[size:]
	}
	return nil, false
}

// pseudo returns what the checksum of an ICMPv6 message covers (RFC 8200, 8.1),
// for an IPv6 packet without extension headers.
func pseudo(p []byte) []byte {
	out := append([]byte{}, p[8:40]...)
	out = append(out, 0, 0, p[4], p[5], 0, 0, 0, icmpv6)
	return append(out, p[40:]...)
}
