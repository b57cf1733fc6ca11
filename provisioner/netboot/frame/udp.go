package frame

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of headers without options (RFC 791, RFC 768).
const (
	ipHeader  = 20
	udpHeader = 8
	udp       = 17 // protocol number
)

// UDP4 returns an IPv4 packet with a UDP datagram in it.
func UDP4(from, to netip.AddrPort, payload []byte) []byte {
	p := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(payload))
	p = append(p, payload...)
	p[0] = 4<<4 | ipHeader/4
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[8], p[9] = 64, udp // time to live
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], ^Sum(p[:ipHeader]))
	u := p[ipHeader:]
	binary.BigEndian.PutUint16(u[0:], from.Port())
	binary.BigEndian.PutUint16(u[2:], to.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	pseudo := append(append(append([]byte{}, p[12:20]...), 0, udp, u[4], u[5]), u...)
	sum := ^Sum(pseudo)
	if sum == 0 {
		sum = 0xffff // RFC 768: zero means that there is none
	}
	binary.BigEndian.PutUint16(u[6:], sum)
	return p
}

// ReadUDP4 takes a UDP datagram out of an IPv4 packet. The checksum is not
// looked at: between machines of one host it isn't filled in. A fragment is no
// datagram.
func ReadUDP4(p []byte) (from, to netip.AddrPort, payload []byte, ok bool) {
	if len(p) < ipHeader || p[0]>>4 != 4 || p[9] != udp || binary.BigEndian.Uint16(p[6:])&0x3fff != 0 {
		return from, to, nil, false
	}
	head, total := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	if head < ipHeader || total > len(p) || total < head+udpHeader {
		return from, to, nil, false
	}
	u := p[head:total]
	size := int(binary.BigEndian.Uint16(u[4:]))
	if size < udpHeader || size > len(u) {
		return from, to, nil, false
	}
	from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[12:16])), binary.BigEndian.Uint16(u))
	to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[16:20])), binary.BigEndian.Uint16(u[2:]))
	return from, to, u[udpHeader:size], true
}

// Sum returns the ones' complement sum of the Internet checksum (RFC 1071); a
// header's field holds its complement.
func Sum(p []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(p); i += 2 {
		sum += uint32(p[i])<<8 | uint32(p[i+1])
	}
	if len(p)%2 == 1 {
		sum += uint32(p[len(p)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
