package report

import (
	"fmt"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Plan returns the plan for people: a glyph for the risk of each step, what
// would be erased by model and serial, and what can't be planned yet.
func Plan(p step.Plan, seen facts.Seen) string {
	if p.Empty() {
		return "Nothing to do: everything is as the inventory wants it.\n"
	}
	var b strings.Builder
	erases := 0
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %-22s %s\n", s.Do.Risk(), s.ID, s.Why)
		if v, ok := s.Do.(step.Install); ok {
			erases++
			fmt.Fprintf(&b, "%26serases %s and no other disk\n", "", disk(v.Disk, seen.Hosts[s.Host].BMC))
			if v.KernelLine != "" {
				fmt.Fprintf(&b, "%26skernel line: %s\n", "", v.KernelLine)
			}
		}
	}
	for _, l := range p.Later {
		fmt.Fprintf(&b, "later: %s\n", l)
	}
	fmt.Fprintf(&b, "\n%s: %s. Disks that are erased: %d.\n", Count(len(p.Steps), "step"), legend, erases)
	return b.String()
}

const legend = "“ ” reads, “~” changes, “!” restarts, “-” erases"

// disk describes the disk that may be erased by what the controller tells of it.
func disk(name string, bmc facts.BMC) string {
	for _, d := range bmc.Drives {
		if strings.EqualFold(name, "serial:"+strings.TrimSpace(d.Serial)) || name == "wwn:"+inventory.NormalWWN(d.WWN) {
			return fmt.Sprintf("%s, serial %s, %d GB", orUnknown(d.Model), orUnknown(strings.TrimSpace(d.Serial)), d.Bytes/1e9)
		}
	}
	return "the disk " + name + " (the controller reports no such disk; the installer looks for it)"
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
