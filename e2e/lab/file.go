// Package lab makes servers on one computer: machines made of namespaces or
// QEMU, each behind a Redfish controller of its own, in a network namespace of
// their own. A daemon (Serve) keeps a lab; Up starts it, Down ends it and
// whatever it left behind.
package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// File is a lab as the user writes it.
type File struct {
	APIVersion string   `yaml:"apiVersion"` // "ra2-deploy/v1alpha1"
	Kind       string   `yaml:"kind"`       // "Lab"
	Metadata   Metadata `yaml:"metadata"`
	Spec       Spec     `yaml:"spec"`
}

// Metadata names the lab.
type Metadata struct {
	Name string `yaml:"name"` // at most 11 letters: interface names hold it
}

// Spec is everything in the lab.
type Spec struct {
	Networks Networks       `yaml:"networks"`
	Machines []Machine      `yaml:"machines"`
	Cluster  map[string]any `yaml:"cluster"` // laid over spec of the inventory that Up writes
}

// Networks are the addresses of the lab's own end of each network.
type Networks struct {
	Provisioning []string `yaml:"provisioning"` // default 10.17.0.1/24, fd00:17::1/64
	OOB          string   `yaml:"oob"`          // default 10.17.1.1/24: where the BMCs are
}

// Kinds of machines.
const (
	KindContainer = "container"
	KindQEMU      = "qemu"
)

// Machine is one server.
type Machine struct {
	Name     string     `yaml:"name"`
	Kind     string     `yaml:"kind"` // default "container"
	Zone     string     `yaml:"zone"`
	Roles    []string   `yaml:"roles"`    // of the inventory: control-plane, worker
	Class    string     `yaml:"class"`    // of the inventory
	Firmware string     `yaml:"firmware"` // "uefi" (default) or "bios"
	Boot     string     `yaml:"boot"`     // default "uefi-http"; "bios-pxe" for bios
	CPUs     int        `yaml:"cpus"`     // of a QEMU machine, default 2
	Memory   string     `yaml:"memory"`   // of a QEMU machine, default 4G
	Disk     string     `yaml:"disk"`     // size, sparse; default 12G
	DataDisk string     `yaml:"dataDisk"` // size; holds a pattern that nobody may change; default 16M
	Hardware *Hardware  `yaml:"hardware"` // what the BMC claims; default meets RA2's minimums
	IPMI     string     `yaml:"ipmi"`     // "beside" Redfish or "only"; default is none
	Vendor   string     `yaml:"vendor"`   // whose controller it is, one of bmc.Vendors; default is one by the book
	Faults   bmc.Faults `yaml:"faults"`

	SecureBoot bool `yaml:"secureBoot"` // of a QEMU machine: Secure Boot is on, with the keys of a factory
}

// Hardware is what the controller claims. A field that is left out has the
// value of bmc.DefaultHardware.
type Hardware struct {
	Sockets        int     `yaml:"sockets"`
	CoresPerSocket int     `yaml:"coresPerSocket"`
	Threads        int     `yaml:"threads"`
	MemoryGiB      float64 `yaml:"memoryGiB"`
	Drives         []Drive `yaml:"drives"` // the first is the machine's disk and has its serial
	NICs           []NIC   `yaml:"nics"`
	Slots          []Slot  `yaml:"slots"`
}

// Drive is a claimed disk.
type Drive struct {
	Media string `yaml:"media"` // "SSD", "HDD"
	Size  string `yaml:"size"`
}

// NIC is a claimed adapter.
type NIC struct {
	Ports     int     `yaml:"ports"`
	SpeedGbps float64 `yaml:"speedGbps"`
	SRIOV     bool    `yaml:"sriov"`
}

// Slot is a number of equal claimed PCIe slots.
type Slot struct {
	Count      int `yaml:"count"`
	Generation int `yaml:"generation"`
	Lanes      int `yaml:"lanes"`
}

// Read parses the lab file at a path.
func Read(path string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("read the lab: %w", err)
	}
	return Parse(path, text)
}

// Parse reads a lab strictly, fills in defaults and checks it. The name is
// for messages.
func Parse(name string, text []byte) (File, error) {
	var f File
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil {
		return f, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	f.defaults()
	if problems := f.problems(); len(problems) > 0 {
		return f, fmt.Errorf("%s: %s", name, strings.Join(problems, "\n"+name+": "))
	}
	return f, nil
}

func (f *File) defaults() {
	if len(f.Spec.Networks.Provisioning) == 0 {
		f.Spec.Networks.Provisioning = []string{"10.17.0.1/24", "fd00:17::1/64"}
	}
	f.Spec.Networks.OOB = or(f.Spec.Networks.OOB, "10.17.1.1/24")
	for i := range f.Spec.Machines {
		m := &f.Spec.Machines[i]
		m.Kind = or(m.Kind, KindContainer)
		m.Firmware = or(m.Firmware, "uefi")
		if m.Firmware == "bios" {
			m.Boot = or(m.Boot, "bios-pxe")
		}
		if m.IPMI == IPMIOnly { // can't ask for another
			m.Boot = or(m.Boot, "uefi-pxe")
		}
		m.Boot = or(m.Boot, "uefi-http")
		m.Memory, m.Disk, m.DataDisk = or(m.Memory, "4G"), or(m.Disk, "12G"), or(m.DataDisk, "16M")
		if m.CPUs == 0 {
			m.CPUs = 2
		}
		if len(m.Roles) == 0 {
			m.Roles = []string{"control-plane"}
		}
		m.Zone = or(m.Zone, "a")
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// maxMachines fit the last octet of the addresses, beginning at .11.
const maxMachines = 200

func (f File) problems() []string {
	var p []string
	say := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if f.APIVersion != "ra2-deploy/v1alpha1" || f.Kind != "Lab" {
		say("apiVersion is %q and kind is %q; write ra2-deploy/v1alpha1 and Lab", f.APIVersion, f.Kind)
	}
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?$`).MatchString(f.Metadata.Name) {
		say("metadata.name is %q; write at most 11 small letters, digits and dashes", f.Metadata.Name)
	}
	if n := len(f.Spec.Machines); n == 0 || n > maxMachines {
		say("spec.machines has %d machines; write 1 to %d", n, maxMachines)
	}
	for _, cidr := range append([]string{f.Spec.Networks.OOB}, f.Spec.Networks.Provisioning...) {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			say("spec.networks: %v; write the lab's own address and prefix length, like 10.17.0.1/24", err)
		}
	}
	seen := map[string]bool{}
	for i, m := range f.Spec.Machines {
		at := fmt.Sprintf("spec.machines[%d]", i)
		if seen[m.Name] {
			say("%s.name: %q is there twice", at, m.Name)
		}
		seen[m.Name] = true
		for _, problem := range m.problems() {
			say("%s: %s", at, problem)
		}
	}
	return p
}

func (m Machine) problems() []string {
	var p []string
	oneOf := func(name, value string, allowed ...string) {
		for _, a := range allowed {
			if a == value {
				return
			}
		}
		p = append(p, fmt.Sprintf("%s is %q; write one of %s", name, value, strings.Join(allowed, ", ")))
	}
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`).MatchString(m.Name) {
		p = append(p, fmt.Sprintf("name is %q; write small letters, digits and dashes", m.Name))
	}
	if m.Vendor != "" {
		oneOf("vendor", m.Vendor, bmc.Vendors()...)
	}
	for _, wrong := range m.Faults.Check() {
		p = append(p, "faults: "+wrong)
	}
	oneOf("kind", m.Kind, KindContainer, KindQEMU)
	oneOf("firmware", m.Firmware, "uefi", "bios")
	oneOf("ipmi", m.IPMI, "", IPMIBeside, IPMIOnly)
	switch {
	case m.Firmware == "bios":
		oneOf("boot", m.Boot, "bios-pxe")
	case m.IPMI == IPMIOnly:
		oneOf("boot", m.Boot, "uefi-pxe")
	default:
		oneOf("boot", m.Boot, "uefi-http", "uefi-pxe")
	}
	if m.SecureBoot && (m.Kind != KindQEMU || m.Firmware != "uefi") {
		p = append(p, "secureBoot is on: only machines of kind qemu with firmware uefi have it")
	}
	for name, size := range map[string]string{"memory": m.Memory, "disk": m.Disk, "dataDisk": m.DataDisk} {
		if n, err := ParseSize(size); err != nil || n <= 0 {
			p = append(p, fmt.Sprintf("%s is %q; write a size like 12G or 16M", name, size))
		}
	}
	return p
}

// ParseSize reads a size in bytes with the suffix K, M, G or T (powers of
// 1024), or kB, MB, GB, TB (powers of 1000).
func ParseSize(s string) (int64, error) {
	var n float64
	var unit string
	if _, err := fmt.Sscanf(s+" ", "%g%s", &n, &unit); err != nil && unit == "" {
		if _, err := fmt.Sscanf(s, "%g", &n); err != nil {
			return 0, fmt.Errorf("%q is not a size", s)
		}
	}
	factor, ok := map[string]float64{
		"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
		"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}[unit]
	if !ok || n < 0 || n*factor > 1<<60 {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return int64(n * factor), nil
}

// DefaultDir is where a lab lives unless the user says otherwise.
func DefaultDir(name string) string { return filepath.Join(".ra2-lab", name) }
