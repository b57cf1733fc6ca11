package bmc

import "fmt"

const (
	vendor         = "RA2 Lab"
	processorModel = "RA2 Lab Processor"
)

// Hardware is what the controller claims that the machine is made of. A lab
// machine need not have it.
type Hardware struct {
	Sockets        int
	CoresPerSocket int
	Threads        int // per core, when SMT is on
	MemoryGiB      float64
	Drives         []Drive
	NICs           []NIC
	Slots          []Slot
}

// Drive is one disk.
type Drive struct {
	Name   string
	Model  string
	Serial string
	WWN    string // NAA, without "0x"
	Media  string // "SSD", "HDD"
	Bytes  int64
}

// NIC is one network adapter with its ports.
type NIC struct {
	Model string
	SRIOV bool
	Ports []Port
}

// Port is one port of an adapter.
type Port struct {
	MAC       string // lower case, colons
	SpeedGbps float64
	Down      bool // no link
}

// Slot is one PCIe slot.
type Slot struct {
	Generation int // 4 for Gen4
	Lanes      int
}

// DefaultHardware is a server that meets every minimum of RA2 chapter
// "Compute Hardware" (ra2.ch.002 to ra2.ch.016), with one disk and no MACs of
// a real vendor.
func DefaultHardware() Hardware {
	h := Hardware{Sockets: 2, CoresPerSocket: 20, Threads: 2, MemoryGiB: 64}
	h.Drives = []Drive{{Name: "Disk.0", Model: "RA2 Lab SSD", Serial: "RA2LAB0", WWN: "5000c500a1b2c3d4", Media: "SSD", Bytes: 480_000_000_000}}
	for adapter := range 2 {
		n := NIC{Model: "RA2 Lab 25G 2P", SRIOV: true}
		for port := range 2 {
			n.Ports = append(n.Ports, Port{MAC: fmt.Sprintf("52:54:00:17:f%d:%02x", adapter, port), SpeedGbps: 25})
		}
		h.NICs = append(h.NICs, n)
	}
	for range 8 {
		h.Slots = append(h.Slots, Slot{Generation: 4, Lanes: 8})
	}
	return h
}
