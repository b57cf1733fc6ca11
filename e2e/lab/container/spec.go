// Package container is a machine made of namespaces on the host. A small
// client plays firmware and kernel: it asks DHCP on the machine's own NIC,
// fetches loader, script, kernel and initrds, or reads the disk's EFI system
// partition, unpacks the initramfs, and becomes its /init as PID 1. From then
// on it is the same software as on a real server.
package container

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// NIC is the name of the machine's network interface.
const NIC = "eth0"

// ChildCommand is the hidden argument list with which the program starts
// itself as a machine: see Child.
func ChildCommand() []string { return []string{"lab", "machine"} }

// Spec is what one boot of a machine needs to know; it goes to the child by a
// pipe.
type Spec struct {
	Name    string   `json:"name"`
	Method  string   `json:"method"` // "uefi-http", "uefi-pxe", "bios-pxe"
	Serial  string   `json:"serial"`
	UUID    string   `json:"uuid"`
	Boot    bmc.Boot `json:"boot"`
	Disks   []Disk   `json:"disks"`
	Console string   `json:"console"` // path of the terminal
	Cgroups []Cgroup `json:"cgroups"`
}

// Disk is one disk of the machine, as the host has it.
type Disk struct {
	Name       string      `json:"name"` // "vda"
	Serial     string      `json:"serial"`
	Node       string      `json:"node"` // "/dev/loop3"
	Device     uint64      `json:"device"`
	Sectors    int64       `json:"sectors"` // of 512 bytes
	Partitions []Partition `json:"partitions"`
}

// Partition is one partition of a disk.
type Partition struct {
	Number  int    `json:"number"`
	Name    string `json:"name"` // GPT name
	Device  uint64 `json:"device"`
	Start   int64  `json:"start"`   // sector
	Sectors int64  `json:"sectors"` // of 512 bytes
}

// Cgroup is one hierarchy that the machine gets a part of.
type Cgroup struct {
	Mount   string `json:"mount"`   // below /sys/fs/cgroup, "" is itself
	Kind    string `json:"kind"`    // "cgroup" or "cgroup2"
	Options string `json:"options"` // "cpu,cpuacct", "none,name=systemd"
}

// Numbers of the file descriptors that the child gets.
const (
	specFD  = 3 // Spec as JSON, then end of file
	stageFD = 4 // the child's stages, a line each; closes when /init begins
)

func readSpec() (Spec, *os.File, error) {
	in := os.NewFile(specFD, "spec")
	defer in.Close()
	var s Spec
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return s, nil, fmt.Errorf("this command is started by the lab only: read the machine's description: %w", err)
	}
	return s, os.NewFile(stageFD, "stage"), nil
}
