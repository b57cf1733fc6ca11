package qemu

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

func line(t *testing.T, firmware, method string, b bmc.Boot) string {
	t.Helper()
	mac, err := net.ParseMAC("52:54:00:17:00:11")
	if err != nil {
		t.Fatal(err)
	}
	m := New(Config{Name: "m", Firmware: firmware, Method: method, CPUs: 2, MemoryMiB: 1024, MAC: mac, Disks: []Disk{{"d", "S"}, {"e", "T"}}})
	m.accel = func() string { return "tcg" }
	args, err := m.args(b, "sock")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(args, " ")
}

// The override and the BIOS attribute decide how QEMU is started.
func TestArgs(t *testing.T) {
	for _, c := range []struct {
		firmware, method string
		boot             bmc.Boot
		want             []string
	}{
		{"uefi", "uefi-http", bmc.Boot{Target: bmc.TargetUefiHttp}, []string{"bootindex=1,romfile=", "IPv4PXESupport,string=n", "serial=S,bootindex=2", "cores=2,threads=1"}},
		{"uefi", "uefi-http", bmc.Boot{Target: bmc.TargetNone, SMT: true}, []string{"bootindex=2,romfile=", "IPv4PXESupport,string=n", "serial=S,bootindex=1", "cores=1,threads=2"}},
		{"uefi", "uefi-http", bmc.Boot{Target: bmc.TargetPxe}, []string{"IPv4PXESupport,string=y"}},
		{"bios", "bios-pxe", bmc.Boot{Target: bmc.TargetPxe}, []string{"mac=52:54:00:17:00:11,bootindex=1", "-no-reboot"}},
	} {
		got := line(t, c.firmware, c.method, c.boot)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%+v: no %q in %s", c.boot, w, got)
			}
		}
	}
	if strings.Contains(line(t, "bios", "bios-pxe", bmc.Boot{}), "pflash") {
		t.Error("a BIOS machine has UEFI")
	}
}

// The guest that proves an accelerator runs under TCG, so that its failing
// under KVM is KVM's.
func TestProbe(t *testing.T) {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("needs QEMU: apt install qemu-system-x86")
	}
	if sector := probe(); len(sector) != 512 || !slices.Equal(sector[510:], []byte{0x55, 0xaa}) {
		t.Fatal("the probe is not a boot sector")
	}
	if !proven("tcg") {
		t.Error("the probe does not end under TCG")
	}
}
