package main

import (
	"math"
	"testing"

	"github.com/vishvananda/netlink/nl"
)

// TestQdiscMessage lets somebody else's definitions of the kernel's structs read
// the messages: 2000 ms are 31,250,000 ticks of 64 ns.
func TestQdiscMessage(t *testing.T) {
	for kind, want := range map[string]struct{ latency, duplicate, corrupt uint32 }{
		"latency": {latency: 31_250_000}, "duplication": {duplicate: math.MaxUint32}, "corruption": {corrupt: math.MaxUint32 / 10},
	} {
		msg := qdisc(7, kind)
		tc := nl.DeserializeTcMsg(msg)
		if tc.Ifindex != 7 || tc.Parent != math.MaxUint32 || tc.Handle != byUs || tc.Info != 0 || tc.Family != 0 {
			t.Errorf("%s: %+v", kind, tc)
		}
		attributes, err := nl.ParseRouteAttr(msg[nl.SizeofTcMsg:])
		if err != nil || len(attributes) != 2 || attributes[0].Attr.Type != nl.TCA_KIND || string(attributes[0].Value) != "netem\x00" || attributes[1].Attr.Type != nl.TCA_OPTIONS {
			t.Fatalf("%s: %+v, %v", kind, attributes, err)
		}
		options := attributes[1].Value
		got := nl.DeserializeTcNetemQopt(options)
		if got.Latency != want.latency || got.Duplicate != want.duplicate || got.Limit != 100_000 || got.Loss != 0 || got.Gap != 0 || got.Jitter != 0 {
			t.Errorf("%s: %+v", kind, got)
		}
		inside, err := nl.ParseRouteAttr(options[nl.SizeofTcNetemQopt:])
		if err != nil {
			t.Fatal(err)
		}
		var corrupt uint32
		for _, a := range inside {
			if a.Attr.Type == nl.TCA_NETEM_CORRUPT {
				corrupt = nl.DeserializeTcNetemCorrupt(a.Value).Probability
			}
		}
		if corrupt != want.corrupt {
			t.Errorf("%s: corrupt %d, want %d", kind, corrupt, want.corrupt)
		}
	}
}
