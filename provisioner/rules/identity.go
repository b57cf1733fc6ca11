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
	return []Finding{s.serial(), s.bootPort(), s.disk()}
}

func (s subject) serial() Finding {
	f := Finding{Requirement: Identity, Verdict: Fail, Want: "serial number " + s.node.Serial, Where: "ComputerSystem SerialNumber"}
	numbers := s.bmc.Serials
	if len(numbers) == 0 && s.bmc.Serial != "" {
		numbers = []string{s.bmc.Serial}
	}
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

func (s subject) bootPort() Finding {
	f := Finding{Requirement: Identity, Verdict: Fail, Want: "a network port with MAC " + s.node.Boot.MAC, Where: "NetworkAdapters"}
	var told []string
	for _, p := range s.bmc.Ports {
		if p.MAC != "" {
			told = append(told, p.MAC)
		}
	}
	f.Got = strings.Join(told, ", ")
	switch {
	case slices.Contains(told, s.node.Boot.MAC):
		f.Verdict = Pass
	case len(told) < len(s.bmc.Ports) || len(told) == 0:
		f.Verdict, f.Got = NotApplicable, "the BMC doesn't tell all MACs"
	}
	return f
}

func (s subject) disk() Finding {
	f := Finding{Requirement: Identity, Verdict: Fail, Want: "a disk with " + s.node.Disk.String(), Where: "Storage Drives"}
	told := 0
	var got []string
	for _, d := range s.bmc.Drives {
		if isDisk(s.node.Disk, d) {
			f.Verdict, f.Got = Pass, fmt.Sprintf("%s, %s, %.0f GB", d.Name, d.Model, float64(d.Bytes)/1e9)
			return f
		}
		name := d.Serial
		if s.node.Disk.WWN != "" {
			name = d.WWN
		}
		if name != "" {
			told++
			got = append(got, name)
		}
	}
	f.Got = strings.Join(got, ", ")
	if told == 0 || told < len(s.bmc.Drives) {
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
