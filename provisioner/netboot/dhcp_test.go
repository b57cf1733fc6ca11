package netboot

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

const (
	discoverType = dhcpv4.MessageTypeDiscover
	request      = dhcpv4.MessageTypeRequest
	offer        = dhcpv4.MessageTypeOffer
	ack          = dhcpv4.MessageTypeAck
	nak          = dhcpv4.MessageTypeNak
)

func testConfig(t *testing.T, mode Mode) Config {
	return Config{Interface: "prov", Addr: netip.MustParseAddr("10.17.0.1"), Mode: mode, Book: open(t, aBoot(t))}.withDefaults()
}

// message builds a client's message.
func message(t *testing.T, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	hw, err := net.ParseMAC(hostMAC)
	if err != nil {
		t.Fatal(err)
	}
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(hw), dhcpv4.WithMessageType(kind)}, mods...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// exchange sends m through the very bytes, as the server's loop does.
func exchange(t *testing.T, c Config, m *dhcpv4.DHCPv4) answer {
	t.Helper()
	s := &Server{conf: c}
	decide := c.lease
	if c.Mode == Proxy {
		decide = c.offer
	}
	_, a, _, _ := s.consider(m.ToBytes(), decide)
	return a
}

func option(code dhcpv4.OptionCode, raw ...byte) dhcpv4.Modifier {
	return dhcpv4.WithGeneric(code, raw)
}

func class(text string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptClassIdentifier(text))
}

func arch(a iana.Arch) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptClientArch(a)) }

var (
	server10 = dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP{10, 17, 0, 1}))
	wants11  = dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IP{10, 17, 0, 11}))
	wants99  = dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IP{10, 17, 0, 99}))
)

// What RFC 2131 says of a server, sentence by sentence.
func TestRFC2131(t *testing.T) {
	relay := dhcpv4.WithGatewayIP(net.IP{10, 99, 0, 1})
	for _, test := range []struct {
		section, sentence string
		message           *dhcpv4.DHCPv4
		want              dhcpv4.MessageType // MessageTypeNone is silence
		address           string
		to                string
	}{
		{"3.1", "Each server may respond with a DHCPOFFER message that includes an available network address in the 'yiaddr' field",
			message(t, discoverType), offer, "10.17.0.11", "255.255.255.255:68"},
		{"4.1", "If the 'giaddr' field in a DHCP message from a client is non-zero, the server sends any return messages to the 'DHCP server' port on the BOOTP relay agent whose address appears in 'giaddr'",
			message(t, discoverType, relay), offer, "10.17.0.11", "10.99.0.1:67"},
		{"4.1", "If the 'giaddr' field is zero and the 'ciaddr' field is nonzero, then the server unicasts DHCPOFFER and DHCPACK messages to the address in 'ciaddr'",
			message(t, request, dhcpv4.WithClientIP(net.IP{10, 17, 0, 11})), ack, "10.17.0.11", "10.17.0.11:68"},
		{"4.1", "If 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is set, then the server broadcasts DHCPOFFER and DHCPACK messages to 0xffffffff",
			message(t, discoverType, dhcpv4.WithBroadcast(true)), offer, "10.17.0.11", "255.255.255.255:68"},
		{"4.1", "In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK messages to 0xffffffff",
			message(t, request, dhcpv4.WithClientIP(net.IP{10, 17, 0, 99})), nak, "", "255.255.255.255:68"},
		{"4.3.2", "DHCPREQUEST generated during SELECTING state: Client inserts the address of the selected server in 'server identifier', 'ciaddr' MUST be zero, 'requested IP address' MUST be filled in with the yiaddr value from the chosen DHCPOFFER",
			message(t, request, server10, wants11), ack, "10.17.0.11", "255.255.255.255:68"},
		{"3.1", "Those servers not selected by the DHCPREQUEST message use the message as notification that the client has declined that server's offer",
			message(t, request, wants99, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP{10, 17, 0, 254}))), dhcpv4.MessageTypeNone, "", ""},
		{"3.1", "If the selected server is unable to satisfy the DHCPREQUEST message (e.g., the requested network address has been allocated), the server SHOULD respond with a DHCPNAK message",
			message(t, request, server10, wants99), nak, "", "255.255.255.255:68"},
		{"4.3.2", "Server SHOULD send a DHCPNAK message to the client if the 'requested IP address' is incorrect, or is on the wrong network",
			message(t, request, wants99), nak, "", "255.255.255.255:68"},
		{"4.3.5", "The server responds to a DHCPINFORM message by sending a DHCPACK message directly to the address given in the 'ciaddr' field",
			message(t, dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(net.IP{10, 17, 0, 11})), ack, "", "10.17.0.11:68"},
		{"4.3.4", "Upon receipt of a DHCPRELEASE message, the server marks the network address as not allocated",
			message(t, dhcpv4.MessageTypeRelease), dhcpv4.MessageTypeNone, "", ""},
	} {
		a := exchange(t, testConfig(t, Authoritative), test.message)
		if a.message == nil {
			if test.want != dhcpv4.MessageTypeNone {
				t.Errorf("%s %q: no answer, %s", test.section, test.sentence, a.why)
			}
			continue
		}
		if got := a.message.MessageType(); got != test.want {
			t.Errorf("%s %q: answered %s, wanted %s", test.section, test.sentence, got, test.want)
		}
		if got := address(a.message.YourIPAddr); test.address != "" && got.String() != test.address || test.address == "" && got.IsValid() {
			t.Errorf("%s %q: yiaddr %s, wanted %q", test.section, test.sentence, got, test.address)
		}
		if got := destination(test.message, a.message); got.String() != test.to {
			t.Errorf("%s %q: sent to %s, wanted %s", test.section, test.sentence, got, test.to)
		}
	}
}

// RFC 2131, 4.3.2: "The server MUST set the broadcast bit in the DHCPNAK, so
// that the relay agent will broadcast the DHCPNAK to the client".
func TestNakThroughRelay(t *testing.T) {
	a := exchange(t, testConfig(t, Authoritative), message(t, request, wants99, dhcpv4.WithGatewayIP(net.IP{10, 99, 0, 1})))
	if a.message == nil || !a.message.IsBroadcast() {
		t.Errorf("no broadcast bit: %v", a.message)
	}
}

// RFC 6842, 3: "If the 'client identifier' option is present in a message
// received from a client, the server MUST return the 'client identifier' option,
// unaltered". RFC 3046, 2.2: DHCP servers "SHALL echo the entire contents of the
// Relay Agent Information option in all replies". RFC 4578, 2.3: the machine
// identifier comes back too.
func TestEcho(t *testing.T) {
	uuid := append([]byte{0}, []byte("0123456789abcdef")...)
	a := exchange(t, testConfig(t, Authoritative), message(t, discoverType,
		option(dhcpv4.OptionClientIdentifier, 1, 2, 3), option(dhcpv4.OptionRelayAgentInformation, 1, 1, 7), option(dhcpv4.OptionClientMachineIdentifier, uuid...)))
	for code, want := range map[dhcpv4.OptionCode]string{
		dhcpv4.OptionClientIdentifier: "\x01\x02\x03", dhcpv4.OptionRelayAgentInformation: "\x01\x01\x07", dhcpv4.OptionClientMachineIdentifier: string(uuid),
	} {
		if got := string(a.message.Options.Get(code)); got != want {
			t.Errorf("option %s came back as %q", code, got)
		}
	}
}

// RFC 2132: what a host needs to know of the network.
func TestDescribe(t *testing.T) {
	m := exchange(t, testConfig(t, Authoritative), message(t, discoverType)).message
	if got := net.IP(m.SubnetMask()).String(); got != "255.255.255.0" {
		t.Errorf("option 1 is %s", got)
	}
	for name, got := range map[string][]net.IP{"3": m.Router(), "6": m.DNS(), "42": m.NTPServers(), "54": {m.ServerIdentifier()}} {
		if len(got) != 1 || got[0].String() != "10.17.0.1" {
			t.Errorf("option %s is %v", name, got)
		}
	}
	if m.HostName() != "cp-a" || m.IPAddressLeaseTime(0) != leaseTime {
		t.Errorf("options 12 and 51 are %q, %s", m.HostName(), m.IPAddressLeaseTime(0))
	}
}

// Who asks decides what it is told to boot.
func TestBootFile(t *testing.T) {
	const dir, url = "52-54-00-17-00-11/", "http://10.17.0.1:8080/boot/52-54-00-17-00-11/"
	pxe := class("PXEClient:Arch:00007:UNDI:003016")
	for name, test := range map[string]struct {
		mods    []dhcpv4.Modifier
		persona Persona
		file    string // option 67
		class   string // option 60 of the answer
	}{
		"UEFI HTTP x86-64":            {[]dhcpv4.Modifier{class("HTTPClient:Arch:00016:UNDI:003001"), arch(16)}, UEFIHTTP, url + "snponly.efi", "HTTPClient"},
		"UEFI HTTP 15":                {[]dhcpv4.Modifier{class("HTTPClient:Arch:00015:UNDI:003001"), arch(15)}, UEFIHTTP, url + "snponly.efi", "HTTPClient"},
		"UEFI HTTP arm64":             {[]dhcpv4.Modifier{class("HTTPClient:Arch:00019:UNDI:003001"), arch(19)}, UEFIHTTP, url + "snponly-arm64.efi", "HTTPClient"},
		"UEFI PXE 7":                  {[]dhcpv4.Modifier{pxe, arch(7)}, UEFIPXE, dir + "snponly.efi", ""},
		"UEFI PXE 9":                  {[]dhcpv4.Modifier{pxe, arch(9)}, UEFIPXE, dir + "snponly.efi", ""},
		"UEFI PXE arm64":              {[]dhcpv4.Modifier{pxe, arch(11)}, UEFIPXE, dir + "snponly-arm64.efi", ""},
		"UEFI PXE, class only":        {[]dhcpv4.Modifier{pxe}, UEFIPXE, dir + "snponly.efi", ""},
		"UEFI 32 bit: nothing":        {[]dhcpv4.Modifier{class("PXEClient:Arch:00006:UNDI:003016"), arch(6)}, UEFIPXE, "", ""},
		"BIOS PXE":                    {[]dhcpv4.Modifier{class("PXEClient:Arch:00000:UNDI:002001"), arch(0)}, BIOSPXE, dir + "undionly.kpxe", ""},
		"BIOS PXE, no arch":           {[]dhcpv4.Modifier{class("PXEClient")}, BIOSPXE, dir + "undionly.kpxe", ""},
		"iPXE, bare user class":       {[]dhcpv4.Modifier{pxe, arch(7), option(dhcpv4.OptionUserClassInformation, []byte("iPXE")...)}, IPXE, url + "ipxe", ""},
		"iPXE, RFC 3004":              {[]dhcpv4.Modifier{pxe, arch(7), option(dhcpv4.OptionUserClassInformation, []byte("\x04iPXE")...)}, IPXE, url + "ipxe", ""},
		"iPXE, second class":          {[]dhcpv4.Modifier{pxe, arch(7), option(dhcpv4.OptionUserClassInformation, []byte("\x02ab\x04iPXE")...)}, IPXE, url + "ipxe", ""},
		"iPXE, option 175":            {[]dhcpv4.Modifier{pxe, arch(0), option(dhcpv4.GenericOptionCode(175), 177, 1, 1)}, IPXE, url + "ipxe", ""},
		"another user class":          {[]dhcpv4.Modifier{pxe, arch(7), option(dhcpv4.OptionUserClassInformation, []byte("\x05iPXE2")...)}, UEFIPXE, dir + "snponly.efi", ""},
		"an operating system":         {nil, Plain, "", ""},
		"an operating system's class": {[]dhcpv4.Modifier{class("udhcp 1.35.0")}, Plain, "", ""},
	} {
		m := message(t, discoverType, test.mods...)
		if got := identify(m).Persona; got != test.persona {
			t.Errorf("%s: it is %s, wanted %s", name, got, test.persona)
		}
		r := exchange(t, testConfig(t, Authoritative), m).message
		if got := r.BootFileNameOption(); got != test.file {
			t.Errorf("%s: option 67 is %q, wanted %q", name, got, test.file)
		}
		if got := r.ClassIdentifier(); got != test.class {
			t.Errorf("%s: option 60 is %q, wanted %q", name, got, test.class)
		}
		if strings.HasPrefix(test.file, dir) && (r.BootFileName != test.file || address(r.ServerIPAddr).String() != "10.17.0.1") {
			t.Errorf("%s: header says %q from %s", name, r.BootFileName, r.ServerIPAddr)
		}
	}
}

// PXE 2.1, 2.2.3: a proxy offers no address and says PXEClient.
func TestProxyOffer(t *testing.T) {
	c := testConfig(t, Proxy)
	m := exchange(t, c, message(t, discoverType, class("PXEClient:Arch:00007:UNDI:003016"), arch(7))).message
	if m == nil || address(m.YourIPAddr).IsValid() || m.ClassIdentifier() != "PXEClient" || m.IPAddressLeaseTime(0) != 0 {
		t.Errorf("not the offer of a proxy: %v", m)
	}
	for name, silent := range map[string]*dhcpv4.DHCPv4{
		"an operating system":      message(t, discoverType),
		"a request for an address": message(t, request, server10, wants11, class("PXEClient"), arch(7)),
	} {
		if a := exchange(t, c, silent); a.message != nil {
			t.Errorf("%s: answered %v", name, a.message)
		}
	}
}

// Nothing is answered to a MAC that has no open install step.
func TestClosedIsSilent(t *testing.T) {
	for _, mode := range []Mode{Authoritative, Proxy} {
		c := testConfig(t, mode)
		m := message(t, discoverType, class("PXEClient:Arch:00007:UNDI:003016"), arch(7))
		if exchange(t, c, m).message == nil {
			t.Fatalf("%s: the open boot has no answer, the test shows nothing", mode)
		}
		c.Book.(*Table).Close(MAC(m.ClientHWAddr))
		if a := exchange(t, c, m); a.message != nil {
			t.Errorf("%s: answered a closed boot: %v", mode, a.message)
		}
	}
}

// Whatever comes, no panic, and no answer to anything but a request from an open MAC.
func FuzzDHCP(f *testing.F) {
	hw, _ := net.ParseMAC(hostMAC)
	for _, mods := range [][]dhcpv4.Modifier{
		{dhcpv4.WithMessageType(discoverType)}, {dhcpv4.WithMessageType(request), server10, wants11},
		{dhcpv4.WithMessageType(discoverType), class("HTTPClient:Arch:00016"), arch(16)},
		{dhcpv4.WithMessageType(discoverType), option(dhcpv4.OptionUserClassInformation, []byte("\x04iPXE")...)},
	} {
		m, err := dhcpv4.New(append(mods, dhcpv4.WithHwAddr(hw))...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.ToBytes())
	}
	boot := Boot{Node: "cp-a", MAC: MAC(hw), Addrs: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")}}
	table := &Table{}
	if err := table.Open(boot); err != nil {
		f.Fatal(err)
	}
	c := Config{Addr: netip.MustParseAddr("10.17.0.1"), Book: table}.withDefaults()
	s := &Server{conf: c}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, decide := range []decision{c.lease, c.offer, c.confirm} {
			m, a, b, cl := s.consider(raw, decide)
			s.tellDHCP(m, a, b, cl, netip.AddrPort{}, 0)
			if a.message == nil {
				continue
			}
			if m.OpCode != dhcpv4.OpcodeBootRequest || MAC(m.ClientHWAddr) != boot.MAC {
				t.Errorf("answered %v with %v", m, a.message)
			}
			if back, err := dhcpv4.FromBytes(a.message.ToBytes()); err != nil || back.OpCode != dhcpv4.OpcodeBootReply {
				t.Errorf("the answer can't be read: %v %v", back, err)
			}
			destination(m, a.message)
		}
		overheard(netip.Addr{}, raw)
		solicitor(raw)
	})
}
