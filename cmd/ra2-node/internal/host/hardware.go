package host

import (
	"os"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts/smbios"
)

// maxParts bounds each list of a claim: a host with more disks than that tells
// that there are more.
const maxParts = 256

// Hardware returns what the machine is made of, as far as the kernel and
// SMBIOS tell. A fact that none of them tells is absent.
func (r Root) Hardware(modes Modes) facts.Hardware {
	table := r.smbios()
	h := facts.Hardware{
		Processors: r.processors(table), Drives: r.drives(), Ports: r.ports(modes), Slots: slots(table),
		From: map[string]string{},
	}
	told(&h, "memoryGiB", &h.MemoryGiB)(r.memoryGiB(table))
	told(&h, "numaNodes", &h.NUMANodes)(r.numaNodes())
	told(&h, "smt", &h.SMT)(r.smt())
	told(&h, "canSMT", &h.CanSMT)(r.canSMT(table))
	told(&h, "secureBoot", &h.SecureBoot)(r.secureBoot())
	if h.TPM = r.tpm(); h.TPM != "" {
		h.From["tpm"] = "sysfs class/tpm/tpm0"
	}
	h.Drives = bounded(&h, "drives", h.Drives)
	h.Ports = bounded(&h, "ports", h.Ports)
	h.Slots = bounded(&h, "slots", h.Slots)
	h.Processors = bounded(&h, "processors", h.Processors)
	return h
}

// told returns what keeps a value and what told it; nil is untold.
func told[T any](h *facts.Hardware, name string, into **T) func(v *T, from string) {
	return func(v *T, from string) {
		if v != nil {
			*into, h.From[name] = v, from
		}
	}
}

func bounded[T any](h *facts.Hardware, name string, list []T) []T {
	if len(list) <= maxParts {
		return list
	}
	h.Partial = append(h.Partial, name)
	return list[:maxParts]
}

// smbios reads the table of the firmware; a machine without one has none.
func (r Root) smbios() smbios.Table {
	data, err := os.ReadFile(r.path("sys/firmware/dmi/tables/DMI"))
	if err != nil {
		return nil
	}
	table, _ := smbios.Parse(data)
	return table
}

// memoryGiB is the sum of the memory devices. Where firmware doesn't tell them
// it is what the kernel has, rounded up to whole GiB: firmware and kernel keep
// some for themselves (a 32 GiB machine shows about 31.2).
func (r Root) memoryGiB(table smbios.Table) (*float64, string) {
	if n, ok := table.MemoryBytes(); ok {
		return new(float64(n) / (1 << 30)), "SMBIOS type 17"
	}
	kib := r.memory()
	if kib == 0 {
		return nil, ""
	}
	return new(float64((kib + 1<<20 - 1) >> 20)), "MemTotal of the kernel, rounded up to GiB"
}

func (r Root) numaNodes() (*int, string) {
	n := count(r.text("sys/devices/system/node/has_cpu"))
	if n == 0 {
		return nil, ""
	}
	return &n, "sysfs devices/system/node/has_cpu"
}

func (r Root) smt() (*bool, string) {
	const file = "devices/system/cpu/smt/active"
	switch r.text("sys", file) {
	case "1":
		return new(true), "sysfs " + file
	case "0":
		return new(false), "sysfs " + file
	}
	return nil, ""
}

// canSMT tells whether the processors have SMT, on or off. The kernel knows it
// of a processor that shows threads. "notsupported" alone proves nothing: a
// processor of AMD whose firmware switched SMT off says the same. SMBIOS has a
// bit for it that doesn't depend on what is switched on (DSP0134, 7.5.9); only
// where both say no it is no.
func (r Root) canSMT(table smbios.Table) (*bool, string) {
	const file = "devices/system/cpu/smt/control"
	control := r.text("sys", file)
	if slices.Contains([]string{"on", "off", "forceoff"}, control) {
		return new(true), "sysfs " + file
	}
	known, can := false, false
	for _, p := range table.Processors() {
		known = known || p.HardwareThread != nil
		can = can || p.HardwareThread != nil && *p.HardwareThread
	}
	switch {
	case can:
		return new(true), "SMBIOS type 4"
	case known && strings.HasPrefix(control, "not"):
		return new(false), "SMBIOS type 4, sysfs " + file
	}
	return nil, ""
}

// secureBoot reads the variable SecureBoot of the firmware (UEFI 2.10, 3.3):
// four bytes of attributes, then 1 when it is in force. A machine that did not
// start by UEFI has none.
func (r Root) secureBoot() (*bool, string) {
	if _, err := os.Stat(r.path("sys/firmware/efi")); err != nil {
		if _, err := os.Stat(r.path("sys/firmware")); err != nil {
			return nil, ""
		}
		return new(false), "not started by UEFI"
	}
	const name = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	data, err := os.ReadFile(r.path("sys/firmware/efi/efivars", name))
	if err != nil || len(data) < 5 {
		return nil, ""
	}
	return new(data[4] == 1), "UEFI variable SecureBoot"
}

// tpm reads the version of the first TPM. That none is there can't be told: its
// driver may be missing.
func (r Root) tpm() string {
	return map[string]string{"1": "TPM1_2", "2": "TPM2_0"}[r.text("sys/class/tpm/tpm0/tpm_version_major")]
}

// slots are the PCI Express slots; nil when SMBIOS tells of none, since
// firmware that describes no slots looks like a board without.
func slots(table smbios.Table) []facts.Slot {
	var out []facts.Slot
	for _, s := range table.Slots() {
		out = append(out, facts.Slot{Name: s.Name, Generation: s.Generation, Lanes: s.Lanes, From: "SMBIOS type 9"})
	}
	return out
}
