package facts

import (
	"maps"
	"slices"
	"strings"
)

// Hardware returns what the host is made of: what its management controller
// tells, and where that has gaps, what the machine said of itself.
func (h Host) Hardware() Hardware {
	if h.Agent.Hardware == nil {
		return h.BMC.Hardware
	}
	return Merge(h.BMC.Hardware, *h.Agent.Hardware)
}

// Merge fills the gaps of what a management controller told with what the
// machine sees of itself. What the controller told is never replaced, and each
// part's From names all that told of it.
func Merge(bmc, machine Hardware) Hardware {
	out := bmc
	out.From = maps.Clone(bmc.From)
	if out.From == nil {
		out.From = map[string]string{}
	}
	scalar(&out, machine, "memoryGiB", &out.MemoryGiB, machine.MemoryGiB)
	scalar(&out, machine, "numaNodes", &out.NUMANodes, machine.NUMANodes)
	scalar(&out, machine, "smt", &out.SMT, machine.SMT)
	scalar(&out, machine, "canSMT", &out.CanSMT, machine.CanSMT)
	scalar(&out, machine, "secureBoot", &out.SecureBoot, machine.SecureBoot)
	if out.TPM == "" && machine.TPM != "" {
		out.TPM = machine.TPM
		out.From["tpm"] = machine.From["tpm"]
	}
	out.Partial = nil
	out.Processors = list(&out, bmc, machine, "processors", bmc.Processors, machine.Processors, processors)
	out.Drives = list(&out, bmc, machine, "drives", bmc.Drives, machine.Drives, drives)
	out.Ports = list(&out, bmc, machine, "ports", bmc.Ports, machine.Ports, ports)
	out.Slots = list(&out, bmc, machine, "slots", bmc.Slots, machine.Slots, slots)
	return out
}

// scalar takes the machine's word for what the controller doesn't tell.
func scalar[T any](out *Hardware, machine Hardware, name string, have **T, told *T) {
	if *have == nil && told != nil {
		*have = told
		out.From[name] = machine.From[name]
	}
}

// list returns the controller's list with its gaps filled. Where the
// controller told none, or only a part, the machine's list is what counts, and
// what the controller knows of its parts fills that.
func list[T any](out *Hardware, bmc, machine Hardware, name string, told, seen []T, fill func(have, more []T) []T) []T {
	switch {
	case seen == nil:
		if !bmc.Whole(name) {
			out.Partial = append(out.Partial, name)
		}
		return told
	case told == nil, !bmc.Whole(name) && len(seen) >= len(told):
		if !machine.Whole(name) {
			out.Partial = append(out.Partial, name)
		}
		return fill(seen, told)
	case !bmc.Whole(name):
		out.Partial = append(out.Partial, name)
	}
	return fill(told, seen)
}

// both names two that told.
func both(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + ", " + b
}

// processors fills cores and threads where both know the same number of
// sockets: sockets have no name that controllers and kernels share.
func processors(have, more []Processor) []Processor {
	if len(have) != len(more) {
		return have
	}
	out := slices.Clone(have)
	for i, p := range more {
		o, was := &out[i], have[i]
		o.Model, o.Cores, o.Threads = first(o.Model, p.Model), first(o.Cores, p.Cores), first(o.Threads, p.Threads)
		if *o != was {
			o.From = both(o.From, p.From)
		}
	}
	return out
}

// drives fills drives of the same serial number or WWN.
func drives(have, more []Drive) []Drive {
	out := slices.Clone(have)
	for i := range out {
		o := &out[i]
		at := slices.IndexFunc(more, func(d Drive) bool { return SameName(o.Serial, d.Serial) || SameWWN(o.WWN, d.WWN) })
		if at < 0 {
			continue
		}
		was := *o
		d := more[at]
		o.Model, o.Serial, o.WWN = first(o.Model, d.Model), first(o.Serial, d.Serial), first(o.WWN, d.WWN)
		o.Media, o.Protocol, o.Bytes = first(o.Media, d.Media), first(o.Protocol, d.Protocol), first(o.Bytes, d.Bytes)
		if *o != was {
			o.From = both(o.From, d.From)
		}
	}
	return out
}

// ports fills ports of the same MAC.
func ports(have, more []Port) []Port {
	out := slices.Clone(have)
	for i := range out {
		o := &out[i]
		at := slices.IndexFunc(more, func(p Port) bool { return p.MAC != "" && strings.EqualFold(p.MAC, o.MAC) })
		if at < 0 {
			continue
		}
		was := *o
		p := more[at]
		o.Adapter, o.SpeedGbps, o.LinkGbps = first(o.Adapter, p.Adapter), first(o.SpeedGbps, p.SpeedGbps), first(o.LinkGbps, p.LinkGbps)
		o.LinkUp, o.SRIOV, o.MaxVFs = first(o.LinkUp, p.LinkUp), first(o.SRIOV, p.SRIOV), first(o.MaxVFs, p.MaxVFs)
		if *o != was {
			o.From = both(o.From, p.From)
		}
	}
	return out
}

// slots takes the other list where it tells all of as many slots: the names of
// slots differ between SMBIOS and Redfish, so that single ones can't be paired.
func slots(have, more []Slot) []Slot {
	untold := func(s Slot) bool { return s.Generation == 0 || s.Lanes == 0 || s.AtLeast }
	if len(more) >= len(have) && slices.ContainsFunc(have, untold) && !slices.ContainsFunc(more, untold) {
		return more
	}
	return have
}

// first returns a, or b where nobody told a.
func first[T comparable](a, b T) T {
	var none T
	if a != none {
		return a
	}
	return b
}

// SameName reports whether two serial numbers are one: case and spaces around
// them differ between firmwares. Placeholders are no name.
func SameName(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return Told(a) && strings.EqualFold(a, b)
}

// Told reports whether a serial number is one, and not what firmware writes
// where the maker wrote none.
func Told(serial string) bool {
	serial = strings.ToLower(strings.TrimSpace(serial))
	if strings.Trim(serial, "0x-. ") == "" || serial == "0123456789" || serial == "1234567890" || serial == "123456789" {
		return false
	}
	for _, p := range []string{"to be filled", "not specified", "not available", "none", "n/a", "default string", "system serial", "chassis serial", "empty", "unknown"} {
		if strings.HasPrefix(serial, p) {
			return false
		}
	}
	return true
}

// SameWWN compares names as controllers and kernels write them:
// "0x5000C500A1B2C3D4", "naa.5000c500a1b2c3d4", "50:00:C5:00:A1:B2:C3:D4".
func SameWWN(a, b string) bool {
	plain := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, prefix := range []string{"0x", "naa.", "eui.", "uuid.", "nguid."} {
			s = strings.TrimPrefix(s, prefix)
		}
		return strings.NewReplacer(":", "", "-", "", " ", "").Replace(s)
	}
	return plain(a) != "" && plain(a) == plain(b)
}

// SameUUID compares UUIDs of systems. SMBIOS 2.6 and later writes the first
// three fields with their bytes swapped (DSP0134, 7.2.1), and some firmwares
// don't: both are the same machine.
func SameUUID(a, b string) bool {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(s)) }
	a, b = plain(a), plain(b)
	if len(a) != 32 || strings.Trim(a, "0f") == "" {
		return false
	}
	swapped := a[6:8] + a[4:6] + a[2:4] + a[0:2] + a[10:12] + a[8:10] + a[14:16] + a[12:14] + a[16:]
	return a == b || swapped == b
}
