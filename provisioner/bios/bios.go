// Package bios turns neutral firmware settings into the attributes of one
// vendor. Vendors name and value the same switch differently; what is known is
// in one table, and what is not known is refused, never guessed.
package bios

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// setting is one neutral switch.
type setting string

const (
	smt   setting = "smt"
	sriov setting = "sriov"
	iommu setting = "iommu"
)

// attribute is one way to name and value a switch.
type attribute struct {
	setting setting
	vendors []string // prefixes of facts.BMC.Vendor, in lower case
	name    string   // whole attribute name, a regular expression
	on, off any
}

// attributes is the table. The first line that fits the vendor, and whose
// name the firmware has, is taken.
//
// Sources: attributes and registries of PowerEdge R750 (iDRAC9), ProLiant
// DL365 Gen10 Plus (iLO 5, AMD), DL380a Gen11 (iLO 6, Intel), ThinkSystem SR670
// V2 (XCC), SYS-821GE (X13); Supermicro's names end in a number that changes
// from board to board.
func attributes() []attribute {
	dell, hpe := []string{"dell", "ra2 lab"}, []string{"hpe", "hewlett"}
	lenovo, supermicro := []string{"lenovo"}, []string{"supermicro", "super micro"}
	cisco, ami := []string{"cisco"}, []string{"ami", "american megatrends", "nvidia"}
	const yes, no = "Enabled", "Disabled"
	return []attribute{
		{smt, dell, `LogicalProc`, yes, no},
		{sriov, dell, `SriovGlobalEnable`, yes, no},
		{iommu, dell, `ProcVirtualization`, yes, no}, // VT-x and VT-d in one

		{smt, hpe, `ProcHyperthreading`, yes, no},
		{smt, hpe, `ProcSMT`, yes, no}, // AMD
		{sriov, hpe, `Sriov`, yes, no},
		{iommu, hpe, `IntelProcVtd`, yes, no},
		{iommu, hpe, `ProcAmdIoVt`, yes, no},
		{iommu, hpe, `ProcVirtualization`, yes, no}, // where iLO 7 has no IntelProcVtd

		{smt, lenovo, `Processors_HyperThreading`, yes, no},
		{sriov, lenovo, `DevicesandIOPorts_SRIOV`, yes, no},
		{iommu, lenovo, `DevicesandIOPorts_IntelVTforDirectedIOVTd`, yes, no},

		{smt, supermicro, `Hyper_Threading_ALL_(_[0-9A-F]{4})?`, "Enable", "Disable"},
		{sriov, supermicro, `SR_IOVSupport(_[0-9A-F]{4})?`, yes, no},
		{iommu, supermicro, `IntelVTforDirectedI_O_VT_d_(_[0-9A-F]{4})?`, "Enable", "Disable"},

		{smt, cisco, `IntelHyperThread`, yes, no},
		{smt, cisco, `CbsCpuSmtCtrl`, yes, no},
		{sriov, cisco, `SrIov`, yes, no},
		{iommu, cisco, `IntelVTD`, yes, no},

		// The name says the opposite of what the value means (display name:
		// "Hyper-Threading [ALL]").
		{smt, ami, `ProcessorHyperThreadingDisable`, yes, no},
		{sriov, ami, `SriovSupport`, yes, no},
		{iommu, ami, `VTdSupport`, "Enable", "Disable"},
	}
}

// Diff returns the vendor attributes to write, so that the firmware is as
// wanted after the next POST: what is neither so now nor would stay so. The
// error names each wanted setting for which this firmware has no known attribute.
func Diff(want inventory.BIOS, have facts.BMC) (map[string]any, error) {
	out := map[string]any{}
	var errs []error
	for _, w := range []struct {
		setting setting
		on      *bool
	}{{smt, want.SMT}, {sriov, want.SRIOV}, {iommu, want.IOMMU}} {
		if w.on == nil {
			continue
		}
		name, a, err := find(w.setting, have)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		value := a.off
		if *w.on {
			value = a.on
		}
		pending, waits := have.PendingBIOS[name]
		if have.BIOS[name] != value || waits && pending != value {
			out[name] = value
		}
	}
	return out, errors.Join(errs...)
}

// find returns the attribute of a setting on this firmware.
func find(s setting, have facts.BMC) (string, attribute, error) {
	vendor := strings.ToLower(have.Vendor)
	known := false
	for _, a := range attributes() {
		if a.setting != s || !slices.ContainsFunc(a.vendors, func(v string) bool { return strings.HasPrefix(vendor, v) }) {
			continue
		}
		known = true
		pattern := regexp.MustCompile("^(" + a.name + ")$")
		for _, name := range slices.Sorted(maps.Keys(have.BIOS)) {
			if !pattern.MatchString(name) {
				continue
			}
			if got := have.BIOS[name]; got != a.on && got != a.off {
				return "", attribute{}, fmt.Errorf("bios.%s: attribute %s of %s %s is %v, which is neither %v nor %v; set it by hand and remove bios.%s from the class",
					s, name, have.Vendor, have.Model, got, a.on, a.off, s)
			}
			return name, a, nil
		}
	}
	switch {
	case have.BIOS == nil:
		return "", attribute{}, fmt.Errorf("bios.%s: the BMC of this %s %s tells no BIOS attributes; set it by hand and remove bios.%s from the class", s, have.Vendor, have.Model, s)
	case !known:
		return "", attribute{}, fmt.Errorf("bios.%s: no attribute is known for vendor %q; set it by hand and remove bios.%s from the class", s, have.Vendor, s)
	}
	return "", attribute{}, fmt.Errorf("bios.%s: %s %s has none of the attributes known for it; set it by hand and remove bios.%s from the class", s, have.Vendor, have.Model, s)
}
