package redfish_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// server is a controller with one system "1" in one chassis "1", and what a
// trap adds to it: path below /redfish/v1 to resource. It was written for
// these tests; each trap is as small as shows the quirk.
func server(add map[string]string) tree {
	t := tree{}
	for path, body := range map[string]string{
		"":           `{"Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"}}`,
		"/systems":   `{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]}`,
		"/chassis":   `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"}]}`,
		"/chassis/1": `{"NetworkAdapters":{"@odata.id":"/redfish/v1/NA"},"PCIeSlots":{"@odata.id":"/redfish/v1/Slots"}}`,
		"/systems/1": `{"SerialNumber":"S1","Processors":{"@odata.id":"/redfish/v1/CPU"},"Memory":{"@odata.id":"/redfish/v1/Mem"},"Storage":{"@odata.id":"/redfish/v1/Sto"},
			"EthernetInterfaces":{"@odata.id":"/redfish/v1/Eth"},"Links":{"Chassis":[{"@odata.id":"/redfish/v1/Chassis/1"}]}}`,
		"/cpu": `{"Members":[]}`, "/mem": `{"Members":[]}`, "/sto": `{"Members":[]}`, "/eth": `{"Members":[]}`, "/na": `{"Members":[]}`,
	} {
		t["/redfish/v1"+path] = []byte(body)
	}
	for path, body := range add {
		t["/redfish/v1"+strings.ToLower(path)] = []byte(body)
	}
	return t
}

// list is a collection whose members stand in the place of their links.
func list(at string, members ...string) string {
	var all []string
	for i, m := range members {
		all = append(all, `{"@odata.id":"/redfish/v1`+at+`/`+string(rune('1'+i))+`",`+strings.TrimPrefix(m, "{"))
	}
	return `{"Members":[` + strings.Join(all, ",") + `]}`
}

// card is a server with one network card and its ports.
func card(adapter string, ports ...string) map[string]string {
	return map[string]string{"/NA": list("/NA", adapter), "/P": list("/P", ports...)}
}

// TestTraps: what real controllers are known to say, and what is concluded.
// Where is told where such a controller was seen.
func TestTraps(t *testing.T) {
	for _, trap := range []struct {
		name, where string
		add         map[string]string
		keys        string // of the facts, as JSON names
		want        string
	}{
		{"a port that is down has speed 0, the card's name knows better", "PowerEdge R750",
			card(`{"Model":"BRCM 2P 25G SFP 57414S OCP NIC","NetworkPorts":{"@odata.id":"/redfish/v1/P"}}`,
				`{"LinkStatus":"Down","CurrentLinkSpeedMbps":0,"AssociatedNetworkAddresses":["E4:3D:1A:13:27:F0"],"SupportedLinkCapabilities":[{"LinkNetworkTechnology":"Ethernet","LinkSpeedMbps":0}]}`),
			"ports", `[{"mac":"e4:3d:1a:13:27:f0","adapter":"BRCM 2P 25G SFP 57414S OCP NIC","speedGbps":25,"linkUp":false,"from":"/redfish/v1/P/1; speed from the card's name \"BRCM 2P 25G SFP 57414S OCP NIC\""}]`},
		{"a port that is up and linked below its ability", "PowerEdge, Ethernet Controller X710",
			card(`{"Model":"Intel(R) Ethernet Controller XXV710 for 25GbE SFP28","NetworkPorts":{"@odata.id":"/redfish/v1/P"}}`,
				`{"LinkStatus":"Up","AssociatedNetworkAddresses":["E4:3D:1A:13:27:F0"],"SupportedLinkCapabilities":[{"LinkSpeedMbps":10000}]}`),
			"ports", `[{"mac":"e4:3d:1a:13:27:f0","adapter":"Intel(R) Ethernet Controller XXV710 for 25GbE SFP28","speedGbps":25,"linkGbps":10,"linkUp":true,"from":"/redfish/v1/P/1; speed from the card's name \"Intel(R) Ethernet Controller XXV710 for 25GbE SFP28\""}]`},
		{"only the link's speed is told: the ability is not", "OpenBMC",
			card(`{"Model":"NIC","Ports":{"@odata.id":"/redfish/v1/P"}}`, `{"LinkStatus":"LinkUp","CurrentSpeedGbps":10,"Ethernet":{"AssociatedMACAddresses":["e4:3d:1a:13:27:f0"]}}`),
			"ports", `[{"mac":"e4:3d:1a:13:27:f0","adapter":"NIC","linkGbps":10,"linkUp":true,"from":"/redfish/v1/P/1"}]`},
		{"CapableLinkSpeedMbps in bit/s, by powers of two", "ThinkSystem SR670 V2",
			card(`{"Model":"N/A","PartNumber":"X","NetworkPorts":{"@odata.id":"/redfish/v1/P"}}`,
				`{"AssociatedNetworkAddresses":["00620B4C284E"],"SupportedLinkCapabilities":[{"CapableLinkSpeedMbps":[1073741824,26843545600]}]}`),
			"ports", `[{"mac":"00:62:0b:4c:28:4e","adapter":"X","speedGbps":25,"from":"/redfish/v1/P/1"}]`},
		{"Gb/s in a port's configuration, Mb/s where Gb/s is the unit", "ProLiant, iLO 5 and 6",
			card(`{"Model":"X","Ports":{"@odata.id":"/redfish/v1/P"}}`,
				`{"LinkStatus":"LinkUp","CurrentSpeedGbps":10000,"LinkConfiguration":[{"CapableLinkSpeedGbps":[1,10,25]}],"Ethernet":{"AssociatedMACAddresses":["00:00:00:00:00:00","84:16:0c:39:a1:e2"]}}`),
			"ports", `[{"mac":"84:16:0c:39:a1:e2","adapter":"X","speedGbps":25,"linkGbps":10,"linkUp":true,"from":"/redfish/v1/P/1"}]`},
		{"Fibre Channel among the adapters, with WWNs as addresses", "ProLiant DL365 Gen10 Plus",
			card(`{"Model":"HPE SN1610Q 32Gb 2p FC HBA","Ports":{"@odata.id":"/redfish/v1/P"}}`, `{"LinkNetworkTechnology":"FibreChannel","Ethernet":{"AssociatedMACAddresses":["51:40:2E:C0:17:37:DE:04"]}}`),
			"ports partial", `null null`},
		{"InfiniBand among the adapters, its address is of no Ethernet port", "PowerEdge R750",
			map[string]string{"/NA": list("/NA", `{"NetworkPorts":{"@odata.id":"/redfish/v1/P"}}`), "/P": list("/P", `{"ActiveLinkTechnology":"InfiniBand","AssociatedNetworkAddresses":["B8:3F:D2:A4:1B:D3"]}`),
				"/Eth": list("/Eth", `{"MACAddress":"B8:3F:D2:A4:1B:D3"}`)},
			"ports", `null`},
		{"a card that tells of no ports, but by its name", "ThinkSystem SR670 V2",
			card(`{"Model":"BlueField-2 DPU 100GbE Dual-Port","Ports":{"@odata.id":"/redfish/v1/P"},"Controllers":[{"ControllerCapabilities":{"NetworkPortCount":-1}}]}`),
			"ports partial", `[{"adapter":"BlueField-2 DPU 100GbE Dual-Port","speedGbps":100,"from":"/redfish/v1/NA/1; it tells of no ports, their number and speed are from the card's name \"BlueField-2 DPU 100GbE Dual-Port\""},{"adapter":"BlueField-2 DPU 100GbE Dual-Port","speedGbps":100,"from":"/redfish/v1/NA/1; it tells of no ports, their number and speed are from the card's name \"BlueField-2 DPU 100GbE Dual-Port\""}] null`},
		{"a card that tells of no ports at all", "AMI MegaRAC",
			card(`{"Name":"Network Adapter"}`), "ports partial", `null ["ports"]`},
		{"no VEPA, and virtual functions all the same", "PowerEdge R750, ConnectX",
			card(`{"Model":"X","Ports":{"@odata.id":"/redfish/v1/P"},"Controllers":[{"ControllerCapabilities":{"VirtualizationOffload":{"SRIOV":{"SRIOVVEPACapable":false},"VirtualFunction":{"NetworkPortMaxCount":127}}}}]}`,
				`{"MaxSpeedGbps":100,"Ethernet":{"AssociatedMACAddresses":["84:16:0c:39:a1:e2"]}}`),
			"ports", `[{"mac":"84:16:0c:39:a1:e2","adapter":"X","speedGbps":100,"sriov":true,"maxVFs":127,"from":"/redfish/v1/P/1"}]`},
		{"address and virtual functions are in the function", "AMI MegaRAC",
			map[string]string{"/NA": list("/NA", `{"Model":"X","Ports":{"@odata.id":"/redfish/v1/P"},"NetworkDeviceFunctions":{"@odata.id":"/redfish/v1/F"}}`), "/P": list("/P", `{"MaxSpeedGbps":100}`),
				"/F": list("/F", `{"NetDevFuncType":"Ethernet","MaxVirtualFunctions":16,"Ethernet":{"MACAddress":"84:16:0C:39:A1:E2"},"Links":{"PhysicalPortAssignment":{"@odata.id":"/redfish/v1/p/1/"}}}`)},
			"ports", `[{"mac":"84:16:0c:39:a1:e2","adapter":"X","speedGbps":100,"sriov":true,"maxVFs":16,"from":"/redfish/v1/P/1; address from its function"}]`},
		{"no adapters, interfaces of the system only; one leads to the controller", "OpenBMC, ToManager of Supermicro and Lenovo",
			map[string]string{"/Eth": list("/Eth", `{"MACAddress":"84:16:0C:39:A1:E2","SpeedMbps":25000,"LinkStatus":"LinkUp"}`,
				`{"MACAddress":"BE:3A:F2:B6:05:9F","SpeedMbps":100,"Links":{"HostInterface":{"@odata.id":"/redfish/v1/Managers/1/HostInterfaces/1"}}}`, `{"MACAddress":"84:16:0C:39:A1:E3","EthernetInterfaceType":"Virtual"}`)},
			"ports", `[{"mac":"84:16:0c:39:a1:e2","linkGbps":25,"linkUp":true,"from":"/redfish/v1/Eth/1"}]`},
		{"an empty socket, a GPU, and a model without cores", "ThinkSystem SR670 V2; Supermicro X11",
			map[string]string{"/CPU": list("/CPU", `{"ProcessorType":"CPU","Model":"","TotalCores":0,"Status":{"State":"Absent"}}`, `{"ProcessorType":"GPU","TotalCores":128}`,
				`{"ProcessorType":"CPU","Model":"X","Status":{"State":"Enabled"}}`, `{"ProcessorType":"CPU","Socket":"CPU 2"}`)},
			"processors smt canSMT", `[{"model":"X","cores":0,"threads":0,"from":"/redfish/v1/CPU/3"}] null null`},
		{"SMT is on in the BIOS, and there are as many threads as cores: it isn't on, and whether it can be nobody knows", "Ampere Altra, Grace",
			map[string]string{"/CPU": list("/CPU", `{"TotalCores":80,"TotalThreads":80}`), "/Systems/1": `{"Processors":{"@odata.id":"/redfish/v1/CPU"},"ProcessorSummary":{"ThreadingEnabled":true},"Bios":{"@odata.id":"/redfish/v1/Bios"}}`,
				"/Bios": `{"Attributes":{"HyperThreading":"Enabled"}}`},
			"processors smt canSMT", `[{"cores":80,"threads":80,"from":"/redfish/v1/CPU/1"}] false null`},
		{"off, and the vendor says that it could be on", "Dell HyperThreadingCapable; HPE Characteristics, SMBIOS type 4",
			map[string]string{"/CPU": list("/CPU", `{"TotalCores":18,"TotalThreads":18,"Oem":{"Dell":{"DellProcessor":{"HyperThreadingCapable":"Yes"}}}}`, `{"TotalCores":18,"TotalThreads":18,"Oem":{"Hpe":{"Characteristics":["64Bit","HwThread"]}}}`)},
			"smt canSMT", `false true`},
		{"half of the cores are off: as many threads as cores prove nothing", "PowerEdge, cores per processor",
			map[string]string{"/CPU": list("/CPU", `{"TotalCores":32,"TotalEnabledCores":16,"TotalThreads":32}`)}, "smt canSMT", `null null`},
		{"no processors, their sum only", "iLO 4; host never started",
			map[string]string{"/Systems/1": `{"ProcessorSummary":{"Count":2,"CoreCount":36,"LogicalProcessorCount":72,"Model":"X"}}`},
			"processors smt canSMT", `[{"model":"X","cores":18,"threads":36,"from":"/redfish/v1/Systems/1#/ProcessorSummary"},{"model":"X","cores":18,"threads":36,"from":"/redfish/v1/Systems/1#/ProcessorSummary"}] true true`},
		{"no sum of the memory: its modules", "OpenBMC while the host is off",
			map[string]string{"/Systems/1": `{"MemorySummary":{"TotalSystemMemoryGiB":0},"Memory":{"@odata.id":"/redfish/v1/Mem"}}`,
				"/Mem": list("/Mem", `{"CapacityMiB":65536,"MemoryType":"DRAM"}`, `{"CapacityMiB":"65536"}`, `{"CapacityMiB":0,"Status":{"State":"Absent"}}`, `{"CapacityMiB":131072,"MemoryType":"IntelOptane"}`)},
			"memoryGiB", `128`},
		{"a module of unknown size: no sum", "",
			map[string]string{"/Systems/1": `{"Memory":{"@odata.id":"/redfish/v1/Mem"}}`, "/Mem": list("/Mem", `{"CapacityMiB":65536}`, `{"CapacityMiB":null}`)}, "memoryGiB", `null`},
		{"a drive without media type, below a controller that speaks NVMe only; an empty bay", "SYS-821GE-TNHR",
			map[string]string{"/Sto": list("/Sto", `{"Drives":[{"@odata.id":"/redfish/v1/D1"},{"@odata.id":"/redfish/v1/D2"}],"StorageControllers":[{"SupportedDeviceProtocols":["NVMe"]}]}`),
				"/D1": `{"Model":"MZQL27T6HBLA","SerialNumber":"S6CKNN0W502286","CapacityBytes":7681501126656}`, "/D2": `{"Name":"Empty Bay","Status":{"State":"Absent"}}`},
			"drives partial", `[{"model":"MZQL27T6HBLA","serial":"S6CKNN0W502286","media":"SSD","protocol":"NVMe","bytes":7681501126656,"from":"/redfish/v1/D1; protocol from the controller; media from the protocol"}] null`},
		{"a disk that turns, of a size no disk has", "", map[string]string{"/Sto": list("/Sto", `{"Drives":[{"@odata.id":"/redfish/v1/D1"}]}`), "/D1": `{"SerialNumber":"D1","RotationSpeedRPM":7200,"CapacityBytes":1e30}`},
			"drives", `[{"serial":"D1","media":"HDD","from":"/redfish/v1/D1; media from the rotation"}]`},
		{"a controller that doesn't say what it has", "Storage without Drives", map[string]string{"/Sto": list("/Sto", `{"Name":"RAID"}`)}, "drives partial", `null ["drives"]`},
		{"a controller that has none", "PowerEdge, AHCI", map[string]string{"/Sto": list("/Sto", `{"Name":"AHCI","Drives":[]}`)}, "drives partial", `[] null`},
		{"drives as one link to a collection", "Storage of later schemas in some firmwares", map[string]string{"/Sto": list("/Sto", `{"Drives":{"@odata.id":"/redfish/v1/Dr"}}`), "/Dr": list("/Dr", `{"SerialNumber":"D1","MediaType":"SSD","Protocol":"SATA","CapacityBytes":480103981056}`)},
			"drives", `[{"serial":"D1","media":"SSD","protocol":"SATA","bytes":480103981056,"from":"/redfish/v1/Dr/1"}]`},
		{"no Storage, SimpleStorage with a backplane in it", "older Supermicro, iDRAC 7",
			map[string]string{"/Systems/1": `{"SimpleStorage":{"@odata.id":"/redfish/v1/SS"}}`, "/SS": list("/SS", `{"Devices":[{"Name":"SATA Disk0","Model":"INTEL SSDSC2","CapacityBytes":480103981056},{"Name":"PCIe SSD Backplane 1","Model":"Backplane"}]}`)},
			"drives", `[{"name":"SATA Disk0","model":"INTEL SSDSC2","bytes":480103981056,"from":"/redfish/v1/SS/1"}]`},
		{"drives in the chassis only", "xFusion, Cisco", map[string]string{"/Systems/1": `{"Links":{"Chassis":[{"@odata.id":"/redfish/v1/Chassis/1"}]}}`,
			"/Chassis/1": `{"Links":{"Drives":[{"@odata.id":"/redfish/v1/D1"}]}}`, "/D1": `{"SerialNumber":"D1","Protocol":"SAS","MediaType":"HDD","Identifiers":[{"DurableName":"5000C500A1B2C3D4","DurableNameFormat":"NAA"}]}`},
			"drives", `[{"serial":"D1","wwn":"5000C500A1B2C3D4","media":"HDD","protocol":"SAS","from":"/redfish/v1/D1"}]`},
		{"Smart Array, while Storage is empty", "iLO 4 and 5", map[string]string{
			"/Systems/1": `{"Storage":{"@odata.id":"/redfish/v1/Sto"},"Oem":{"Hpe":{"Links":{"SmartStorage":{"@odata.id":"/redfish/v1/Smart"}}}}}`,
			"/Smart":     `{"Links":{"ArrayControllers":{"@odata.id":"/redfish/v1/AC"}}}`, "/AC": list("/AC", `{"Links":{"PhysicalDrives":{"@odata.id":"/redfish/v1/DD"}}}`),
			"/DD": list("/DD", `{"SerialNumber":"D1","Model":"MK000480","MediaType":"SSD","InterfaceType":"SATA","CapacityMiB":457862}`)},
			"drives", `[{"model":"MK000480","serial":"D1","media":"SSD","protocol":"SATA","bytes":480103104512,"from":"/redfish/v1/DD/1"}]`},
		{"slots that tell nothing: the least is what their cards run at", "ThinkSystem SR670 V2",
			map[string]string{"/Slots": `{"Slots":[{"Location":{"PartLocation":{"ServiceLabel":"PCIe 3"}},"Links":{"PCIeDevice":[{"@odata.id":"/redfish/v1/Dev"}]}},{"Location":{"Info":"Slot 4"}}]}`,
				"/Dev": `{"PCIeInterface":{"PCIeType":"Gen4","LanesInUse":16}}`},
			"slots partial", `[{"name":"PCIe 3","generation":4,"lanes":16,"atLeast":true,"from":"/redfish/v1/Slots#/Slots/0; at least, from the card in it"},{"name":"Slot 4","generation":0,"lanes":0,"from":"/redfish/v1/Slots#/Slots/1"}] null`},
		{"no PCIeSlots, cards that name their slots: empty ones are untold", "xFusion, Cisco",
			map[string]string{"/Chassis/1": `{"PCIeDevices":{"@odata.id":"/redfish/v1/PD"}}`, "/PD": list("/PD", `{"Slot":{"PCIeType":"Gen4","Lanes":16,"Location":{"PartLocation":{"LocationOrdinalValue":3}}}}`, `{"Name":"on the board"}`)},
			"slots partial", `[{"name":"Slot 3","generation":4,"lanes":16,"from":"/redfish/v1/PD/1"}] ["slots"]`},
		{"HPE's own list of slots", "iLO 4 and 5", map[string]string{"/Systems/1": `{"Oem":{"Hpe":{"Links":{"PCISlots":{"@odata.id":"/redfish/v1/PS"}}}}}`, "/PS": list("/PS", `{"Name":"PCI-E Slot 1","LinkLanes":"x16","Technology":"PCIExpressGen4"}`)},
			"slots", `[{"name":"PCI-E Slot 1","generation":4,"lanes":16,"from":"/redfish/v1/PS/1"}]`},
		{"numbers that board makers forgot to write", "SMBIOS defaults", map[string]string{"/Systems/1": `{"SerialNumber":"To be filled by O.E.M.","UUID":"03000200-0400-0500-0006-000700080009","SKU":"Default string"}`},
			"serial serials uuid", `null null null`},
		{"an enclosure of several systems: its number is none of theirs", "blades, multi-node", map[string]string{
			"/Chassis/1": `{"SerialNumber":"ENC","Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/1"},{"@odata.id":"/redfish/v1/Systems/2"}]}}`}, "serials", `["S1"]`},
		{"cards in chassis that the system doesn't name, and that name it", "OpenBMC on GB200", map[string]string{
			"/Chassis":       `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"},{"@odata.id":"/redfish/v1/Chassis/IO"},{"@odata.id":"/redfish/v1/Chassis/other"}]}`,
			"/Chassis/1":     `{"SerialNumber":"C1"}`,
			"/Chassis/IO":    `{"SerialNumber":"IO1","NetworkAdapters":{"@odata.id":"/redfish/v1/NA"},"Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/1"}]}}`,
			"/Chassis/other": `{"NetworkAdapters":{"@odata.id":"/redfish/v1/NA2"},"Links":{"ComputerSystems":[{"@odata.id":"/redfish/v1/Systems/2"}]}}`,
			"/NA":            list("/NA", `{"Model":"X","Ports":{"@odata.id":"/redfish/v1/P"}}`), "/P": list("/P", `{"MaxSpeedGbps":400,"Ethernet":{"AssociatedMACAddresses":["84:16:0c:39:a1:e2"]}}`)},
			"ports serials", `[{"mac":"84:16:0c:39:a1:e2","adapter":"X","speedGbps":400,"from":"/redfish/v1/P/1"}] ["S1","C1"]`},
		{"a TPM that is there and off; a known absence; nobody tells", "Dell, HPE", map[string]string{"/Systems/1": `{"TrustedModules":[{"InterfaceType":"TPM2_0","Status":{"State":"Disabled"}}]}`}, "tpm", `"disabled"`},
		{"no TPM", "HPE", map[string]string{"/Systems/1": `{"TrustedModules":[{"Status":{"State":"Absent"}}]}`}, "tpm", `"none"`},
		{"Secure Boot is enabled for the next start only", "DSP0268", map[string]string{"/Systems/1": `{"SecureBoot":{"@odata.id":"/redfish/v1/SB"}}`, "/SB": `{"SecureBootEnable":true}`}, "secureBoot", `null`},
		{"Secure Boot is in force", "DSP0268", map[string]string{"/Systems/1": `{"SecureBoot":{"@odata.id":"/redfish/v1/SB"}}`, "/SB": `{"SecureBootEnable":false,"SecureBootCurrentBoot":"Enabled"}`}, "secureBoot", `true`},
		{"the health of the whole", "DSP0268", map[string]string{"/Systems/1": `{"Status":{"Health":"OK","HealthRollup":"Critical"}}`}, "health", `"Critical"`},
		{"every type is wrong", "", map[string]string{"/Systems/1": `{"SerialNumber":7,"Processors":"x","MemorySummary":[],"Boot":null,"TrustedModules":{},"Links":{"Chassis":{}},"UUID":{},"PowerState":true}`}, "serial memoryGiB tpm power err", `null null null null null`},
	} {
		t.Run(trap.name, func(t *testing.T) {
			c, _ := wired(t, server(trap.add))
			got, err := c.Facts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(text, &fields); err != nil {
				t.Fatal(err)
			}
			if got.Drives != nil && len(got.Drives) == 0 {
				fields["drives"] = []byte("[]") // JSON leaves it out
			}
			var have []string
			for key := range strings.FieldsSeq(trap.keys) {
				word := "null"
				if raw, ok := fields[key]; ok {
					word = string(raw)
				}
				have = append(have, word)
			}
			if diff := cmp.Diff(trap.want, strings.Join(have, " ")); diff != "" {
				t.Errorf("%s: -want +got:\n%s", trap.where, diff)
			}
			for _, wrong := range absurd(got) {
				t.Error(wrong)
			}
		})
	}
}

// TestHostAmongBoards: an accelerator board has Boot too, and no firmware
// settings (GH200: System_0 without a serial number, HGX_Baseboard_0 with one).
func TestHostAmongBoards(t *testing.T) {
	add := map[string]string{
		"/Systems":     `{"Members":[{"@odata.id":"/redfish/v1/Systems/HGX"},{"@odata.id":"/redfish/v1/Systems/0"}]}`,
		"/Systems/HGX": `{"SerialNumber":"H1","Boot":{"BootSourceOverrideTarget@Redfish.AllowableValues":["Pxe"]}}`,
		"/Systems/0":   `{"Model":"host","Boot":{"BootSourceOverrideEnabled":"Disabled"},"Bios":{"@odata.id":"/redfish/v1/Bios"}}`, "/Bios": `{}`,
	}
	c, _ := wired(t, server(add))
	if got, err := c.Facts(t.Context()); err != nil || got.Model != "host" {
		t.Errorf("%+v %v", got.Model, err)
	}
}

// TestExpand: the forms of $expand that are offered are tried in turn; one
// that is refused, or ignored, isn't tried again.
func TestExpand(t *testing.T) {
	for _, c := range []struct {
		name, offer, known string
		want               string // requests for the collection
	}{
		{"levels named", `{"NoLinks":true,"Levels":true}`, ".($levels=1)", "1"},
		{"levels offered and not known", `{"NoLinks":true,"Levels":true}`, ".", "2"},
		{"a star only", `{"ExpandAll":true}`, "*", "1"},
		{"offered and not there", `{"NoLinks":true}`, "", "2"},
		{"not offered", `{}`, ".", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := server(map[string]string{
				"": `{"Systems":{"@odata.id":"/redfish/v1/Systems"},"ProtocolFeaturesSupported":{"ExpandQuery":` + c.offer + `}}`})
			client, w := wired(t, formal{base, c.known})
			if _, err := client.Facts(t.Context()); err != nil {
				t.Fatal(err)
			}
			asked := 0
			for _, p := range w.trail {
				if strings.HasPrefix(p, "/redfish/v1/Systems?") || p == "/redfish/v1/Systems" {
					asked++
				}
			}
			if got := string(rune('0' + asked)); got != c.want {
				t.Errorf("asked %s times: %v", got, w.trail)
			}
		})
	}
}

// formal knows one form of $expand and refuses the others.
type formal struct {
	tree
	known string
}

// ServeHTTP answers like the tree.
func (f formal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch form := r.URL.Query().Get("$expand"); form {
	case "", f.known:
		expanding{tree: f.tree}.ServeHTTP(w, r)
	default:
		http.Error(w, `{"error":{"message":"not this form"}}`, http.StatusBadRequest)
	}
}
