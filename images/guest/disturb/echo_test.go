package main

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestShows wants an effect to be seen where there is one, and only there.
func TestShows(t *testing.T) {
	ms := time.Millisecond
	before := echoes{sent: 20, answers: 20, intact: 20, median: ms}
	lossy := echoes{sent: 20, answers: 18, intact: 18, median: ms}
	for _, each := range []struct {
		kind   string
		before echoes
		now    echoes
		want   bool
	}{
		{"latency", before, echoes{100, 100, 100, 2001 * ms}, true},
		{"latency", before, echoes{100, 100, 100, 2 * ms}, false},
		{"latency", before, echoes{100, 0, 0, 0}, false}, // cut off, not slow
		{"corruption", before, echoes{100, 97, 90, ms}, true},
		{"corruption", before, echoes{100, 99, 99, ms}, false},
		{"corruption", lossy, echoes{100, 90, 90, ms}, false}, // as it was
		{"duplication", before, echoes{100, 200, 100, ms}, true},
		{"duplication", before, echoes{100, 101, 100, ms}, false},
	} {
		if got := each.now.shows(each.kind, each.before); got != each.want {
			t.Errorf("%s: %v after %v: %v", each.kind, each.now, each.before, got)
		}
	}
}

// FuzzAnswer lets anything come back.
func FuzzAnswer(f *testing.F) {
	to := netip.MustParseAddr("192.0.2.1")
	good := message(reply4, 7, 3)
	f.Add(good)
	f.Add(good[:8])
	f.Add([]byte{reply4})
	f.Fuzz(func(t *testing.T, packet []byte) {
		seq, intact, ours := isAnswer(packet, &net.IPAddr{IP: to.AsSlice()}, to, reply4, 7, 100)
		if intact && (!ours || seq >= 100 || !bytes.Equal(packet[4:], message(reply4, 7, uint16(seq))[4:])) {
			t.Errorf("%x: %d, %v", packet, seq, ours)
		}
		if _, _, ours := isAnswer(packet, &net.IPAddr{IP: net.IPv4(192, 0, 2, 9)}, to, reply4, 7, 100); ours {
			t.Errorf("%x of another", packet)
		}
	})
}

// TestMessage wants a checksum that sums to nothing with what it covers (RFC 1071).
func TestMessage(t *testing.T) {
	var sum uint32
	m := message(request4, 0xbeef, 41)
	for i := 0; i < len(m); i += 2 {
		sum += uint32(m[i])<<8 | uint32(m[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum != 0xffff {
		t.Errorf("%#x", sum)
	}
}
