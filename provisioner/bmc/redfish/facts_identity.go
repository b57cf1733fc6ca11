package redfish

import (
	"context"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// state is the Status of a part.
type state struct {
	State text `json:"State"`
}

// absent reports whether a resource stands for an empty place.
func (s state) absent() bool { return s.State == "Absent" }

// health is the Status of a system.
type health struct {
	Health text `json:"Health"`
	Rollup text `json:"HealthRollup"`
}

// word returns the health of the whole, else that of the resource itself.
func (h health) word() string {
	if h.Rollup != "" {
		return string(h.Rollup)
	}
	return string(h.Health)
}

// trustedModule is a TPM (DSP0268, ComputerSystem.TrustedModules).
type trustedModule struct {
	Interface text  `json:"InterfaceType"`
	Status    state `json:"Status"`
}

// identity takes what stands in the system resource itself.
func (l *look) identity(context.Context) error {
	s, out := l.system, &l.out
	out.Protocol, out.Vendor, out.Model = "redfish", string(l.root.Vendor), string(s.Model)
	if out.Vendor == "" {
		out.Vendor = string(s.Manufacturer)
	}
	if own(s.SerialNumber) != "" {
		out.Serial = string(s.SerialNumber)
	}
	out.Serials = serials(s.SerialNumber, tag(out.Vendor, s.SKU))
	out.SKU, out.UUID, out.Power, out.Health = string(s.SKU), uuid(s.UUID), string(s.PowerState), s.Status.word()
	if s.BiosVersion != "" {
		out.Firmware = append(out.Firmware, facts.Firmware{Name: "BIOS", Version: string(s.BiosVersion)})
	}
	if s.Boot.Enabled != "" && s.Boot.Enabled != "Disabled" && s.Boot.Target != "None" {
		out.BootOverride = string(s.Boot.Target)
	}
	for _, t := range s.Boot.Targets {
		out.BootTargets = append(out.BootTargets, string(t))
	}
	if out.TPM = tpm(s.TrustedModules); out.TPM != "" {
		l.from("tpm", string(s.Path)+"#/TrustedModules")
	}
	return nil
}

// tpm names the trusted module; an empty list is a known absence.
func tpm(all []trustedModule) string {
	if all == nil {
		return ""
	}
	word := "none"
	for _, m := range all {
		switch {
		case m.Status.absent():
		case m.Status.State == "Disabled":
			word = "disabled"
		case m.Interface != "":
			return string(m.Interface)
		case m.Status.State == "":
			return "" // an entry that says nothing
		}
	}
	return word
}

// tag returns the SKU where it is the number by which a machine is known: the
// service tag of PowerEdge servers, whose SerialNumber is that of the board.
// Elsewhere the SKU names the product, and many machines have the same.
func tag(vendor string, sku text) text {
	if strings.HasPrefix(vendor, "Dell") {
		return sku
	}
	return ""
}

// serials returns the serial numbers among some words, each once.
func serials(words ...text) []string {
	var out []string
	for _, w := range words {
		if w = own(w); w != "" && !slices.Contains(out, string(w)) {
			out = append(out, string(w))
		}
	}
	return out
}

// own returns a serial number, or "" for what boards say that were never given
// one: many machines have it (SMBIOS defaults of AMI, Insyde and OpenBMC).
func own(serial text) text {
	word := strings.ToLower(string(serial))
	if strings.Trim(word, "0. -") == "" || strings.Trim(word, "x") == "" {
		return ""
	}
	for _, filler := range []string{"to be filled", "default string", "not specified", "not available", "not applicable", "n/a", "none", "unknown", "null", "empty", "system serial number", "0123456789", "1234567890"} {
		if word == filler || strings.HasPrefix(word, "to be filled") {
			return ""
		}
	}
	return serial
}

// uuid returns the UUID in lower case, or "" for those that many machines
// have: nothing but zeros or ones, and the sample of AMI's BIOS.
func uuid(word text) string {
	u := strings.ToLower(string(word))
	if strings.Trim(u, "0-") == "" || strings.Trim(u, "f-") == "" || u == "03000200-0400-0500-0006-000700080009" {
		return ""
	}
	return u
}

// chassis is what the client needs of a Chassis (DSP0268).
type chassis struct {
	at       path
	Serial   text `json:"SerialNumber"`
	SKU      text `json:"SKU"`
	Slots    link `json:"PCIeSlots"`
	Adapters link `json:"NetworkAdapters"`
	Devices  refs `json:"PCIeDevices"`
	Drives   refs `json:"Drives"`
	Links    struct {
		Systems []link `json:"ComputerSystems"`
		Drives  refs   `json:"Drives"`
	} `json:"Links"`
}

// holds reports whether a chassis says that a system is in it.
func (b chassis) holds(system path) bool {
	return slices.ContainsFunc(b.Links.Systems, func(s link) bool { return s.Path.key() == system.key() })
}

// boxes reads the chassis that the system is in. An enclosure of several
// systems has a serial number that is none of theirs.
func (l *look) boxes(ctx context.Context) error {
	for _, link := range l.system.Links.Chassis {
		if link.Path == "" || len(l.chassis) >= maxBoxes || !l.once(link.Path) {
			continue
		}
		b := chassis{at: link.Path}
		if _, err := l.get(ctx, link.Path, &b); err != nil {
			l.partial("ports")
			l.partial("slots")
			if err := l.note(err); err != nil {
				return err
			}
			continue
		}
		l.chassis = append(l.chassis, b)
	}
	named := l.chassis
	if l.system.NetworkInterfaces.Path == "" && !slices.ContainsFunc(named, func(b chassis) bool { return b.Adapters.Path != "" }) {
		if err := l.search(ctx); err != nil {
			return err
		}
	}
	if len(named) == 0 && len(l.chassis) == 1 {
		named = l.chassis
	}
	for _, b := range named {
		if len(b.Links.Systems) <= 1 {
			l.out.Serials = serials(append(texts(l.out.Serials), b.Serial, tag(l.out.Vendor, b.SKU))...)
		}
	}
	return nil
}

// search looks for chassis that the system doesn't name: those that name it
// (OpenBMC has one for each board), or the only one. Boards have serial numbers
// of their own.
func (l *look) search(ctx context.Context) error {
	var all []chassis
	_, err := each(ctx, l, "ports", l.root.Chassis.Path, func(p path, b chassis) error {
		b.at = p
		all = append(all, b)
		return nil
	})
	if err != nil {
		return err
	}
	if len(l.chassis) == 0 && len(all) == 1 && len(all[0].Links.Systems) == 0 {
		l.chassis = all
		return nil
	}
	for _, b := range all {
		useful := len(l.chassis) == 0 || b.Adapters.Path != "" || b.Drives.collection != ""
		if useful && b.holds(l.system.Path) && len(l.chassis) < maxBoxes {
			l.chassis = append(l.chassis, b)
		}
	}
	return nil
}

func texts(words []string) []text {
	var out []text
	for _, w := range words {
		out = append(out, text(w))
	}
	return out
}
