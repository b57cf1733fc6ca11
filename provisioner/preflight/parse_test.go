package preflight

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

var testMAC = net.HardwareAddr{0x52, 0x54, 0, 0x17, 0, 1}

// RFC 5227, 2.1.1: "a client should test whether the address is available by
// broadcasting an ARP Request for the desired address [...] The 'sender IP
// address' field of the ARP Request MUST be set to all zeroes".
func TestARPProbe(t *testing.T) {
	to, p := arp{testMAC}.question(netip.MustParseAddr("10.17.0.11"))
	want := []byte{0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x17, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 17, 0, 11}
	if !bytes.Equal(p, want) || to.String() != "ff:ff:ff:ff:ff:ff" {
		t.Errorf("%x to %s", p, to)
	}
	if a, mac, ok := (arp{}).owner(p); !ok || a.String() != "10.17.0.11" || mac.String() != testMAC.String() {
		t.Errorf("another's probe is no claim: %v %v %v", a, mac, ok)
	}
	reply := bytes.Clone(p)
	reply[7] = 2
	copy(reply[14:], []byte{10, 17, 0, 11})
	if a, mac, ok := (arp{}).owner(append(reply, make([]byte, 18)...)); !ok || a.String() != "10.17.0.11" || mac.String() != testMAC.String() {
		t.Errorf("a padded reply: %v %v %v", a, mac, ok)
	}
}

func FuzzARP(f *testing.F) {
	_, p := arp{testMAC}.question(netip.MustParseAddr("10.17.0.11"))
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		if a, mac, ok := (arp{}).owner(p); ok && (!a.Is4() || len(mac) != 6) {
			t.Errorf("%v %v of %x", a, mac, p)
		}
	})
}

// RFC 4862, 5.4.2: "the IP source is set to the unspecified address, and the
// IP destination is set to the solicited-node multicast address of the target
// address."
func TestNDPQuestion(t *testing.T) {
	to, p := ndp{testMAC}.question(netip.MustParseAddr("fd00:17::ab:cdef"))
	if to.String() != "33:33:ff:ab:cd:ef" || netip.AddrFrom16([16]byte(p[8:24])) != netip.IPv6Unspecified() ||
		netip.AddrFrom16([16]byte(p[24:40])).String() != "ff02::1:ffab:cdef" || p[7] != 255 {
		t.Errorf("%x to %s", p, to)
	}
	if a, mac, ok := (ndp{}).owner(p); !ok || a.String() != "fd00:17::ab:cdef" || mac != nil {
		t.Errorf("another's detection is no claim: %v %v %v", a, mac, ok)
	}
}

func FuzzNDP(f *testing.F) {
	_, p := ndp{testMAC}.question(netip.MustParseAddr("fd00:17::11"))
	f.Add(p)
	answer := append(bytes.Clone(p), 2, 1, 0x52, 0x54, 0, 0x17, 0, 1)
	answer[5], answer[40] = 32, neighborAdvertisement
	f.Add(answer)
	if a, mac, ok := (ndp{}).owner(answer); !ok || a.String() != "fd00:17::11" || mac.String() != testMAC.String() {
		f.Errorf("an advertisement: %v %v %v", a, mac, ok)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if a, mac, ok := (ndp{}).owner(p); ok && (!a.IsValid() || mac != nil && len(mac) != 6) {
			t.Errorf("%v %v of %x", a, mac, p)
		}
	})
}

// stamp writes a time as NTP does.
func stamp(at time.Time) [8]byte {
	var s [8]byte
	binary.BigEndian.PutUint32(s[:4], uint32(at.Unix()+2208988800))
	binary.BigEndian.PutUint32(s[4:], uint32(int64(at.Nanosecond())<<32/1e9))
	return s
}

// The first era of NTP ends on 2036-02-07.
func TestNTPTime(t *testing.T) {
	for _, text := range []string{"2026-11-24T10:00:00Z", "2036-02-07T06:28:15Z", "2036-02-07T06:28:17Z", "2050-01-01T00:00:00Z"} {
		at, _ := time.Parse(time.RFC3339, text)
		for _, skew := range []time.Duration{0, -6 * 365 * 24 * time.Hour, 6 * 365 * 24 * time.Hour} {
			if got := ntpTime(stamp(at), at.Add(skew)); !got.Equal(at) {
				t.Errorf("%s, seen from a clock %s off: %s", text, skew, got.UTC())
			}
		}
	}
}

// server answers datagrams on the loopback until the test ends.
func server(t *testing.T, answer func(question []byte) [][]byte) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			for _, a := range answer(buf[:n]) {
				_, _ = conn.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// timeAnswer is a server's packet with its clock off by skew.
func timeAnswer(q []byte, leap, stratum byte, skew time.Duration) []byte {
	p := make([]byte, ntpHeader)
	p[0], p[1] = leap<<6|4<<3|4, stratum
	copy(p[24:], q[40:48])
	now := stamp(time.Now().Add(skew))
	copy(p[32:], now[:])
	copy(p[40:], now[:])
	return p
}

func TestAskTime(t *testing.T) {
	// Looks done, isn't: the first answer is to nobody's question.
	to := server(t, func(q []byte) [][]byte {
		forged := timeAnswer(q, 0, 1, time.Hour)
		forged[24] ^= 1
		return [][]byte{forged, timeAnswer(q, 0, 2, -10*time.Minute)}
	})
	got := askTime(t.Context(), to, 3*time.Second)
	if got.Err != "" || got.Silent != "" || got.Stratum != 2 || (got.Offset+10*time.Minute).Abs() > time.Second {
		t.Errorf("%+v", got)
	}
	closed := server(t, func([]byte) [][]byte { return nil })
	if got := askTime(t.Context(), closed, 200*time.Millisecond); got.Silent != "no answer within 200ms" || got.Err != "" {
		t.Errorf("of a silent one: %+v", got)
	}
}

func FuzzNTP(f *testing.F) {
	cookie := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	f.Add(timeAnswer(timeRequest(cookie), 0, 2, 0))
	f.Add(timeAnswer(timeRequest(cookie), 3, 0, 0))
	f.Fuzz(func(t *testing.T, p []byte) {
		a, err := readTime(p, cookie)
		if err != nil {
			return
		}
		for _, r := range a.fact(netip.Addr{}, time.Now(), time.Now()).Reference {
			if r < ' ' || r > '~' {
				t.Errorf("%q can't be shown", a.reference)
			}
		}
	})
}

// nameAnswer answers a DNS question.
func nameAnswer(t testing.TB, q []byte, code dnsmessage.RCode, addrs ...string) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(q); err != nil {
		t.Errorf("the question is no DNS message: %v", err)
		return nil
	}
	m.Response, m.RCode = true, code
	for _, a := range addrs {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
		})
	}
	packed, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packed
}

func TestAskName(t *testing.T) {
	for _, c := range []struct {
		code  dnsmessage.RCode
		addrs []string
		want  string
	}{
		{dnsmessage.RCodeSuccess, []string{"10.17.0.10"}, "NOERROR"},
		{dnsmessage.RCodeNameError, nil, "NXDOMAIN"},
		{dnsmessage.RCodeServerFailure, nil, "SERVFAIL"},
		{dnsmessage.RCodeRefused, nil, "REFUSED"},
		{dnsmessage.RCode(9), nil, "RCODE 9"},
	} {
		to := server(t, func(q []byte) [][]byte {
			forged := nameAnswer(t, q, dnsmessage.RCodeSuccess, "192.0.2.1")
			forged[0] ^= 1
			return [][]byte{forged, nameAnswer(t, q, c.code, c.addrs...)}
		})
		got := askName(t.Context(), to, "api.edge.internal", 3*time.Second)
		if got.RCode != c.want || len(got.Addresses) != len(c.addrs) || got.Question != "api.edge.internal. A" || got.Err != "" || got.Silent != "" {
			t.Errorf("%s: %+v", c.want, got)
		}
	}
	garbage := server(t, func([]byte) [][]byte { return [][]byte{[]byte("hello")} })
	if got := askName(t.Context(), garbage, "", 200*time.Millisecond); !strings.Contains(got.Silent, "no DNS message") || got.Question != ". NS" {
		t.Errorf("of garbage: %+v", got)
	}
}

func FuzzDNS(f *testing.F) {
	q, err := nameQuestion("api.edge.internal", netip.MustParseAddr("10.17.0.2"))
	if err != nil {
		f.Fatal(err)
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{q}}
	packed, _ := m.Pack()
	f.Add(nameAnswer(f, packed, dnsmessage.RCodeSuccess, "10.17.0.10"))
	f.Add(nameAnswer(f, packed, dnsmessage.RCodeServerFailure))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if code, addrs, err := readName(raw, 7, q); err == nil && code == "" || err != nil && len(addrs) > 0 {
			t.Errorf("%q %v %v", code, addrs, err)
		}
	})
}

func FuzzEcho(f *testing.F) {
	e := echo{to: netip.MustParseAddr("10.17.0.254"), sizes: sizes(1500), id: 9}
	f.Add(e.request(0, 1500))
	reply := e.request(1, e.sizes[1])
	reply[0] = 0
	f.Add(reply)
	if got := e.size(reply); got != e.sizes[1] {
		f.Errorf("a reply of %d bytes counts as %d", e.sizes[1], got)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n := e.size(raw); n != 0 && n != len(raw)+20 {
			t.Errorf("%d bytes prove %d", len(raw)+20, n)
		}
	})
}

// Without CAP_NET_RAW there is nothing to hear, and it is said why. The
// capability is taken from one thread, which ends with the test.
func TestDeaf(t *testing.T) {
	said := make(chan string)
	go func() {
		runtime.LockOSThread()
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			said <- "drop capabilities: " + err.Error()
			return
		}
		said <- deaf(Link("lo"))
	}()
	if got := <-said; !strings.Contains(got, "CAP_NET_RAW") || !strings.Contains(got, "run as root") {
		t.Errorf("it says %q", got)
	}
}
