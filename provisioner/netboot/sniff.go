package netboot

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot/frame"
)

// Sniff asks who gives addresses on the network behind iface, and overhears
// who gives them to others, for the time d. It sends DISCOVER every second, as
// any client and as firmware that boots from the network does, with a MAC that
// nobody has; some servers speak to firmware only. Each server is listed once,
// in the order of addresses. It needs CAP_NET_RAW; a DHCP client of this
// machine does no harm.
//
// Nothing is reserved: an offer that is not requested lapses (RFC 2131, 3.1).
// A server that looks whether an address is free before it offers it takes up
// to three seconds for that (dnsmasq's PING_WAIT), so that d should be more. A
// server that answers known machines only is seen when it answers one of them;
// a Server reports such ones too.
//
// The frames have this machine's own MAC as their source, so that a switch
// which allows one MAC on the port doesn't shut it.
func Sniff(ctx context.Context, iface string, d time.Duration) ([]facts.Offer, error) {
	conn, err := frame.Listen(iface, frame.IPv4)
	if err != nil {
		return nil, fmt.Errorf("look for DHCP servers: %w", err)
	}
	defer conn.Close()
	timed, stop := context.WithTimeout(ctx, d)
	defer stop()
	e := newEar()
	sent := make(chan error, 1)
	go func() { sent <- e.ask(timed, conn); stop() }()
	heard := conn.Hear(timed, e.hear)
	stop()
	if err := <-sent; err != nil {
		return nil, fmt.Errorf("look for DHCP servers on %s: send DISCOVER: %w", iface, err)
	}
	if heard != nil {
		return nil, fmt.Errorf("look for DHCP servers: %w", heard)
	}
	return e.servers(), ctx.Err()
}

// A question is one kind of DISCOVER.
type question struct {
	as      string // for people
	message *dhcpv4.DHCPv4
}

// questions returns what is asked: the client classes and architectures of
// RFC 4578 and the UEFI specification 2.10, 24.7.2.
func questions(mac MAC) ([]question, error) {
	all := []question{{as: "any client"}, {as: "PXEClient:Arch:00000"}, {as: "PXEClient:Arch:00007"}, {as: "HTTPClient:Arch:00016"}}
	for i := range all {
		with := []dhcpv4.Modifier{dhcpv4.WithBroadcast(true)}
		if i > 0 {
			arch := []uint16{0, 0, 7, 16}[i]
			with = append(with,
				dhcpv4.WithOption(dhcpv4.OptClassIdentifier(all[i].as+":UNDI:003016")),
				dhcpv4.WithGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{byte(arch >> 8), byte(arch)}),
				dhcpv4.WithGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 3, 16}),
				dhcpv4.WithGeneric(dhcpv4.OptionClientMachineIdentifier, append([]byte{0}, make([]byte, 16)...)),
				dhcpv4.WithRequestedOptions(dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName, dhcpv4.OptionVendorSpecificInformation))
		}
		m, err := dhcpv4.NewDiscovery(mac[:], with...)
		if err != nil {
			return nil, err
		}
		all[i].message = m
	}
	return all, nil
}

// An ear collects what servers say. Only the goroutine that hears uses it
// after it was made, but for ask, which reads what doesn't change.
type ear struct {
	mac       MAC
	questions []question
	err       error
	found     map[spoken]facts.Offer
}

// spoken is one server as it is told apart from others.
type spoken struct {
	server netip.Addr
	mac    string
}

func newEar() *ear {
	e := &ear{found: map[spoken]facts.Offer{}}
	_, _ = rand.Read(e.mac[:])
	e.mac[0] = e.mac[0]&^1 | 2 // one station, locally administered (IEEE 802, 8.2)
	e.questions, e.err = questions(e.mac)
	return e
}

// ask sends all questions every second until ctx ends.
func (e *ear) ask(ctx context.Context, conn *frame.Conn) error {
	if e.err != nil {
		return e.err
	}
	all := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	from := netip.AddrPortFrom(netip.IPv4Unspecified(), dhcpv4.ClientPort)
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dhcpv4.ServerPort)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for _, q := range e.questions {
			if err := conn.Send(all, frame.UDP4(from, to, q.message.ToBytes())); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// hear notes what a frame tells of a server.
func (e *ear) hear(sender net.HardwareAddr, packet []byte) {
	from, to, raw, ok := frame.ReadUDP4(packet)
	if !ok || to.Port() != dhcpv4.ClientPort && to.Port() != dhcpv4.ServerPort {
		return
	}
	m, err := dhcpv4.FromBytes(raw)
	if err != nil {
		return
	}
	switch {
	case m.OpCode == dhcpv4.OpcodeBootReply:
		o := told(from.Addr(), m)
		o.MAC = sender.String()
		for _, q := range e.questions {
			if q.message.TransactionID == m.TransactionID {
				o.Asked = q.as
			}
		}
		e.note(o)
	case m.MessageType() == dhcpv4.MessageTypeRequest && address(m.ServerIdentifier()).IsValid():
		// RFC 2131, 4.3.2: a client in state SELECTING names the server whose
		// offer it takes. The server's own words went to that client alone.
		e.note(facts.Offer{Server: address(m.ServerIdentifier()), From: from.Addr(), Type: m.MessageType().String()})
	}
}

// note keeps the first message of a server, an offer rather than what was
// overheard, and adds what later ones tell besides.
func (e *ear) note(o facts.Offer) {
	key := spoken{o.Server, o.MAC}
	had, ok := e.found[key]
	if len(e.found) >= 1000 && !ok {
		return
	}
	if !ok || had.Asked == "" && o.Asked != "" {
		had, o = o, had
	}
	if !had.Address.IsValid() {
		had.Address = o.Address
	}
	if had.BootFile == "" && o.BootFile != "" {
		had.BootFile, had.Asked = o.BootFile, o.Asked
	}
	if had.Class == "" {
		had.Class = o.Class
	}
	e.found[key] = had
}

// servers returns all that were heard, sorted by address. A server that was
// heard itself isn't told again for a client's REQUEST.
func (e *ear) servers() []facts.Offer {
	all := slices.SortedFunc(maps.Values(e.found), func(a, b facts.Offer) int {
		if c := a.Server.Compare(b.Server); c != 0 {
			return c
		}
		return strings.Compare(b.MAC, a.MAC) // one with a MAC first
	})
	var out []facts.Offer
	for _, o := range all {
		if o.MAC == "" && len(out) > 0 && out[len(out)-1].Server == o.Server {
			continue
		}
		out = append(out, o)
	}
	return out
}
