package netboot

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// ICMPv6 types and options of neighbour discovery (RFC 4861, 4).
const (
	routerSolicitation  = 133
	routerAdvertisement = 134
	sourceLinkAddress   = 1
)

// An adverter answers router solicitations of open boots with an advertisement
// that says: no router, no prefix, nothing by DHCPv6.
//
// It saves time only. iPXE brings up IPv4 and IPv6 side by side and goes on when
// both have ended; where no router answers, that took it 16 s here (iPXE
// 1.0.0+git-20190125, from the DHCP ACK to the first HTTP request), with an
// answer less than one. RFC 4861, 6.2.3: "A router might want to send Router
// Advertisements without advertising itself as a default router", and 4.2: "A
// Lifetime of 0 indicates that the router is not a default router and SHOULD NOT
// appear on the default router list". So no host takes harm from it.
type adverter struct{ conn *net.IPConn }

// listenRouter joins the all-routers group on the interface. It fails where
// IPv6 is off; then hosts wait those seconds.
func listenRouter(name string) (*adverter, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenIP("ip6:ipv6-icmp", &net.IPAddr{IP: net.IPv6unspecified})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	var opt error
	err = raw.Control(func(fd uintptr) { opt = routerOptions(int(fd), ifi) })
	if err == nil {
		err = opt
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listen for router solicitations on %s: %w", name, err)
	}
	return &adverter{conn}, nil
}

// routerOptions sets what neighbour discovery needs. RFC 4861, 6.1.2: an
// advertisement with another hop limit than 255 is dropped.
func routerOptions(fd int, ifi *net.Interface) error {
	group := &syscall.IPv6Mreq{Multiaddr: netip.MustParseAddr("ff02::2").As16(), Interface: uint32(ifi.Index)}
	filter := &syscall.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	filter.Data[routerSolicitation/32] &^= 1 << (routerSolicitation % 32)
	for _, err := range []error{
		syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, ifi.Name),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, 255),
		syscall.SetsockoptICMPv6Filter(fd, syscall.IPPROTO_ICMPV6, 1, filter), // 1 is ICMPV6_FILTER
		syscall.SetsockoptIPv6Mreq(fd, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP, group),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// serveRouter answers until ctx ends.
func (s *Server) serveRouter(ctx context.Context) error {
	buf := make([]byte, 2048)
	for {
		n, from, err := s.router.conn.ReadFromIP(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read router solicitations: %w", err)
		}
		mac, ok := solicitor(buf[:n])
		if !ok || !from.IP.IsLinkLocalUnicast() {
			continue
		}
		if _, open := s.conf.Book.ByMAC(mac); open {
			// A lost advertisement costs seconds only.
			_, _ = s.router.conn.WriteToIP(advertisement(), from)
		}
	}
}

// solicitor returns the sender's MAC from its source link-layer address option.
func solicitor(p []byte) (MAC, bool) {
	if len(p) < 8 || p[0] != routerSolicitation {
		return MAC{}, false
	}
	for p = p[8:]; len(p) >= 8; {
		size := int(p[1]) * 8
		if size == 0 || size > len(p) {
			return MAC{}, false
		}
		if p[0] == sourceLinkAddress && size == 8 {
			return MAC(p[2:8]), true
		}
		p = p[size:]
	}
	return MAC{}, false
}

// advertisement returns the ICMPv6 message (RFC 4861, 4.2): lifetime 0, no
// flags, no options. The kernel fills in the checksum.
func advertisement() []byte {
	m := make([]byte, 16)
	m[0] = routerAdvertisement
	m[4] = 64 // hop limit to use
	return m
}
