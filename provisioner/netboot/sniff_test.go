package netboot

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot/frame"
)

var sniffed = struct{ server, client net.HardwareAddr }{net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}}

// carried wraps a message as the network carries it.
func carried(m *dhcpv4.DHCPv4, from string, to string) []byte {
	return frame.UDP4(netip.MustParseAddrPort(from), netip.MustParseAddrPort(to), m.ToBytes())
}

// A server is told once, with all that its messages tell together.
func TestEar(t *testing.T) {
	e := newEar()
	reply := func(i int, mods ...dhcpv4.Modifier) []byte {
		m, err := dhcpv4.NewReplyFromRequest(e.questions[i].message, append(mods,
			dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 17, 0, 254))))...)
		if err != nil {
			t.Fatal(err)
		}
		return carried(m, "10.17.0.254:67", "255.255.255.255:68")
	}
	e.hear(sniffed.server, reply(0, dhcpv4.WithYourIP(net.IPv4(10, 17, 0, 200))))
	e.hear(sniffed.server, reply(2, dhcpv4.WithYourIP(net.IPv4(10, 17, 0, 200)), dhcpv4.WithOption(dhcpv4.OptBootFileName("x.efi"))))
	request := func(server net.IP) []byte {
		m, err := dhcpv4.New(dhcpv4.WithHwAddr(sniffed.client), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)))
		if err != nil {
			t.Fatal(err)
		}
		return carried(m, "0.0.0.0:68", "255.255.255.255:67")
	}
	e.hear(sniffed.client, request(net.IPv4(10, 17, 0, 254)))
	e.hear(sniffed.client, request(net.IPv4(10, 17, 0, 7)))
	got := e.servers()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	if o := got[0]; o.Server.String() != "10.17.0.7" || o.Type != "REQUEST" || o.MAC != "" {
		t.Errorf("by a client's REQUEST: %+v", o)
	}
	if o := got[1]; o.Address.String() != "10.17.0.200" || o.BootFile != "x.efi" || o.Asked != "PXEClient:Arch:00007" || o.MAC != sniffed.server.String() {
		t.Errorf("by its offers: %+v", o)
	}
}

// Nothing that is asked could take a lease.
func TestQuestions(t *testing.T) {
	e := newEar()
	if e.err != nil || e.mac[0]&3 != 2 {
		t.Fatalf("%v, MAC %s", e.err, e.mac)
	}
	for _, q := range e.questions {
		if q.message.MessageType() != dhcpv4.MessageTypeDiscover || !q.message.IsBroadcast() || MAC(q.message.ClientHWAddr) != e.mac {
			t.Errorf("%s: %s", q.as, q.message.Summary())
		}
	}
}

func FuzzEar(f *testing.F) {
	e := newEar()
	f.Add(carried(e.questions[2].message, "0.0.0.0:68", "255.255.255.255:67"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		e := newEar()
		e.hear(sniffed.server, packet)
		for _, o := range e.servers() {
			if !o.Server.IsValid() || o.String() == "" {
				t.Errorf("%+v", o)
			}
		}
	})
}
