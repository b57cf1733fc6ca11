package host

import (
	"fmt"
	"os"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// Disk is a whole disk and where it is.
type Disk struct {
	agent.Disk
	Node       string   // device node, "/dev/vda"
	Partitions []string // kernel names
	Holders    []string // what stands on it: device mapper, RAID
}

// Disks lists the disks of the machine. Loop devices, RAM disks, optical
// drives, floppies and empty drives are none, and neither is what stands on
// other disks.
func (r Root) Disks() []Disk {
	var disks []Disk
	for _, name := range r.list("sys/block") {
		bytes := r.number("sys/block", name, "size") * 512 // sysfs counts 512-byte sectors, whatever the disk has
		if bytes == 0 || virtual(name) {
			continue
		}
		d := Disk{Node: r.path("dev", name)}
		d.Name, d.Bytes = name, bytes
		d.Model, d.Serial, d.WWN = r.identity(name)
		for _, part := range r.list("sys/block", name) {
			if r.text("sys/block", name, part, "partition") != "" {
				d.Partitions = append(d.Partitions, part)
				d.Holders = append(d.Holders, r.list("sys/block", name, part, "holders")...)
			}
		}
		d.Holders = append(d.Holders, r.list("sys/block", name, "holders")...)
		d.Holds = holds(d.Node)
		disks = append(disks, d)
	}
	return disks
}

func virtual(name string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "drbd", "rbd"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.Contains(name, "boot") && strings.HasPrefix(name, "mmcblk") // eMMC boot areas
}

// identity reads model, serial number and WWN. Each bus has its own place:
// virtio <disk>/serial; NVMe device/{model,serial} and <disk>/wwid; SCSI and
// SATA device/{model,wwid} and the unit serial number page (SPC-4, 80h).
func (r Root) identity(name string) (model, serial, wwn string) {
	model = r.text("sys/block", name, "device", "model")
	if vendor := r.text("sys/block", name, "device", "vendor"); vendor != "" && !strings.HasPrefix(vendor, "0x") {
		model = strings.TrimSpace(vendor + " " + model)
	}
	for _, file := range []string{"serial", "device/serial"} {
		if serial == "" {
			serial = r.text("sys/block", name, file)
		}
	}
	if page, err := os.ReadFile(r.path("sys/block", name, "device", "vpd_pg80")); serial == "" && err == nil && len(page) > 4 {
		serial = strings.Trim(string(page[4:]), " \x00")
	}
	for _, file := range []string{"wwid", "device/wwid"} {
		if id := r.text("sys/block", name, file); wwn == "" && (strings.HasPrefix(id, "naa.") || strings.HasPrefix(id, "eui.")) {
			wwn = id
		}
	}
	return model, serial, wwn
}

// String describes a disk for a person: "vda (SAMSUNG MZ7, serial S6C, 480 GB)".
func (d Disk) String() string {
	var words []string
	if d.Model != "" {
		words = append(words, d.Model)
	}
	if d.Serial != "" {
		words = append(words, "serial "+d.Serial)
	}
	if d.WWN != "" {
		words = append(words, "wwn "+d.WWN)
	}
	words = append(words, Size(d.Bytes))
	return d.Name + " (" + strings.Join(words, ", ") + ")"
}

// Size writes bytes as disk makers do: "480 GB".
func Size(n int64) string {
	switch {
	case n >= 10e12:
		return fmt.Sprintf("%.0f TB", float64(n)/1e12)
	case n >= 1e9:
		return fmt.Sprintf("%.0f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
