package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// identity tells whether this is the host that the inventory means. Ports and
// disks that the BMC doesn't tell of are not applicable here: the host's own
// DHCP request and the installer prove them before anything is written.
func (s subject) identity() []Finding {
	all := []Finding{s.serial(), s.bootPort(), s.disk()}
	if s.host.Agent.Serial != "" {
		all = append(all, s.sameMachine())
	}
	return all
}

func (s subject) serial() Finding {
	f := Finding{Requirement: Identity, Verdict: Fail, Want: "serial number " + s.node.Serial, Where: "ComputerSystem SerialNumber"}
	if s.node.BMC.OnlyIPMI() {
		f.Where = "FRU information"
	}
	numbers := s.host.BMC.Numbers()
	f.Got = strings.Join(numbers, ", ")
	switch {
	case s.node.Serial == "":
		f.Verdict, f.Want = NotApplicable, "no serial number"
	case len(numbers) == 0:
		f.Verdict, f.Got = Unknown, "the BMC tells no serial number"
	case slices.ContainsFunc(numbers, func(n string) bool { return strings.EqualFold(n, s.node.Serial) }):
		f.Verdict = Pass
	}
	return f
}

// sameMachine compares what the machine said of itself with what its BMC says:
// a cable in the wrong port would have one host written by the power of another.
func (s subject) sameMachine() Finding {
	a, numbers := s.host.Agent, s.host.BMC.Numbers()
	f := Finding{
		Requirement: Identity, Verdict: Fail, Want: "BMC and machine to be one: " + strings.Join(numbers, ", "),
		Got: "the machine says that its serial number is " + a.Serial, Where: "SMBIOS type 1",
	}
	switch known, same := s.host.Agrees(); {
	case same:
		f.Verdict = Pass
	case !known:
		f.Verdict, f.Got = NotApplicable, "one of them tells no serial number"
	}
	return f
}

func (s subject) bootPort() Finding {
	f := Finding{Requirement: Identity, Verdict: Fail, Want: "a network port with MAC " + s.node.Boot.MAC}
	var told, from []string
	for _, p := range s.hw.Ports {
		if p.MAC != "" {
			told, from = append(told, p.MAC), append(from, p.From)
		}
	}
	f.Got, f.Where = strings.Join(told, ", "), where(from, "NetworkAdapters")
	switch i := slices.Index(told, s.node.Boot.MAC); {
	case i >= 0:
		f.Verdict, f.Where = Pass, where(from[i:i+1], "NetworkAdapters")
	case len(told) < len(s.hw.Ports) || len(told) == 0 || !s.hw.Whole("ports"):
		f.Verdict, f.Got = NotApplicable, "the BMC doesn't tell all MACs"
	}
	return f
}

func (s subject) disk() Finding {
	f := Finding{Requirement: Identity, Verdict: Fail, Want: "a disk with " + s.node.Disk.String(), Where: "Storage Drives"}
	told := 0
	var got, from []string
	for _, d := range s.hw.Drives {
		if isDisk(s.node.Disk, d) {
			f.Verdict, f.Where, f.Got = Pass, where([]string{d.From}, f.Where), fmt.Sprintf("%s, %s, %.0f GB", d.Name, d.Model, float64(d.Bytes)/1e9)
			return f
		}
		name := d.Serial
		if s.node.Disk.WWN != "" {
			name = d.WWN
		}
		if name != "" {
			told++
			got, from = append(got, name), append(from, d.From)
		}
	}
	f.Got, f.Where = strings.Join(got, ", "), where(from, f.Where)
	if told == 0 || told < len(s.hw.Drives) || !s.hw.Whole("drives") {
		f.Verdict, f.Got = NotApplicable, "the BMC doesn't tell of all disks"
	}
	return f
}

// isDisk compares a drive with the disk that the inventory names.
func isDisk(want inventory.Disk, have facts.Drive) bool {
	if want.Serial != "" {
		return strings.EqualFold(strings.TrimSpace(have.Serial), want.Serial)
	}
	wwn := inventory.NormalWWN(have.WWN)
	return wwn != "" && (wwn == want.WWN || backwards(wwn) == want.WWN)
}

// backwards returns a WWN byte by byte from the end: some controllers tell the
// EUI-64 of an NVMe disk in the order of the wire, the kernel tells it as it
// is written (NVM Express Base, "Extended Unique Identifier").
func backwards(wwn string) string {
	if len(wwn)%2 != 0 {
		return wwn
	}
	var b strings.Builder
	for i := len(wwn); i > 0; i -= 2 {
		b.WriteString(wwn[i-2 : i])
	}
	return b.String()
}
