package bmc

// The attributes of each vendor: few, with names, values and display names as
// recorded of real servers (PowerEdge R750, ProLiant DL365 Gen10 Plus and
// DL380a Gen11, SYS-821GE-TNHR, ThinkSystem SR670 V2), or as its attribute
// registry has them. SMT and SR-IOV are off at first.

// plain is a controller by the book, of no vendor.
func plain() personality {
	return personality{
		vendor: vendor, product: "Lab BMC", manufacturer: vendor, firmware: "1.0.0", bios: "1.0.0",
		system: "1", chassis: "1", manager: "1", settings: "Settings", registry: "BiosAttributeRegistry", attributes: plainAttributes(),
		smt: AttrSMT, sriov: AttrSRIOV, applyTimes: []string{"OnReset"}, sessions: 8,
	}
}

// enumeration is an attribute that is one of some words.
func enumeration(name, display, start string, values ...string) attribute {
	return attribute{name: name, kind: "Enumeration", display: display, values: values, start: start}
}

// toggle is an enumeration of two words, the first of which is on; it is off.
func toggle(name, display, on, off string) attribute {
	return attribute{name: name, kind: "Enumeration", display: display, values: []string{on, off}, start: off, on: on}
}

// switchedOn is an attribute that is on.
func switchedOn(a attribute) attribute {
	a.start = a.on
	return a
}

func plainAttributes() []attribute {
	smt, sriov := toggle(AttrSMT, "Logical Processor", Enabled, Disabled), toggle(AttrSRIOV, "SR-IOV Global Enable", Enabled, Disabled)
	smt.help = "Each core supports up to two logical processors when enabled."
	sriov.help = "Configures BIOS for Single Root I/O Virtualization devices."
	vt := switchedOn(toggle(AttrVT, "Virtualization Technology", Enabled, Disabled))
	vt.help = "Virtualization, with Directed I/O."
	return []attribute{
		smt, sriov, vt,
		enumeration("SysProfile", "System Profile", "PerfPerWattOptimizedDapc", "PerfPerWattOptimizedDapc", "PerfOptimized", "Custom"),
		enumeration("BootMode", "Boot Mode", "Uefi", "Uefi", "Bios"),
		{name: "AssetTag", kind: "String", display: "Asset Tag", start: ""},
		{name: "AcPwrRcvryUserDelay", kind: "Integer", display: "User Defined Delay (60s to 600s)", start: number("60")},
		{name: "SystemBiosVersion", kind: "String", display: "System BIOS Version", readOnly: true, start: "1.0.0"},
	}
}

// personalities are all vendors.
func personalities() []personality {
	return []personality{idrac9(), idrac10(), ilo5(), ilo6(), supermicro(), xcc(), openbmc()}
}

// idrac is what iDRACs have in common: jobs that are deleted soon, one change
// at a time, and the service tag as SKU.
func idrac() personality {
	cstates := switchedOn(toggle("ProcCStates", "C States", Enabled, Disabled))
	cstates.needs, cstates.needsValue = "SysProfile", "Custom"
	return personality{
		vendor: "Dell", oem: "Dell", product: "Integrated Dell Remote Access Controller", manufacturer: "Dell Inc.",
		system: "System.Embedded.1", chassis: "System.Embedded.1", manager: "iDRAC.Embedded.1",
		settings: "Settings", tasks: root + "/Managers/iDRAC.Embedded.1/Oem/Dell/Jobs", registry: "BiosAttributeRegistry.v1_0_3",
		attributes: append(plainAttributes(), cstates),
		smt:        AttrSMT, sriov: AttrSRIOV, applyTimes: []string{"OnReset", "AtMaintenanceWindowStart", "InMaintenanceWindowOnReset"},
		sessions: 8, boardSerial: "CNIVC00",
		habits: habits{modeRestarts: true, commitsOnce: true},
	}
}

func idrac9() personality {
	p := idrac()
	p.name, p.model, p.firmware, p.bios = "dell-idrac9", "PowerEdge R750", "6.00.30.00", "1.8.2"
	p.habits.mbitPorts = true
	return p
}

func idrac10() personality {
	p := idrac()
	p.name, p.model, p.firmware, p.bios = "dell-idrac10", "PowerEdge R770", "1.20.25.00", "1.2.6"
	p.habits.powerConflict = true
	return p
}

// ilo is what iLOs have in common: weak tags, and settings that are refused in
// POST.
func ilo() personality {
	return personality{
		vendor: "HPE", oem: "Hpe", manufacturer: "HPE", system: "1", chassis: "1", manager: "1", settings: "settings",
		targets: []string{TargetNone, TargetCd, TargetHdd, TargetPxe, TargetUefiHttp}, sessions: 12,
		habits: habits{weakTags: true, busyInPOST: true, noSlots: true},
	}
}

func ilo5() personality {
	p := ilo()
	p.name, p.product, p.model, p.firmware, p.bios = "hpe-ilo5", "ProLiant DL365 Gen10 Plus", "ProLiant DL365 Gen10 Plus", "iLO 5 v3.14", "A42 v3.72 (05/16/2025)"
	p.registry, p.smt, p.sriov = "BiosAttributeRegistryA42.v1_3_72", "ProcSMT", "Sriov"
	p.attributes = []attribute{
		toggle("ProcSMT", "AMD SMT Option", Enabled, Disabled), toggle("Sriov", "SR-IOV", Enabled, Disabled),
		switchedOn(toggle("ProcAmdIoVt", "AMD I/O Virtualization Technology", Enabled, Disabled)),
		enumeration("WorkloadProfile", "Workload Profile", "GeneralPowerEfficientCompute", "GeneralPowerEfficientCompute", "VirtualizationMaxPerformance", "Custom"),
		enumeration("BootMode", "Boot Mode", "Uefi", "Uefi", "LegacyBios"),
	}
	p.habits.mbitPorts = true
	return p
}

func ilo6() personality {
	p := ilo()
	p.name, p.product, p.model, p.firmware, p.bios = "hpe-ilo6", "ProLiant DL380a Gen11", "ProLiant DL380a Gen11", "iLO 6 v1.66", "U58 v2.44 (01/17/2025)"
	p.registry, p.smt, p.sriov = "BiosAttributeRegistryU58.v1_2_44", "ProcHyperthreading", "Sriov"
	p.attributes = []attribute{
		toggle("ProcHyperthreading", "Intel(R) Hyper-Threading", Enabled, Disabled), toggle("Sriov", "SR-IOV", Enabled, Disabled),
		switchedOn(toggle("IntelProcVtd", "Intel(R) VT-d", Enabled, Disabled)),
		enumeration("WorkloadProfile", "Workload Profile", "GeneralPowerEfficientCompute", "GeneralPowerEfficientCompute", "VirtualizationMaxPerformance", "Custom"),
		enumeration("BootMode", "Boot Mode", "Uefi", "Uefi", "LegacyBios"),
	}
	return p
}

// supermicro has no Vendor in its service root, tags that must be sent, and
// attribute names with a number that changes from board to board.
func supermicro() personality {
	return personality{
		name: "supermicro-x13", oem: "Supermicro", manufacturer: "Supermicro", model: "SYS-821GE-TNHR", firmware: "11.01.01", bios: "1.4",
		system: "1", chassis: "1", manager: "1", settings: "SD", registry: "BiosAttributeRegistry.v1_0_0",
		attributes: []attribute{
			toggle("Hyper_Threading_ALL__F27F", "Hyper-Threading [ALL]", "Enable", "Disable"), toggle("SR_IOVSupport_0047", "SR-IOV Support", Enabled, Disabled),
			switchedOn(toggle("IntelVTforDirectedI_O_VT_d__1E32", "Intel VT for Directed I/O (VT-d)", "Enable", "Disable")),
			enumeration("PowerTechnology_FF77", "Power Technology", "Energy Efficient", "Disable", "Energy Efficient", "Custom"),
		},
		smt: "Hyper_Threading_ALL__F27F", sriov: "SR_IOVSupport_0047", sessions: 16,
		targets: []string{TargetNone, TargetPxe, TargetHdd, TargetCd, "UsbCd", TargetUefiHttp},
		habits:  habits{mustMatch: true, enabledFalls: true, flat: true},
	}
}

func xcc() personality {
	return personality{
		name: "lenovo-xcc", vendor: "Lenovo", oem: "Lenovo", product: "Lenovo XClarity Controller", manufacturer: "Lenovo", model: "ThinkSystem SR670 V2",
		firmware: "TGBT42S 2.83 2023-07-05", bios: "U8E122J", system: "1", chassis: "1", manager: "1", settings: "Pending", registry: "BiosAttributeRegistry.1.0.0",
		attributes: []attribute{
			toggle("Processors_HyperThreading", "Hyper-Threading", Enabled, Disabled), toggle("DevicesandIOPorts_SRIOV", "SR-IOV", Enabled, Disabled),
			switchedOn(toggle("DevicesandIOPorts_IntelVTforDirectedIOVTd", "Intel VT for Directed I/O (VT-d)", Enabled, Disabled)),
			enumeration("OperatingModes_ChooseOperatingMode", "Choose Operating Mode", "Efficiency_FavorPerformance", "MaximumPerformance", "Efficiency_FavorPerformance", "CustomMode"),
			enumeration("BootModes_SystemBootMode", "System Boot Mode", "UEFIMode", "UEFIMode", "LegacyMode"),
		},
		smt: "Processors_HyperThreading", sriov: "DevicesandIOPorts_SRIOV", applyTimes: []string{"OnReset"}, sessions: 16,
	}
}

// openbmc has booleans and opaque names; only the display names tell what they
// are. It was built without basic authentication.
func openbmc() personality {
	truth := func(name, display string, now bool) attribute {
		return attribute{name: name, kind: "Boolean", display: display, start: now, on: true}
	}
	return personality{
		name: "openbmc", vendor: "OpenBMC", product: "OpenBMC", manufacturer: "Quanta", model: "S6Q", firmware: "2.17.0-dev", bios: "0ACRH1",
		system: "system", chassis: "S6Q_Baseboard", manager: "bmc", settings: "Settings", registry: "BiosAttributeRegistry",
		attributes: []attribute{
			truth("CPUS001", "SMT Control", false), truth("PCIS007", "SR-IOV Support", false), truth("NBIO162", "IOMMU", true),
			{name: "WDT003", kind: "Integer", display: "Watchdog Timeout", start: number("10")},
		},
		smt: "CPUS001", sriov: "PCIS007", applyTimes: []string{"OnReset"}, sessions: 64,
		habits: habits{noBasic: true, noSlots: true},
	}
}
