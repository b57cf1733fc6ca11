package bios_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

func wanted(smt, sriov, iommu bool) inventory.BIOS {
	return inventory.BIOS{SMT: &smt, SRIOV: &sriov, IOMMU: &iommu}
}

func TestDiff(t *testing.T) {
	all := wanted(true, true, true)
	for _, c := range []struct {
		name   string
		want   inventory.BIOS
		have   facts.BMC
		change map[string]any
		err    string
	}{
		{"dell", all, facts.BMC{Vendor: "Dell", BIOS: map[string]any{"LogicalProc": "Disabled", "SriovGlobalEnable": "Disabled", "ProcVirtualization": "Enabled"}},
			map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Enabled"}, ""},
		{"dell with the change pending", all, facts.BMC{Vendor: "Dell Inc.", BIOS: map[string]any{"LogicalProc": "Disabled", "SriovGlobalEnable": "Enabled", "ProcVirtualization": "Enabled"},
			PendingBIOS: map[string]any{"LogicalProc": "Enabled"}}, map[string]any{"LogicalProc": "Enabled"}, ""},
		{"dell that would lose it", all, facts.BMC{Vendor: "Dell", BIOS: map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Enabled", "ProcVirtualization": "Enabled"},
			PendingBIOS: map[string]any{"LogicalProc": "Disabled"}}, map[string]any{"LogicalProc": "Enabled"}, ""},
		{"hpe intel", all, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcHyperthreading": "Enabled", "Sriov": "Disabled", "IntelProcVtd": "Enabled", "ProcVirtualization": "Disabled"}},
			map[string]any{"Sriov": "Enabled"}, ""},
		{"hpe amd", all, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": "Disabled", "Sriov": "Enabled", "ProcAmdIoVt": "Disabled"}},
			map[string]any{"ProcSMT": "Enabled", "ProcAmdIoVt": "Enabled"}, ""},
		{"lenovo", all, facts.BMC{Vendor: "Lenovo", BIOS: map[string]any{"Processors_HyperThreading": "Disabled", "DevicesandIOPorts_SRIOV": "Enabled", "DevicesandIOPorts_IntelVTforDirectedIOVTd": "Enabled"}},
			map[string]any{"Processors_HyperThreading": "Enabled"}, ""},
		{"supermicro", wanted(false, true, true), facts.BMC{Vendor: "Supermicro", BIOS: map[string]any{"Hyper_Threading_ALL__F27F": "Enable", "SR_IOVSupport_0047": "Enabled", "IntelVTforDirectedI_O_VT_d__1E32": "Disable"}},
			map[string]any{"Hyper_Threading_ALL__F27F": "Disable", "IntelVTforDirectedI_O_VT_d__1E32": "Enable"}, ""},
		{"the name says the opposite", wanted(true, true, true), facts.BMC{Vendor: "AMI", BIOS: map[string]any{"ProcessorHyperThreadingDisable": "Disabled", "SriovSupport": "Enabled", "VTdSupport": "Enable"}},
			map[string]any{"ProcessorHyperThreadingDisable": "Enabled"}, ""},
		{"nothing wanted", inventory.BIOS{}, facts.BMC{Vendor: "Unheard"}, map[string]any{}, ""},
		{"unknown vendor", all, facts.BMC{Vendor: "Unheard", BIOS: map[string]any{"LogicalProc": "Disabled"}}, map[string]any{}, `no attribute is known for vendor "Unheard"`},
		{"no attributes", all, facts.BMC{Vendor: "Dell", Model: "R1"}, map[string]any{}, "the BMC of this Dell R1 tells no BIOS attributes"},
		{"attribute absent", all, facts.BMC{Vendor: "Lenovo", Model: "V3", BIOS: map[string]any{"DevicesandIOPorts_SRIOV": "Enabled"}}, map[string]any{}, "bios.smt: Lenovo V3 has none of the attributes known for it"},
		{"strange value", all, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": "Maybe", "Sriov": "Enabled", "ProcAmdIoVt": "Enabled"}}, map[string]any{}, "is Maybe, which is neither Disabled nor Enabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := bios.Diff(c.want, c.have)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.change, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
