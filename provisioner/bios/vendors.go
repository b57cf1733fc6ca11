package bios

// dell is PowerEdge: attributes and registry of an R750 (iDRAC9 6.00), and the
// AMD servers of the same generation. Its profiles know no word for
// "efficient". The lab's machines have the same names.
func dell() []line {
	v := []string{"dell", "ra2 lab"}
	return []line{
		{SMT, v, `LogicalProc`, "", onOff()},
		{SRIOV, v, `SriovGlobalEnable`, "", onOff()},
		{IOMMU, v, `ProcVirtualization`, "", onOff()}, // VT-x and VT-d in one
		{IOMMU, v, `IommuSupport`, "", onOff()},       // AMD
		{NUMAPerSocket, v, `SubNumaCluster`, "", values{one: {"Disabled"}, two: {"2-Way"}, four: {"4-Way"}}},
		{NUMAPerSocket, v, `NumaNodesPerSocket`, "", nps()}, // AMD
		{PowerProfile, v, `SysProfile`, "", values{
			performance: {"PerfOptimized"},
			balanced:    {"PerfPerWattOptimizedDapc", "PerfPerWattOptimizedOs"},
		}},
		{BootMode, v, `BootMode`, "", values{uefi: {"Uefi"}, legacy: {"Bios"}}},
		{Turbo, v, `ProcTurboMode`, "", onOff()},
		{CStates, v, `ProcCStates`, "", spelled(nil, onOff(), values{enabled: {"Autonomous"}})},
	}
}

// hpe is ProLiant: attributes and registries of a DL380a Gen11 (iLO 6, Intel)
// and a DL365 Gen10 Plus (iLO 5, AMD). The power regulator is what
// WorkloadProfile sets beside many other things; it is the narrower switch.
func hpe() []line {
	v := []string{"hpe", "hewlett"}
	return []line{
		{SMT, v, `ProcHyperthreading`, "", onOff()},
		{SMT, v, `ProcSMT`, "", onOff()}, // AMD
		{SRIOV, v, `Sriov`, "", onOff()},
		{IOMMU, v, `IntelProcVtd`, "", onOff()},
		{IOMMU, v, `ProcAmdIoVt`, "", onOff()},
		{IOMMU, v, `ProcVirtualization`, "", onOff()}, // where iLO 7 has no IntelProcVtd
		{NUMAPerSocket, v, `SubNumaClustering`, "", values{
			one: {"Disabled", "Disabled"}, two: {"EnableSnc2", "Enabled"}, four: {"EnableSnc4"},
		}},
		{NUMAPerSocket, v, `NumaMemoryDomainsPerSocket`, "", values{
			one: {"OneMemoryDomainPerSocket"}, two: {"TwoMemoryDomainsPerSocket"}, four: {"FourMemoryDomainsPerSocket"},
		}},
		{PowerProfile, v, `PowerRegulator`, "", values{
			performance: {"StaticHighPerf", "StaticHighPerf"},
			balanced:    {"DynamicPowerSavings", "OsControl"}, // AMD has OsControl only
			efficient:   {"StaticLowPower"},
		}},
		{BootMode, v, `BootMode`, "", values{uefi: {"Uefi"}, legacy: {"LegacyBios"}}},
		{Turbo, v, `ProcTurbo`, "", onOff()},
		{Turbo, v, `ProcAMDBoost`, "", onOff()},
		{CStates, v, `MinProcIdlePower`, "", values{enabled: {"C6", "C6WithoutC1E"}, disabled: {"NoCStates", "NoCStates"}}},
		{CStates, v, `EnhancedCStates`, "", onOff()}, // Gen12
	}
}

// lenovo is ThinkSystem: attributes and registry of an SR670 V2 (XCC, Intel).
// C-states "Legacy" leaves the choice of the idle state to the operating system.
func lenovo() []line {
	v := []string{"lenovo"}
	return []line{
		{SMT, v, `Processors_HyperThreading`, "", onOff()},
		{SMT, v, `Processors_SMTMode`, "", autoIsOn()}, // AMD
		{SRIOV, v, `DevicesandIOPorts_SRIOV`, "", onOff()},
		{IOMMU, v, `DevicesandIOPorts_IntelVTforDirectedIOVTd`, "", onOff()},
		{IOMMU, v, `DevicesandIOPorts_IOMMU`, "", onOff()}, // AMD
		{NUMAPerSocket, v, `Processors_SNC`, "", values{
			one: {"Disabled", "Disabled", "Disabled"}, two: {"Enabled", "SNC2", "Enable SNC2"}, four: {"SNC4", "SNC4", "Enable SNC4"},
		}},
		{NUMAPerSocket, v, `Processors_NUMANodesperSocket`, "", nps()}, // AMD
		{PowerProfile, v, `OperatingModes_ChooseOperatingMode`, "", values{
			performance: {"MaximumPerformance"},
			balanced:    {"Efficiency_FavorPerformance"},
			efficient:   {"Efficiency_FavorPower", "MinimalPower", "MaximumEfficiency"},
		}},
		{BootMode, v, `BootModes_SystemBootMode`, "", values{uefi: {"UEFIMode"}, legacy: {"LegacyMode"}}},
		{Turbo, v, `Processors_TurboMode`, "", onOff()},
		{Turbo, v, `Processors_CorePerformanceBoost`, "", autoIsOn()}, // AMD
		{CStates, v, `Processors_CStates`, "", values{enabled: {"Legacy", "Autonomous", "Enabled"}, disabled: {"Disabled", "Disabled", "Disabled"}}},
		{CStates, v, `Processors_GlobalCStateControl`, "", autoIsOn()}, // AMD
	}
}

// supermicro is X13: attributes and registry of a SYS-821GE-TNHR. Names end in
// a number that changes from board to board, and the values are the display
// names of the registry, not its value names.
func supermicro() []line {
	v := []string{"supermicro", "super micro"}
	const suffix = `(_[0-9A-F]{4})?`
	return []line{
		{SMT, v, `Hyper_Threading_ALL_` + suffix, "", onOff()},
		{SMT, v, `SMTControl` + suffix, "", autoIsOn()}, // AMD
		{SRIOV, v, `SR_IOVSupport` + suffix, "", onOff()},
		{IOMMU, v, `IntelVTforDirectedI_O_VT_d_` + suffix, "", onOff()},
		{IOMMU, v, `IOMMU` + suffix, "", onOff()}, // AMD
		{NUMAPerSocket, v, `SNC` + suffix, "", snc()},
		{NUMAPerSocket, v, `NUMANodesPerSocket` + suffix, "", nps()}, // AMD
		{PowerProfile, v, `PowerTechnology` + suffix, "", values{ // "enable processor power management"
			performance: {"Disable"}, efficient: {"Energy Efficient"},
		}},
		{BootMode, v, `BootModeSelect` + suffix, "", values{uefi: {"UEFI"}, legacy: {"Legacy"}}},
		{Turbo, v, `TurboMode` + suffix, "", onOff()},
		{Turbo, v, `CorePerformanceBoost` + suffix, "", autoIsOn()}, // AMD
		{CStates, v, `CPUC6Report` + suffix, "", autoIsOn()},
		{CStates, v, `GlobalC_stateControl` + suffix, "", autoIsOn()}, // AMD
	}
}

// cisco is CIMC: attributes of C-series servers (Intel M4 and M5, AMD M6).
// CPUPerformance sets prefetchers and is no power profile.
func cisco() []line {
	v := []string{"cisco"}
	return []line{
		{SMT, v, `IntelHyperThread`, "", onOff()},
		{SMT, v, `CbsCpuSmtCtrl`, "", autoIsOn()},
		{SRIOV, v, `SrIov`, "", onOff()},
		{IOMMU, v, `IntelVTD`, "", onOff()},
		{IOMMU, v, `CbsCmnGnbNbIOMMU`, "", onOff()},
		{NUMAPerSocket, v, `SNC`, "", values{one: {"Disabled", "Disabled"}, two: {"Enabled", "SNC2"}, four: {"SNC4", "SNC4"}}},
		{NUMAPerSocket, v, `CbsDfCmnDramNps`, "", nps()},
		{PowerProfile, v, `CpuEngPerfBias`, "", bias()},
		{Turbo, v, `IntelTurboBoostTech`, "", onOff()},
		{Turbo, v, `CbsCmnCpuCpb`, "", autoIsOn()},
		{CStates, v, `ProcessorC6Report`, "", onOff()},
		{CStates, v, `CbsCmnCpuGlobalCstateCtrl`, "", autoIsOn()},
	}
}

// huawei is iBMC of Huawei and xFusion. The hyper-threading attribute lists
// which logical processors there are.
func huawei() []line {
	v := []string{"huawei", "xfusion"}
	return []line{
		{SMT, v, `ProcessorHyperThreadingDisable`, `(?:.*hyperthreading.*)?`, spelled(map[string]string{enabled: "ALL LPs", disabled: "Single LP"}, onOff())},
		{SRIOV, v, `SriovEnablePolicy`, "", onOff()},
		{IOMMU, v, `VTdSupport`, "", onOff()},
		{IOMMU, v, `EnableSMMU`, "", onOff()}, // Kunpeng
		{NUMAPerSocket, v, `SncEn`, "", values{one: {"Disabled", "Disabled"}, two: {"Enabled", "SNC2"}, four: {"SNC4", "SNC4"}}},
		{PowerProfile, v, `CustomPowerPolicy`, "", values{performance: {"Performance"}, balanced: {"Load Balance"}, efficient: {"Efficiency"}}},
		{BootMode, v, `BootType`, "", values{uefi: {"UEFIBoot"}, legacy: {"LegacyBoot"}}},
		{Turbo, v, `TurboMode`, "", onOff()},
		{CStates, v, `C6Enable`, "", autoIsOn()},
	}
}

// fujitsu is iRMC: the names of its own configuration profile.
func fujitsu() []line {
	v := []string{"fujitsu", "fsas"}
	return []line{
		{SMT, v, `CpuConfig_HyperThreadingEnabled`, "", onOff()},
		{SRIOV, v, `PciConfig_SingleRootIOVirtualizationSupportEnabled`, "", onOff()},
		{IOMMU, v, `CpuConfig_VtdEnabled`, "", onOff()},
		{IOMMU, v, `CpuConfig_VtEnabled`, "", onOff()}, // VT-x and VT-d in one
		{PowerProfile, v, `CpuConfig_EnergyPerformanceMode`, "", bias()},
		{BootMode, v, `CsmConfig_LaunchCsmEnabled`, "", values{ // the legacy part of the firmware
			uefi: {"Disabled", "Disable", "Off", "No", "false"}, legacy: {"Enabled", "Enable", "On", "Yes", "true"},
		}},
		{Turbo, v, `CpuConfig_TurboModeEnabled`, "", onOff()},
		{CStates, v, `CpuConfig_C6ReportEnabled`, "", onOff()},
	}
}

// ami is MegaRAC and what is built on it or beside it: NVIDIA DGX H100, Intel
// S2600, ASRock Rack, Gigabyte. Where names are opaque ("Rome0059"), the
// registry's display names decide (see displayed).
func ami() []line {
	v := []string{"ami", "american megatrends", "nvidia", "intel", "asrock", "gigabyte", "giga computing", "quanta", "openbmc"}
	gigabyte := []string{"gigabyte", "giga computing"}
	return []line{
		// The name says the opposite of what the value means: the display
		// name is "Hyper-Threading [ALL]".
		{SMT, v, `ProcessorHyperThreadingDisable`, `(?:(?:intel)?r?hyperthreading(?:technology)?(?:all)?)?`, spelled(nil, onOff(), values{enabled: {"ALL LPs"}, disabled: {"Single LP"}})},
		// Gigabyte with AMD Rome, whose registry has two values for SMT.
		{SMT, gigabyte, `Rome0059`, `(?:smtcontrol)?`, values{enabled: {"Auto", "Auto", "Enabled"}, disabled: {"Disabled", "Disable"}}},
		{SRIOV, gigabyte, `PCIS007`, `(?:sriovsupport)?`, onOff()},
		{IOMMU, gigabyte, `Rome0162`, `(?:iommu)?`, onOff()},
		{SRIOV, v, `SriovSupport`, "", onOff()},
		{SRIOV, v, `SRIOVEnable`, "", onOff()},
		{SRIOV, v, `SR_IOVSupport`, "", onOff()},
		{IOMMU, v, `VTdSupport`, "", onOff()},
		{NUMAPerSocket, v, `SncEn`, "", snc()},
		{BootMode, v, `BootMode`, "", bootModes()},
		{Turbo, v, `TurboMode`, "", onOff()},
		{CStates, v, `ProcessorC6Report`, "", autoIsOn()},
	}
}

// displayed is for firmware whose attribute names tell nothing, or whose vendor
// is not known: what the registry shows to people, as AMI's, Intel's and AMD's
// reference firmware word it.
func displayed() []line {
	return []line{
		{SMT, nil, "", `(?:intelr?)?hyperthreading(?:technology)?(?:all)?|(?:amd)?smt(?:control|mode|option)?|simultaneousmultithreading(?:smt)?|logicalprocessors?`, autoIsOn()},
		{SRIOV, nil, "", `sriov(?:support|globalenable)?|singlerootiovirtualization(?:support)?`, onOff()},
		{IOMMU, nil, "", `(?:intelr?)?vt(?:fordirectedio)?(?:vt)?d(?:support)?|iommu(?:support)?|amdiovirtualizationtechnology`, onOff()},
		{NUMAPerSocket, nil, "", `numanodespersocket|numamemorydomainspersocket|nodespersocket`, nps()},
		{NUMAPerSocket, nil, "", `snc|subnuma(?:cluster|clustering)?(?:snc)?`, snc()},
		{PowerProfile, nil, "", `energyperformancebias(?:setting)?|energyperfbias|energyperformance(?:mode)?`, bias()},
		{PowerProfile, nil, "", `powertechnology`, values{performance: {"Disable"}, efficient: {"Energy Efficient"}}},
		{BootMode, nil, "", `(?:system)?bootmode(?:select)?`, bootModes()},
		{Turbo, nil, "", `(?:intelr?)?turbo(?:boost)?(?:mode|technology)?|(?:amd)?coreperformanceboost`, autoIsOn()},
		{CStates, nil, "", `globalcstatecontrol|cpuc6report|processorc6report|(?:core)?cstates`, autoIsOn()},
	}
}
