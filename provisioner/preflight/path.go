package preflight

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// sizes returns the packets that are tried, in bytes with the IP header, the
// largest first: what the interface can send, what hosts send (Ethernet), what
// tunnels leave of it, what each family guarantees.
func sizes(mtu int) []int {
	all := []int{mtu, 1500, 1492, 1450, 1400, 1280, 576, 84}
	all = slices.DeleteFunc(all, func(n int) bool { return n > mtu || n < 84 })
	slices.Sort(all)
	slices.Reverse(all)
	return slices.Compact(all)
}

// askPath sends echo requests of all sizes every second, none of which may be
// taken apart, and returns the largest that came back.
func askPath(ctx context.Context, iface string, to netip.Addr, sizes []int, d time.Duration) facts.Path {
	p := facts.Path{To: to}
	if len(sizes) == 0 {
		p.Err = "the interface " + iface + " has no MTU"
		return p
	}
	p.Tried = sizes[0]
	e := echo{to: to, sizes: sizes}
	conn, err := e.listen(ctx, iface)
	if err != nil {
		p.Err = fmt.Sprintf("send ICMP to %s: %v", to, err)
		return p
	}
	defer conn.Close()
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	if p.Bytes, err = e.run(ctx, conn); err != nil {
		p.Err = fmt.Sprintf("send ICMP to %s: %v", to, err)
	}
	return p
}

// An echo is one conversation of ICMP (RFC 792, RFC 4443).
type echo struct {
	to    netip.Addr
	sizes []int
	id    uint16
}

// listen opens a raw socket that sends whole packets only, and by this
// interface.
func (e *echo) listen(ctx context.Context, iface string) (net.PacketConn, error) {
	var id [2]byte
	_, _ = rand.Read(id[:])
	e.id = binary.BigEndian.Uint16(id[:])
	network, level, option, probe := "ip4:icmp", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if !e.to.Is4() {
		network, level, option, probe = "ip6:ipv6-icmp", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	conf := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		failed := raw.Control(func(fd uintptr) {
			if err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, iface); err == nil {
				err = unix.SetsockoptInt(int(fd), level, option, probe)
			}
		})
		if failed != nil {
			return failed
		}
		return err
	}}
	return conf.ListenPacket(ctx, network, "")
}

// run asks until the largest came back or ctx ends.
func (e *echo) run(ctx context.Context, conn net.PacketConn) (most int, err error) {
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	to := &net.IPAddr{IP: e.to.AsSlice()}
	buf := make([]byte, 1<<16)
	for ctx.Err() == nil && most < e.sizes[0] {
		for i, size := range e.sizes {
			if _, failed := conn.WriteTo(e.request(i, size), to); failed != nil && ctx.Err() == nil && size == slices.Min(e.sizes) {
				return most, failed
			}
		}
		again := time.Now().Add(time.Second)
		for ctx.Err() == nil && most < e.sizes[0] {
			_ = conn.SetReadDeadline(again)
			if ctx.Err() != nil {
				break
			}
			n, from, err := conn.ReadFrom(buf)
			if os.IsTimeout(err) {
				break
			}
			if err != nil {
				return most, err
			}
			if sender, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP); ok && sender.Unmap() == e.to {
				most = max(most, e.size(buf[:n]))
			}
		}
	}
	return most, nil
}

// request returns an echo request that makes a packet of this size. The
// kernel fills in the checksum of ICMPv6.
func (e *echo) request(seq, size int) []byte {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho}
	head := 28
	if !e.to.Is4() {
		m.Type, head = ipv6.ICMPTypeEchoRequest, 48
	}
	m.Body = &icmp.Echo{ID: int(e.id), Seq: seq, Data: make([]byte, size-head)}
	raw, _ := m.Marshal(nil) // it has a type and a body
	return raw
}

// size returns which of the sizes an answer is to, or 0. Nothing is taken on
// trust: it must be as long.
func (e *echo) size(raw []byte) int {
	proto, head, reply := 1, 20, icmp.Type(ipv4.ICMPTypeEchoReply)
	if !e.to.Is4() {
		proto, head, reply = icmpv6, 40, ipv6.ICMPTypeEchoReply
	}
	m, err := icmp.ParseMessage(proto, raw)
	if err != nil || m.Type != reply {
		return 0
	}
	body, ok := m.Body.(*icmp.Echo)
	if !ok || body.ID != int(e.id) || body.Seq < 0 || body.Seq >= len(e.sizes) || len(raw)+head != e.sizes[body.Seq] {
		return 0
	}
	return e.sizes[body.Seq]
}
