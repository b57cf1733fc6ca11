package netboot

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	b := aBoot(t)
	table := open(t, b)
	first, _ := table.ByMAC(b.MAC)
	if got, ok := table.ByAddr(netip.MustParseAddr("fd00:17::11")); !ok || got.Node != "cp-a" {
		t.Errorf("by its IPv6 address: %v, %v", got.Node, ok)
	}
	if _, ok := table.ByAddr(netip.MustParseAddr("10.17.0.12")); ok {
		t.Error("found a boot by an address that nobody has")
	}
	if err := table.Open(b); err != nil {
		t.Errorf("open again: %v", err)
	}
	if second, _ := table.ByMAC(b.MAC); second.Opening == first.Opening {
		t.Error("a new opening has the number of the old one")
	}
	if _, ok := table.TakeTicket(MAC{1}); ok {
		t.Error("a ticket for a MAC without an open boot")
	}
}

func TestTableRefuses(t *testing.T) {
	b := aBoot(t)
	table := open(t, b)
	other := b
	other.Node, other.MAC = "cp-b", MAC{2, 0, 0, 0, 0, 1}
	if err := table.Open(other); err == nil || !strings.Contains(err.Error(), "10.17.0.11 is reserved for cp-a") {
		t.Errorf("an address that is taken: %v", err)
	}
	other.Addrs = []netip.Prefix{netip.MustParsePrefix("fd00:17::12/64")}
	if err := table.Open(other); err == nil {
		t.Error("a boot without an IPv4 address was opened")
	}
}

func TestParseMAC(t *testing.T) {
	for _, text := range []string{"52:54:00:17:00:11", "52-54-00-17-00-11", "5254.0017.0011"} {
		mac, err := ParseMAC(text)
		if err != nil || mac.String() != hostMAC || mac.Dashes() != "52-54-00-17-00-11" {
			t.Errorf("%s: %s, %v", text, mac, err)
		}
	}
	for _, text := range []string{"", "cp-a", "52:54:00:17:00", "02:00:5e:10:00:00:00:01"} {
		if mac, err := ParseMAC(text); err == nil {
			t.Errorf("%q was read as %s", text, mac)
		}
	}
}

// RFC 4861, 4.1 and 4.2.
func TestRouterMessages(t *testing.T) {
	solicit := []byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0x17, 0, 0x11}
	if mac, ok := solicitor(solicit); !ok || mac.String() != hostMAC {
		t.Errorf("solicitation of %s, %v", mac, ok)
	}
	for name, bad := range map[string][]byte{
		"no option": solicit[:8], "cut": solicit[:14], "length 0": {133, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4, 5, 6}, "an echo": {128, 0, 0, 0, 0, 0, 0, 0},
	} {
		if mac, ok := solicitor(bad); ok {
			t.Errorf("%s: read as a solicitation of %s", name, mac)
		}
	}
	if a := advertisement(); len(a) != 16 || a[0] != 134 || a[5] != 0 || a[6] != 0 || a[7] != 0 {
		t.Errorf("not an advertisement without flags and lifetime: %v", a)
	}
}

// What differs from the inventory is served and said.
func TestMismatch(t *testing.T) {
	s, _, d := web(t)
	b := aBoot(t)
	b.Method = "uefi-http"
	s.tellMismatch(b, Client{Persona: UEFIHTTP, Arch: 16})
	s.tellMismatch(b, Client{Persona: IPXE, Arch: 7})
	if n := len(d.all(Trouble, nil)); n != 0 {
		t.Errorf("what is as wanted is called trouble:\n%s", d)
	}
	s.tellMismatch(b, Client{Persona: UEFIPXE, Arch: 7})
	s.tellMismatch(b, Client{Persona: UEFIHTTP, Arch: 27})
	if n := len(d.all(Trouble, func(e Event) bool { return e.Next != "" })); n != 2 {
		t.Errorf("%d troubles, wanted 2:\n%s", n, d)
	}
}

func TestListenSaysWhatToDo(t *testing.T) {
	if _, err := Listen(Config{}); err == nil {
		t.Error("a server without Book and address")
	}
	if !inSite(t, "ip") {
		return
	}
	makeSite(t)
	conf := Config{Interface: "prov", Addr: prov, Book: &Table{}}
	serve(t, conf)
	second, err := Listen(conf)
	if err == nil {
		second.close()
		t.Fatal("two servers on one port")
	}
	if !strings.Contains(err.Error(), "listen for DHCP on port 67") || !strings.Contains(err.Error(), "ss -lunpt") {
		t.Errorf("the error is %v", err)
	}
}
