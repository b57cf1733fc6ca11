package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// files of a server with two sockets of two cores, SMT on, and the sysfs of
// its ports: two of a card, a virtual function, a NIC on USB and a bridge.
func rackServer() map[string]string {
	files := map[string]string{
		"proc/cpuinfo": "processor\t: 0\nmodel name\t: Xeon 6330\n", "proc/meminfo": "MemTotal:       32716904 kB\n",
		"sys/devices/system/cpu/online": "0-7\n", "sys/devices/system/cpu/smt/active": "1\n", "sys/devices/system/cpu/smt/control": "on\n",
		"sys/devices/system/cpu/cpufreq/boost": "1\n", "sys/devices/system/node/has_cpu": "0-1\n",
		"sys/class/tpm/tpm0/tpm_version_major":                                     "2\n",
		"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01",
		"sys/block/nvme0n1/size":                                                   "1000\n", "sys/block/nvme0n1/queue/rotational": "0\n", "sys/block/nvme0n1/serial": "N1\n",
		"sys/block/sda/size": "1000\n", "sys/block/sda/queue/rotational": "1\n", "sys/block/sda/device/vendor": "SEAGATE\n", "sys/block/sda/device/sas_address": "0x5000\n",
		"sys/block/sdb/size": "1000\n", "sys/block/sdb/queue/rotational": "0\n", "sys/block/sdb/device/vendor": "ATA\n", "sys/block/sdb/device/sas_address": "0x5001\n",
		"sys/block/vda/size": "1000\n", "sys/block/vda/queue/rotational": "1\n",
	}
	for cpu := range 8 {
		dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", cpu)
		files[dir+"physical_package_id"], files[dir+"core_id"], files[dir+"die_id"] = fmt.Sprintln(cpu%2), fmt.Sprintln(cpu/2%2), "0\n"
	}
	for name, more := range map[string]string{"eno1": "1", "eno2": "1", "eno1v0": "1", "usb0": "1", "br0": "1", "ib0": "32"} {
		files["sys/class/net/"+name+"/type"] = more + "\n"
		files["sys/class/net/"+name+"/address"] = "AA:00:00:00:00:0" + name[len(name)-1:] + "\n"
	}
	for _, name := range []string{"eno1", "eno2", "eno1v0", "usb0", "ib0"} {
		files["sys/class/net/"+name+"/device/vendor"], files["sys/class/net/"+name+"/device/device"] = "0x8086\n", "0x1572\n"
	}
	files["sys/class/net/eno1/device/sriov_totalvfs"], files["sys/class/net/eno1/speed"], files["sys/class/net/eno1/carrier"] = "64\n", "10000\n", "1\n"
	files["sys/class/net/eno2/speed"], files["sys/class/net/eno2/carrier"] = "-1\n", "0\n"
	return files
}

func links(t *testing.T, root Root, all map[string]string) {
	t.Helper()
	for name, target := range all {
		if err := os.Symlink(target, filepath.Join(string(root), name)); err != nil {
			t.Fatal(err)
		}
	}
}

// modes is a driver that tells link modes of one of its ports.
func modes(nic string) (float64, bool) { return 25, nic == "eno1" }

func TestHardware(t *testing.T) {
	root := machine(t, rackServer())
	links(t, root, map[string]string{
		"sys/class/net/eno1/device/driver": "../../bus/pci/drivers/i40e", "sys/class/net/eno1/device/subsystem": "../../bus/pci",
		"sys/class/net/eno1v0/device/physfn": "../0000:3b:00.0", "sys/class/net/usb0/device/subsystem": "../../bus/usb",
	})
	cpu := facts.Processor{Model: "Xeon 6330", Cores: 2, Threads: 4, From: "sysfs devices/system/cpu"}
	want := facts.Hardware{
		Processors: []facts.Processor{cpu, cpu}, MemoryGiB: new(32.0), NUMANodes: new(2), SMT: new(true), CanSMT: new(true), SecureBoot: new(true), TPM: "TPM2_0",
		Drives: []facts.Drive{
			{Name: "nvme0n1", Serial: "N1", Media: "SSD", Protocol: "NVMe", Bytes: 512000, From: "sysfs block/nvme0n1"},
			{Name: "sda", Model: "SEAGATE", Media: "HDD", Protocol: "SAS", Bytes: 512000, From: "sysfs block/sda"},
			{Name: "sdb", Model: "ATA", Media: "SSD", Protocol: "SATA", Bytes: 512000, From: "sysfs block/sdb"},
			{Name: "vda", Bytes: 512000, From: "sysfs block/vda"},
		},
		Ports: []facts.Port{
			{MAC: "aa:00:00:00:00:01", Adapter: "i40e 8086:1572", SpeedGbps: new(25.0), LinkGbps: new(10.0), LinkUp: new(true), SRIOV: new(true), MaxVFs: new(64), From: "sysfs class/net/eno1, ethtool"},
			{MAC: "aa:00:00:00:00:02", Adapter: "8086:1572", LinkUp: new(false), From: "sysfs class/net/eno2"},
		},
		From: map[string]string{
			"memoryGiB": "MemTotal of the kernel, rounded up to GiB", "numaNodes": "sysfs devices/system/node/has_cpu", "smt": "sysfs devices/system/cpu/smt/active",
			"canSMT": "sysfs devices/system/cpu/smt/control", "secureBoot": "UEFI variable SecureBoot", "tpm": "sysfs class/tpm/tpm0",
		},
	}
	if d := cmp.Diff(want, root.Hardware(modes)); d != "" {
		t.Error(d)
	}
}

// TestCanSMT checks that the kernel's word alone never makes processors that
// have no SMT: on AMD with SMT switched off in the firmware it says the same.
func TestCanSMT(t *testing.T) {
	table := func(characteristics byte) string {
		cpu := make([]byte, 0x30)
		cpu[0], cpu[1], cpu[5], cpu[0x18], cpu[0x26] = 4, 0x30, 3, 0x41, characteristics
		return string(cpu) + "\x00\x00" + "\x7f\x04\x00\x00\x00\x00"
	}
	for name, c := range map[string]struct {
		control, smbios string
		want            *bool
	}{
		"on":                             {"on", "", new(true)},
		"forced off":                     {"forceoff", "", new(true)},
		"not supported, no SMBIOS":       {"notsupported", "", nil},
		"not supported, threads in it":   {"notsupported", table(0xfc), new(true)},
		"not supported, none in it":      {"notsupported", table(0xec), new(false)},
		"not implemented, none in it":    {"notimplemented", table(0xec), new(false)},
		"not supported, SMBIOS is dumb":  {"notsupported", table(0x02), nil},
		"nothing from the kernel, none":  {"", table(0xec), nil},
		"nothing from the kernel, there": {"", table(0xfc), new(true)},
	} {
		files := map[string]string{"sys/devices/system/cpu/smt/control": c.control}
		if c.smbios != "" {
			files["sys/firmware/dmi/tables/DMI"] = c.smbios
		}
		got := machine(t, files).Hardware(modes).CanSMT
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestHardwareUntold checks that a machine that shows nothing tells nothing.
func TestHardwareUntold(t *testing.T) {
	want := facts.Hardware{Drives: []facts.Drive{}, Ports: []facts.Port{}, From: map[string]string{}}
	if d := cmp.Diff(want, machine(t, nil).Hardware(modes)); d != "" {
		t.Error(d)
	}
}

// TestHardwareBounded checks that no machine makes a claim that is too large.
func TestHardwareBounded(t *testing.T) {
	files := map[string]string{}
	for i := range maxParts + 1 {
		files[fmt.Sprintf("sys/block/sd%d/size", i)] = "1\n"
	}
	h := machine(t, files).Hardware(modes)
	if len(h.Drives) != maxParts || h.Whole("drives") || !h.Whole("ports") {
		t.Errorf("%d drives, whole %t", len(h.Drives), h.Whole("drives"))
	}
}

// TestFastest reads link modes as drivers set them.
func TestFastest(t *testing.T) {
	set := func(bits ...int) []uint32 {
		mask := make([]uint32, 4)
		for _, b := range bits {
			mask[b/32] |= 1 << (b % 32)
		}
		return mask
	}
	for want, bits := range map[float64][]int{
		1:   {0, 1, 2, 3, 5, 6, 7, 13},  // igb: 10 to 1000baseT, autonegotiation, TP, pause
		10:  {5, 6, 10, 12},             // ixgbe
		25:  {5, 12, 31, 6, 49, 50, 51}, // i40e XXV710 with its FEC modes
		100: {31, 36, 38, 74},           // mlx5: 25, 100 and a FEC mode
		400: {73, 69},
	} {
		if got, ok := fastest(set(bits...)); !ok || got != want {
			t.Errorf("%v: %v, %t, want %v", bits, got, ok, want)
		}
	}
	if _, ok := fastest(set(6, 7, 13, 14)); ok {
		t.Error("ports and pause alone have a speed")
	}
	if _, ok := fastest(nil); ok {
		t.Error("an empty bitmap has a speed")
	}
}

// TestEthtool asks the kernel of this machine: a loopback device has no link
// modes, and a NIC that isn't there none either.
func TestEthtool(t *testing.T) {
	for _, nic := range []string{"lo", "nosuch0", strings.Repeat("x", 40)} {
		if gbps, ok := Ethtool(nic); ok {
			t.Errorf("%s does %v Gb/s", nic, gbps)
		}
	}
}
