package app_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

func TestLiterals(t *testing.T) {
	for text, want := range map[string]string{
		"10.17.0.5": "[10.17.0.5]", "http://10.17.0.5:8080/x": "[10.17.0.5]", "a=10.17.0.5,b=10.17.0.6": "[10.17.0.5 10.17.0.6]",
		"fd00::5": "[fd00::5]", "[fd00::5]:8080": "[fd00::5]", "peer fd00::5, and 10.0.0.1.": "[10.0.0.1 fd00::5]",
		"10.244.0.0/16 fd00:17::/48": "[]", "0.0.0.0 127.0.0.1 :: ::1 [::]:8080": "[]",
		"v1.2.3.4": "[]", "1.2.3": "[]", "1.2.3.4.5": "[]", "999.1.1.1": "[]", "std::vector": "[]", "12:30:45": "[]", "52:54:00:17:00:11": "[]",
		"web-1.2.3.4": "[]", "a::b c::d": "[a::b c::d]", "foo::bar": "[]", "sha256:5f70bf18": "[]", "system:node:w-a": "[]",
	} {
		if got := fmt.Sprint(app.Literals(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestLiteralsFindsEach hides an address between words: it is found, once.
func TestLiteralsFindsEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a netip.Addr
		if rapid.Bool().Draw(t, "v6") {
			a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		} else {
			a = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
		}
		if a.IsUnspecified() || a.IsLoopback() || a.Is4In6() {
			t.Skip("these are allowed, or have another form")
		}
		word := rapid.StringMatching(`[g-z]{0,5}[ ="/@,]`)
		text := word.Draw(t, "before") + a.String() + rapid.StringMatching(`[ ="@,]?`).Draw(t, "after")
		if got := app.Literals(text); len(got) != 1 || got[0] != a {
			t.Errorf("%q: %v", text, got)
		}
		if got := app.Literals(strings.ReplaceAll(text, a.String(), a.String()+"/24")); len(got) != 0 {
			t.Errorf("a network is no address: %q: %v", text, got)
		}
	})
}
