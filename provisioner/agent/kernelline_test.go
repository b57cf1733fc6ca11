package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKernelLine(t *testing.T) {
	want := KernelLine{
		Mode: ModeInstall, Node: "cp-a", Server: "https://10.17.0.1:8443", Pin: "sha256:" + strings.Repeat("0", 64),
		MAC:       net.HardwareAddr{0x52, 0x54, 0, 0x17, 0, 0x11},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24"), netip.MustParsePrefix("fd00:17::11/64")},
		Gateways:  []netip.Addr{netip.MustParseAddr("10.17.0.1")}, Retry: 5 * time.Second,
		Verity: strings.Repeat("a", 64), Kexec: true,
	}
	got, err := ParseKernelLine("BOOT_IMAGE=kernel quiet ra2.mode=boot " + want.String() + " console=ttyS0,115200 ra2.unknown")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Error(diff)
	}
	for line, says := range map[string]string{
		"quiet":                        "ra2.mode is",
		"ra2.mode=install":             "missing",
		"ra2.mode=boot ra2.mac=xx":     "ra2.mac=xx",
		"ra2.mode=boot ra2.ip=1.2.3.4": "ra2.ip=1.2.3.4",

		"ra2.mode=boot ra2.verity=aa ra2.verity=bb": "another root hash, aa",
	} {
		if _, err := ParseKernelLine(line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v should say %q", line, err, says)
		}
	}
}

func FuzzKernelLine(f *testing.F) {
	f.Add("ra2.mode=boot ra2.retry=5s ra2.gw=fd00::1,10.0.0.1")
	f.Fuzz(func(t *testing.T, line string) {
		k, err := ParseKernelLine(line)
		if err != nil {
			return
		}
		if _, err := ParseKernelLine(k.String()); err != nil && !strings.ContainsAny(line, "\x00") {
			t.Errorf("%q is written as %q: %v", line, k.String(), err)
		}
	})
}
