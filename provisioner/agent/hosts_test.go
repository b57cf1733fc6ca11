package agent

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func hostLine(name string, last byte) KernelLine {
	return KernelLine{
		Mode: ModeInstall, Node: name, Server: "https://10.17.0.1:8443", Pin: "sha256:ab", MAC: net.HardwareAddr{0x52, 0x54, 0, 0x17, 0, last},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")}, Disk: "serial:S" + name, Ticket: "http://10.17.0.1:8080/boot/x/ticket",
	}
}

func TestFindHost(t *testing.T) {
	a, b := hostLine("a", 0x11), hostLine("b", 0x12)
	text := FormatHosts([]KernelLine{a, b})
	other := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	got, err := FindHost(text, []net.HardwareAddr{nil, other, b.MAC})
	if diff := cmp.Diff(b, got, cmpopts.EquateComparable(netip.Prefix{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := FindHost(text, []net.HardwareAddr{other}); !errors.Is(err, ErrNoHost) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := FindHost(text, []net.HardwareAddr{a.MAC, b.MAC}); err == nil || !strings.Contains(err.Error(), "of a and of b") {
		t.Errorf("two hosts in one machine: %v", err)
	}
	if _, err := FindHost("ra2.mode=install ra2.node=a\n", nil); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("half a line: %v", err)
	}
}
