package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// machine lays files of sysfs and procfs; a content may hold any bytes.
func machine(t *testing.T, files map[string]string) Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Root(dir)
}

// server has a disk of each bus, as their sysfs looks like.
func server(t *testing.T) Root {
	return machine(t, map[string]string{
		"sys/class/dmi/id/product_serial":        "CZ1234\n",
		"sys/class/dmi/id/product_uuid":          "4c4c4544-0000\n",
		"proc/meminfo":                           "MemTotal:       263855200 kB\nMemFree: 1 kB\n",
		"sys/devices/system/cpu/online":          "0-3,8\n",
		"sys/devices/system/cpu/smt/active":      "1\n",
		"sys/class/net/eno1/address":             "52:54:00:17:00:11\n",
		"sys/class/net/eno1/type":                "1\n",
		"sys/class/net/lo/address":               "00:00:00:00:00:00\n",
		"sys/class/net/lo/type":                  "772\n",
		"sys/block/vda/size":                     "40960\n",
		"sys/block/vda/serial":                   "V1\n",
		"sys/block/vda/device/vendor":            "0x1af4\n",
		"sys/block/nvme0n1/size":                 "937703088\n",
		"sys/block/nvme0n1/wwid":                 "eui.0025385\n",
		"sys/block/nvme0n1/device/model":         "SAMSUNG MZQL2480   \n",
		"sys/block/nvme0n1/device/serial":        "S64GNE0R   \n",
		"sys/block/sda/size":                     "4096\n",
		"sys/block/sda/device/vendor":            "ATA     \n",
		"sys/block/sda/device/model":             "INTEL SSDSC2KB48\n",
		"sys/block/sda/device/vpd_pg80":          "\x00\x80\x00\x08PHYF1234",
		"sys/block/sda/device/wwid":              "naa.55CD2E41\n",
		"sys/block/sda/sda1/partition":           "1\n",
		"sys/block/sda/sda1/holders/dm-0/uevent": "",
		"sys/block/loop0/size":                   "8\n",
		"sys/block/sr0/size":                     "8\n",
		"sys/block/sdb/size":                     "0\n",
		"dev/vda":                                strings.Repeat("\x00", 0x438) + "\x53\xef" + strings.Repeat("\x00", 1024),
		"sys/block/dm-0/size":                    "8\n",
		"sys/devices/system/cpu/smt/control":     "on\n",
		"sys/block/nvme0n1/nvme0n1p1/partition":  "1\n",
	})
}

func TestFacts(t *testing.T) {
	root := server(t)
	want := agent.InBand{
		Serial: "CZ1234", UUID: "4c4c4544-0000", MemoryKiB: 263855200, CPUs: 5, SMT: new(true), MACs: []string{"52:54:00:17:00:11"},
		Disks: []agent.Disk{
			{Name: "nvme0n1", Model: "SAMSUNG MZQL2480", Serial: "S64GNE0R", WWN: "eui.0025385", Bytes: 937703088 * 512},
			{Name: "sda", Model: "ATA INTEL SSDSC2KB48", Serial: "PHYF1234", WWN: "naa.55CD2E41", Bytes: 4096 * 512},
			{Name: "vda", Serial: "V1", Bytes: 40960 * 512, Holds: []string{"ext2/3/4"}},
		},
	}
	got := root.Facts()
	if got.Hardware == nil || got.Hardware.SMT != got.SMT {
		t.Errorf("hardware %+v", got.Hardware)
	}
	got.Hardware = nil // see TestHardware
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFindDisk(t *testing.T) {
	disks := server(t).Disks()
	for want, name := range map[string]string{"serial:V1": "vda", "serial: s64gne0r ": "nvme0n1", "wwn:0x0025385": "nvme0n1"} {
		if d, err := FindDisk(disks, want); err != nil || d.Name != name {
			t.Errorf("%s is %v, %v", want, d, err)
		}
	}
	_, err := FindDisk(disks, "serial:V2")
	var none *NoDiskError
	if !errors.As(err, &none) || none.Same != 0 {
		t.Fatal(err)
	}
	for _, says := range []string{"no disk has serial:V2", "vda (serial V1, 21 MB)", "SAMSUNG MZQL2480", "S64GNE0R", "480 GB", "PHYF1234"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q doesn't say %q", err, says)
		}
	}
	for want, says := range map[string]string{"wwn:55cd2e41": "in use by dm-0", "/dev/sda": "neither", "serial:": "neither", "wwn:": "neither"} {
		if _, err := FindDisk(disks, want); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v should say %q", want, err, says)
		}
	}
	twins := append(disks, disks[0])
	if _, err := FindDisk(twins, "serial:"+disks[0].Serial); err == nil || !strings.Contains(err.Error(), "2 disks have") {
		t.Errorf("two disks of one serial: %v", err)
	}
}
