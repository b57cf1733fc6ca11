package bios_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// every is all settings at once.
func every(on bool, numa int, profile, mode string) inventory.BIOS {
	return inventory.BIOS{SMT: &on, SRIOV: &on, IOMMU: &on, Turbo: &on, CStates: &on, NUMAPerSocket: numa, PowerProfile: profile, BootMode: mode}
}

// enumeration is an entry of a registry whose value names are what it shows.
func enumeration(display string, values ...string) facts.Attribute {
	return facts.Attribute{Display: display, Type: "Enumeration", Values: values}
}

// TestVendors: every setting of every vendor both ways, on firmware that has
// its own names. Names and values of Dell, HPE, Lenovo and Supermicro with
// Intel are proven against recorded registries in bmc/redfish.
func TestVendors(t *testing.T) {
	onOff := []string{"Enabled", "Disabled"}
	for _, c := range []struct {
		vendor   string
		have     map[string]any // as it is with everything on
		registry map[string]facts.Attribute
		want     inventory.BIOS
		change   map[string]any
	}{
		{vendor: "Dell Inc.", // AMD
			have: map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Enabled", "ProcVirtualization": "Enabled", "NumaNodesPerSocket": "1",
				"SysProfile": "PerfOptimized", "BootMode": "Uefi", "ProcTurboMode": "Enabled", "ProcCStates": "Enabled"},
			registry: map[string]facts.Attribute{"NumaNodesPerSocket": enumeration("NUMA Nodes Per Socket", "1", "2", "4")},
			want:     every(false, 4, "balanced", "legacy"),
			change: map[string]any{"LogicalProc": "Disabled", "SriovGlobalEnable": "Disabled", "ProcVirtualization": "Disabled", "NumaNodesPerSocket": "4",
				"SysProfile": "PerfPerWattOptimizedDapc", "BootMode": "Bios", "ProcTurboMode": "Disabled", "ProcCStates": "Disabled"}},
		{vendor: "HPE", // Gen12 has no boot mode
			have:     map[string]any{"ProcHyperthreading": "Enabled", "Sriov": "Enabled", "ProcVirtualization": "Enabled", "PowerRegulator": "StaticHighPerf", "ProcTurbo": "Enabled", "EnhancedCStates": "Enabled"},
			registry: map[string]facts.Attribute{"PowerRegulator": enumeration("Power Regulator", "DynamicPowerSavings", "StaticLowPower", "StaticHighPerf", "OsControl")},
			want:     every(false, 0, "balanced", ""),
			change: map[string]any{"ProcHyperthreading": "Disabled", "Sriov": "Disabled", "ProcVirtualization": "Disabled", "PowerRegulator": "DynamicPowerSavings",
				"ProcTurbo": "Disabled", "EnhancedCStates": "Disabled"}},
		{vendor: "Lenovo", // AMD
			have: map[string]any{"Processors_SMTMode": "Auto", "DevicesandIOPorts_SRIOV": "Enabled", "DevicesandIOPorts_IOMMU": "Enabled", "Processors_NUMANodesperSocket": "NPS1",
				"OperatingModes_ChooseOperatingMode": "MaximumPerformance", "BootModes_SystemBootMode": "UEFIMode", "Processors_CorePerformanceBoost": "Enabled", "Processors_GlobalCStateControl": "Enabled"},
			registry: map[string]facts.Attribute{"Processors_SMTMode": enumeration("SMT Mode", "Auto", "Disable")},
			want:     every(false, 2, "balanced", "legacy"),
			change: map[string]any{"Processors_SMTMode": "Disable", "DevicesandIOPorts_SRIOV": "Disabled", "DevicesandIOPorts_IOMMU": "Disabled", "Processors_NUMANodesperSocket": "NPS2",
				"OperatingModes_ChooseOperatingMode": "Efficiency_FavorPerformance", "BootModes_SystemBootMode": "LegacyMode", "Processors_CorePerformanceBoost": "Disabled", "Processors_GlobalCStateControl": "Disabled"}},
		{vendor: "Super Micro Computer", // AMD
			have: map[string]any{"SMTControl_01A2": "Enabled", "SR_IOVSupport_0044": "Enabled", "IOMMU_0022": "Enabled", "NUMANodesPerSocket_0023": "NPS1",
				"PowerTechnology_0001": "Energy Efficient", "BootModeSelect_0050": "UEFI", "CorePerformanceBoost_0003": "Enabled", "GlobalC_stateControl_0004": "Enabled"},
			want: every(false, 4, "performance", "legacy"),
			change: map[string]any{"SMTControl_01A2": "Disabled", "SR_IOVSupport_0044": "Disabled", "IOMMU_0022": "Disabled", "NUMANodesPerSocket_0023": "NPS4",
				"PowerTechnology_0001": "Disable", "BootModeSelect_0050": "LEGACY", "CorePerformanceBoost_0003": "Disabled", "GlobalC_stateControl_0004": "Disabled"}},
		{vendor: "Cisco Systems Inc", // Intel
			have: map[string]any{"IntelHyperThread": "Enabled", "SrIov": "Enabled", "IntelVTD": "Enabled", "IntelVT": "Enabled", "SNC": "Disabled", "CpuEngPerfBias": "Balanced Performance",
				"CPUPerformance": "High Throughput", "IntelTurboBoostTech": "Enabled", "ProcessorC6Report": "Enabled"},
			registry: map[string]facts.Attribute{"SNC": enumeration("SNC", onOff...)},
			want:     every(false, 2, "performance", ""),
			change: map[string]any{"IntelHyperThread": "Disabled", "SrIov": "Disabled", "IntelVTD": "Disabled", "SNC": "Enabled", "CpuEngPerfBias": "Performance",
				"IntelTurboBoostTech": "Disabled", "ProcessorC6Report": "Disabled"}},
		{vendor: "Cisco Systems Inc", // AMD
			have: map[string]any{"CbsCpuSmtCtrl": "Auto", "SrIov": "enabled", "CbsCmnGnbNbIOMMU": "enabled", "CbsDfCmnDramNps": "NPS1", "CbsCmnCpuCpb": "Auto", "CbsCmnCpuGlobalCstateCtrl": "Enabled"},
			registry: map[string]facts.Attribute{"CbsCpuSmtCtrl": enumeration("SMT Mode", "Auto", "Disabled", "Enabled"),
				"CbsCmnCpuCpb": enumeration("Core Performance Boost", "Auto", "Disabled")},
			want: every(false, 2, "", ""),
			change: map[string]any{"CbsCpuSmtCtrl": "Disabled", "SrIov": "disabled", "CbsCmnGnbNbIOMMU": "disabled", "CbsDfCmnDramNps": "NPS2",
				"CbsCmnCpuCpb": "Disabled", "CbsCmnCpuGlobalCstateCtrl": "Disabled"}},
		{vendor: "Huawei",
			have: map[string]any{"ProcessorHyperThreadingDisable": "ALL LPs", "SriovEnablePolicy": "Enabled", "VTdSupport": "Enabled", "SncEn": "Disabled", "CustomPowerPolicy": "Performance",
				"BootType": "UEFIBoot", "TurboMode": "Enabled", "C6Enable": "Enabled"},
			registry: map[string]facts.Attribute{"SncEn": enumeration("SNC", onOff...), "ProcessorHyperThreadingDisable": enumeration("Hyper-Threading [ALL]", "ALL LPs", "Single LP")},
			want:     every(false, 2, "efficient", "legacy"),
			change: map[string]any{"ProcessorHyperThreadingDisable": "Single LP", "SriovEnablePolicy": "Disabled", "VTdSupport": "Disabled", "SncEn": "Enabled", "CustomPowerPolicy": "Efficiency",
				"BootType": "LegacyBoot", "TurboMode": "Disabled", "C6Enable": "Disabled"}},
		{vendor: "xFusion",
			have:   map[string]any{"ProcessorHyperThreadingDisable": "Enabled", "EnableSMMU": "Enabled"},
			want:   func() inventory.BIOS { off := false; return inventory.BIOS{SMT: &off, IOMMU: &off} }(),
			change: map[string]any{"ProcessorHyperThreadingDisable": "Disabled", "EnableSMMU": "Disabled"}},
		{vendor: "FUJITSU", // the legacy part of the firmware is what is switched
			have: map[string]any{"CpuConfig_HyperThreadingEnabled": "Enabled", "PciConfig_SingleRootIOVirtualizationSupportEnabled": "Enabled", "CpuConfig_VtEnabled": true,
				"CpuConfig_EnergyPerformanceMode": "Balanced Performance", "CsmConfig_LaunchCsmEnabled": "Disabled", "CpuConfig_TurboModeEnabled": true, "CpuConfig_C6ReportEnabled": "Enabled"},
			want: every(false, 0, "efficient", "legacy"),
			change: map[string]any{"CpuConfig_HyperThreadingEnabled": "Disabled", "PciConfig_SingleRootIOVirtualizationSupportEnabled": "Disabled", "CpuConfig_VtEnabled": false,
				"CpuConfig_EnergyPerformanceMode": "Energy Efficient", "CsmConfig_LaunchCsmEnabled": "Enabled", "CpuConfig_TurboModeEnabled": false, "CpuConfig_C6ReportEnabled": "Disabled"}},
		{vendor: "NVIDIA", // DGX: the name says the opposite of what the value means
			have:     map[string]any{"ProcessorHyperThreadingDisable": "Enabled", "SriovSupport": "Enabled", "SRIOVEnable": "Enable", "VTdSupport": "Enable", "TurboMode": "Enable", "ProcessorC6Report": "Enable"},
			registry: map[string]facts.Attribute{"ProcessorHyperThreadingDisable": enumeration("Hyper-Threading [ALL]", onOff...)},
			want:     every(false, 0, "", ""),
			change: map[string]any{"ProcessorHyperThreadingDisable": "Disabled", "SriovSupport": "Disabled", "VTdSupport": "Disable", "TurboMode": "Disable",
				"ProcessorC6Report": "Disable"}},
		{vendor: "GIGABYTE", // opaque names, and values that begin with them
			have: map[string]any{"Rome0059": "Rome0059Auto", "PCIS007": "PCIS007Enabled", "Rome0162": "Rome0162Auto", "Rome0075": "Rome0075Auto", "Rome0190": "Rome0190Auto", "FBO001": "UEFI", "Rome0001": "Rome0001Auto"},
			registry: map[string]facts.Attribute{
				"Rome0059": {Display: "SMT Control", Values: []string{"Rome0059Disabled", "Rome0059Auto"}, Labels: []string{"Disable", "Auto"}},
				"PCIS007":  {Display: "SR-IOV Support", Values: []string{"PCIS007Disabled", "PCIS007Enabled"}, Labels: []string{"Disabled", "Enabled"}},
				"Rome0162": {Display: "IOMMU", Values: []string{"Rome0162Disabled", "Rome0162Enabled", "Rome0162Auto"}, Labels: []string{"Disabled", "Enabled", "Auto"}},
				"Rome0075": {Display: "NUMA nodes per socket", Values: []string{"Rome0075NPS1", "Rome0075NPS4", "Rome0075Auto"}, Labels: []string{"NPS1", "NPS4", "Auto"}},
				"Rome0001": {Display: "Core Performance Boost", Values: []string{"Rome0001Disabled", "Rome0001Auto"}, Labels: []string{"Disabled", "Auto"}},
				"Rome0190": {Display: "Global C-state Control", Values: []string{"Rome0190Disabled", "Rome0190Auto"}, Labels: []string{"Disabled", "Auto"}},
				"FBO001":   enumeration("Boot mode select", "LEGACY", "UEFI", "DUAL"),
			},
			want: every(false, 4, "", "legacy"),
			change: map[string]any{"Rome0059": "Rome0059Disabled", "PCIS007": "PCIS007Disabled", "Rome0162": "Rome0162Disabled", "Rome0075": "Rome0075NPS4",
				"Rome0190": "Rome0190Disabled", "FBO001": "LEGACY", "Rome0001": "Rome0001Disabled"}},
		{vendor: "GIGABYTE", // without a registry
			have: map[string]any{"Rome0059": "Disabled", "PCIS007": "Enabled", "Rome0162": "Enabled"},
			want: func() inventory.BIOS {
				on, off := true, false
				return inventory.BIOS{SMT: &on, SRIOV: &off, IOMMU: &on}
			}(),
			change: map[string]any{"Rome0059": "Auto", "PCIS007": "Disabled"}},
		{vendor: "Intel Corporation", // values are numbers, and only the registry knows what they mean
			have: map[string]any{"ProcessorHyperThreadingDisable": 0.0, "SRIOVEnable": 1.0, "VTdSupport": 1.0},
			registry: map[string]facts.Attribute{
				"ProcessorHyperThreadingDisable": {Display: "Intel(R) Hyper-Threading Technology", Values: []string{"0", "1"}, Labels: []string{"Enabled", "Disabled"}},
				"SRIOVEnable":                    {Display: "SR-IOV", Values: []string{"0", "1"}, Labels: []string{"Disabled", "Enabled"}},
				"VTdSupport":                     {Display: "Intel(R) VT for Directed I/O", Values: []string{"0", "1"}, Labels: []string{"Disabled", "Enabled"}},
			},
			want:   func() inventory.BIOS { off := false; return inventory.BIOS{SMT: &off, SRIOV: &off, IOMMU: &off} }(),
			change: map[string]any{"ProcessorHyperThreadingDisable": 1.0, "SRIOVEnable": 0.0, "VTdSupport": 0.0}},
		{vendor: "ASRockRack",
			have: map[string]any{"SETUP006": "Enabled", "SETUP010": "Disabled"},
			registry: map[string]facts.Attribute{"SETUP006": enumeration("SR-IOV Support", onOff...), "SETUP010": enumeration("Hyper-Threading [ALL]", onOff...),
				"SETUP011": enumeration("SMT Mode", onOff...)}, // in the registry only
			want:   func() inventory.BIOS { on := true; return inventory.BIOS{SMT: &on, SRIOV: &on} }(),
			change: map[string]any{"SETUP010": "Enabled"}},
		{vendor: "Unheard", // what is shown to people is enough
			have:     map[string]any{"X1": true},
			registry: map[string]facts.Attribute{"X1": {Display: "SR-IOV Support", Type: "Boolean"}},
			want:     func() inventory.BIOS { off := false; return inventory.BIOS{SRIOV: &off} }(),
			change:   map[string]any{"X1": false}},
	} {
		t.Run(c.vendor, func(t *testing.T) {
			have := facts.BMC{Vendor: c.vendor, Model: "M", BIOS: c.have, Registry: c.registry}
			got, err := bios.Diff(c.want, have)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.change, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			matters := bios.Wanted(c.want)
			for name := range got {
				if !matters(name, c.registry[name].Display) {
					t.Errorf("%s is written, and its entry of the registry would not have been read", name)
				}
			}
		})
	}
}
