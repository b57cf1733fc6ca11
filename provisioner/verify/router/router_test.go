package router

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// TestNextHops reads what FRR 8.4, BIRD 2.0.12 and iproute2 printed on a lab's router
// that two nodes announced 192.0.2.0/32 to.
func TestNextHops(t *testing.T) {
	const both = "[10.17.0.11 10.17.0.12]"
	for _, c := range []struct{ file, address, want string }{
		{"frr-bgp-one.json", "192.0.2.0", both},
		{"frr-bgp-table.json", "192.0.2.0", both},
		{"frr-route-table.json", "192.0.2.0", both},
		{"ip-route.json", "192.0.2.0", both},
		{"bird.txt", "192.0.2.0", both},
		{"bird-one.txt", "192.0.2.0", both},
		{"bird.txt", "2001:db8::1", "[fd00:17::11 fd00:17::12]"},
		{"bird.txt", "192.0.2.1", "[10.17.0.12]"}, // the other way isn't used
		{"bird-agg.txt", "192.0.2.77", "[]"},      // an aggregate is nobody's announcement
		{"bird-none.txt", "203.0.113.1", "[]"},
		{"frr-bgp-table.json", "192.0.2.9", "[]"},
		{"frr-route-table.json", "10.17.0.5", "[]"}, // of a connected network
		{"ip-route.json", "10.17.0.5", "[]"},
	} {
		data, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		hops, err := NextHops(data, netip.MustParseAddr(c.address))
		if got := fmt.Sprint(hops); err != nil || got != c.want {
			t.Errorf("%s, %s: %s, %v; want %s", c.file, c.address, got, err, c.want)
		}
	}
}

// TestForms takes what routers print of one address in other ways, and refuses what
// is no table: an answer that can't be read is no empty one.
func TestForms(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	for text, want := range map[string]string{
		`{}`: "[]",
		`[]`: "[]",
		`[{"dst":"192.0.2.1","gateway":"10.0.0.1"}]`:                                                                                        "[10.0.0.1]",
		`[{"dst":"192.0.2.1","via":{"family":"inet6","host":"fe80::1"}}]`:                                                                   "[fe80::1]",
		`[{"dst":"default","gateway":"10.0.0.1"}]`:                                                                                          "[]",
		`{"prefix":"192.0.2.0/24","paths":[{"bestpath":{"overall":true},"nexthops":[{"ip":"10.0.0.1"}]}]}`:                                  "[]",
		`{"prefix":"192.0.2.1/32","paths":[{"valid":true,"nexthops":[{"ip":"10.0.0.1"}]}]}`:                                                 "[]", // not chosen
		`{"192.0.2.1/32":[{"selected":true,"nexthops":[{"ip":"10.0.0.1","fib":true},{"ip":"10.0.0.2"}]},{"nexthops":[{"ip":"10.0.0.3"}]}]}`: "[10.0.0.1]",
	} {
		if hops, err := NextHops([]byte(text), a); err != nil || fmt.Sprint(hops) != want {
			t.Errorf("%s: %v, %v; want %s", text, hops, err, want)
		}
	}
	for _, text := range []string{"", "% Unknown command", `{"error":"no such vrf"}`, `"text"`, "Codes: K - kernel route"} {
		if hops, err := NextHops([]byte(text), a); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v, %v", text, hops, err)
		}
	}
	for _, text := range []string{`{`, `[{]`, `{"192.0.2.1/32":7}`, `{"prefix":1,"paths":[]}`} {
		if hops, err := NextHops([]byte(text), a); err == nil {
			t.Errorf("%q: %v", text, hops)
		}
	}
}

// FuzzNextHops reads whatever a command may print.
func FuzzNextHops(f *testing.F) {
	for _, name := range []string{"frr-bgp-one.json", "frr-bgp-table.json", "frr-route-table.json", "ip-route.json", "bird.txt"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	a := netip.MustParseAddr("192.0.2.0")
	f.Fuzz(func(t *testing.T, text string) {
		hops, err := NextHops([]byte(text), a)
		if err != nil && hops != nil {
			t.Errorf("%v beside %v", hops, err)
		}
		for _, h := range hops {
			if !h.IsValid() || h.IsUnspecified() || !strings.Contains(text, h.String()) && h.Is4() {
				t.Errorf("%v isn't in %q", h, text)
			}
		}
	})
}
