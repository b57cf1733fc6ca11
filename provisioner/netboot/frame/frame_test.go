package frame

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// What is written is read, and its checksums are right: with the field in it,
// the sum of all is 0xffff (RFC 1071).
func TestUDP4(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		port := rapid.Uint16()
		addr := rapid.Custom(func(t *rapid.T) netip.AddrPort {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], rapid.Uint32().Draw(t, "address"))
			return netip.AddrPortFrom(netip.AddrFrom4(a), port.Draw(t, "port"))
		})
		from, to, payload := addr.Draw(t, "from"), addr.Draw(t, "to"), rapid.SliceOfN(rapid.Byte(), 0, 1400).Draw(t, "payload")
		p := UDP4(from, to, payload)
		if Sum(p[:ipHeader]) != 0xffff {
			t.Fatalf("the header's checksum is wrong")
		}
		u := p[ipHeader:]
		if Sum(append(append(append([]byte{}, p[12:20]...), 0, udp, u[4], u[5]), u...)) != 0xffff {
			t.Fatalf("the datagram's checksum is wrong")
		}
		gotFrom, gotTo, got, ok := ReadUDP4(append(p, 0, 0)) // short frames are padded
		if !ok || gotFrom != from || gotTo != to || !bytes.Equal(got, payload) {
			t.Fatalf("%v %v %x %v", gotFrom, gotTo, got, ok)
		}
	})
}

func FuzzUDP4(f *testing.F) {
	a := netip.MustParseAddrPort("10.17.0.1:67")
	f.Add(UDP4(a, a, []byte("hello")))
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, _, payload, ok := ReadUDP4(p); ok && len(payload) > len(p)-ipHeader-udpHeader {
			t.Errorf("%d bytes out of %d", len(payload), len(p))
		}
	})
}
