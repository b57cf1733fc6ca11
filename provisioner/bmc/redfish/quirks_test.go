package redfish_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// quirky is a controller with little in it but what real ones are known to do
// differently. Each line says what.
func quirky() tree {
	t := tree{}
	for path, body := range map[string]string{
		"": `{"Vendor":"Lenovo","Systems":{"@odata.id":"/redfish/v1/Systems"},"ProtocolFeaturesSupported":{"ExpandQuery":{"NoLinks":true}}}`,
		// two systems: the second is an accelerator board
		"/systems": `{"Members":[{"@odata.id":"/redfish/v1/Systems/J1"},{"@odata.id":"/redfish/v1/Systems/HGX"}]}`,
		"/systems/j1": `{"@odata.id":"/redfish/v1/Systems/J1","SerialNumber":"J1","SKU":"PRODUCT","PowerState":"On","Boot":{"BootSourceOverrideEnabled":"Disabled","BootSourceOverrideTarget":"None"},
			"MemorySummary":{"TotalSystemMemoryGiB":"64"},"Processors":{"@odata.id":"/redfish/v1/Systems/J1/Processors"},"Storage":{"@odata.id":"/redfish/v1/Systems/J1/Storage"},
			"Bios":{"@odata.id":"/redfish/v1/Systems/J1/Bios"},"Links":{"Chassis":[{"@odata.id":"/redfish/v1/Chassis/1"}]}}`,
		"/systems/hgx": `{"@odata.id":"/redfish/v1/Systems/HGX","SerialNumber":"H1"}`,
		// an empty socket, and a GPU among the processors
		"/systems/j1/processors": `{"Members":[
			{"@odata.id":"/redfish/v1/Systems/J1/Processors/1","ProcessorType":"CPU","TotalCores":32,"TotalThreads":64,"Status":{"State":"Enabled"}},
			{"@odata.id":"/redfish/v1/Systems/J1/Processors/2","ProcessorType":"CPU","TotalCores":null,"Status":{"State":"Absent"}},
			{"@odata.id":"/redfish/v1/Systems/J1/Processors/3","ProcessorType":"GPU","TotalCores":128,"Status":{"State":"Enabled"}}]}`,
		// a drive in two controllers, and one without media type
		"/systems/j1/storage": `{"Members":[
			{"@odata.id":"/redfish/v1/Systems/J1/Storage/1","Id":"1","Drives":[{"@odata.id":"/redfish/v1/Drives/1"}]},
			{"@odata.id":"/redfish/v1/Systems/J1/Storage/2","Id":"2","Drives":[{"@odata.id":"/redfish/v1/Drives/1"},{"@odata.id":"/redfish/v1/Drives/2"}]}]}`,
		"/drives/1":  `{"SerialNumber":" D1 ","MediaType":null,"CapacityBytes":4.8e11,"Identifiers":[{"DurableName":"x","DurableNameFormat":"UUID"},{"DurableName":"0x5000","DurableNameFormat":"NAA"}]}`,
		"/drives/2":  `{"SerialNumber":"","Status":{"State":"Absent"}}`,
		"/chassis/1": `{"SerialNumber":"C1","NetworkAdapters":{"@odata.id":"/redfish/v1/Chassis/1/NetworkAdapters"},"PCIeSlots":{"@odata.id":"/redfish/v1/Chassis/1/PCIeSlots"}}`,
		// slots that don't tell what they are, and one whose lanes are text
		"/chassis/1/pcieslots": `{"Slots":[{"Lanes":null},{"PCIeType":"Gen5","Lanes":"16"}]}`,
		"/chassis/1/networkadapters": `{"Members":[
			{"@odata.id":"/redfish/v1/Chassis/1/NetworkAdapters/1","Id":"1","NetworkPorts":{"@odata.id":"/redfish/v1/np"},"Controllers":[{"ControllerCapabilities":{"VirtualizationOffload":{"VirtualFunction":{"DeviceMaxCount":64}}}}]},
			{"@odata.id":"/redfish/v1/Chassis/1/NetworkAdapters/2","Id":"2","Ports":{"@odata.id":"/redfish/v1/p"}}]}`,
		// speeds in bit/s where Mbit/s is the unit; a port without a link; Fibre Channel
		"/np": `{"Members":[
			{"@odata.id":"/redfish/v1/np/1","LinkStatus":"Up","AssociatedNetworkAddresses":["00-62-0B-4C-28-4E"],"SupportedLinkCapabilities":[{"CapableLinkSpeedMbps":[1000000000,25000000000]}]},
			{"@odata.id":"/redfish/v1/np/2","LinkStatus":"Down","CurrentLinkSpeedMbps":0,"AssociatedNetworkAddresses":["00:62:0b:4c:28:4f"]}]}`,
		"/p": `{"Members":[
			{"@odata.id":"/redfish/v1/p/1","PortProtocol":"FC","MaxSpeedGbps":32},
			{"@odata.id":"/redfish/v1/p/2","PortProtocol":"Ethernet","MaxSpeedGbps":100,"Ethernet":{"AssociatedMACAddresses":["94:6D:AE:91:FB:22"]}}]}`,
		// the settings resource is named and not there
		"/systems/j1/bios": `{"Attributes":{"A":"x","B":true,"C":3},"@Redfish.Settings":{"SettingsObject":{"@odata.id":"/redfish/v1/Systems/J1/Bios/SD"}}}`,
	} {
		t["/redfish/v1"+path] = []byte(body)
	}
	return t
}

func TestQuirks(t *testing.T) {
	c, _ := open(t, quirky(), func(cfg *redfish.Config) { cfg.Serial = "j1" })
	got, err := c.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Clock == nil || got.Clock.Skew.Abs() > time.Minute || got.From["clock"] != "HTTP Date" {
		t.Errorf("clock %+v from %s", got.Clock, got.From["clock"])
	}
	got.Clock = nil
	delete(got.From, "clock")
	memory, fast, hundred, up, down, yes := 64.0, 25.0, 100.0, true, false, true
	want := facts.BMC{
		Reached: true, Protocol: "redfish", Vendor: "Lenovo", Serial: "J1", Serials: []string{"J1", "C1"}, SKU: "PRODUCT", Power: "On",
		Hardware: facts.Hardware{MemoryGiB: &memory, SMT: &yes, CanSMT: &yes,
			Processors: []facts.Processor{{Cores: 32, Threads: 64, From: "/redfish/v1/Systems/J1/Processors/1"}},
			Drives:     []facts.Drive{{Serial: "D1", WWN: "0x5000", Bytes: 480e9, From: "/redfish/v1/Drives/1"}},
			Ports: []facts.Port{
				{MAC: "00:62:0b:4c:28:4e", SpeedGbps: &fast, LinkUp: &up, SRIOV: &yes, From: "/redfish/v1/np/1"},
				{MAC: "00:62:0b:4c:28:4f", LinkUp: &down, SRIOV: &yes, From: "/redfish/v1/np/2"},
				{MAC: "94:6d:ae:91:fb:22", SpeedGbps: &hundred, From: "/redfish/v1/p/2"},
			},
			Slots: []facts.Slot{{From: "/redfish/v1/Chassis/1/PCIeSlots#/Slots/0"}, {Generation: 5, Lanes: 16, From: "/redfish/v1/Chassis/1/PCIeSlots#/Slots/1"}},
			From: map[string]string{"memoryGiB": "/redfish/v1/Systems/J1#/MemorySummary",
				"smt": "/redfish/v1/Systems/J1/Processors", "canSMT": "/redfish/v1/Systems/J1/Processors"}},
		BIOS: map[string]any{"A": "x", "B": true, "C": 3.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSeveralSystems: without a serial number that names one of several
// systems nothing is guessed.
func TestSeveralSystems(t *testing.T) {
	for serial, want := range map[string]string{"": "", "h1": "", "OTHER": `several systems and the inventory's serial number names none: /redfish/v1/Systems/J1 (serial "J1")`} {
		c, _ := open(t, quirky(), func(cfg *redfish.Config) { cfg.Serial = serial })
		_, err := c.PowerState(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("serial %q: %v", serial, err)
		}
	}
}

// TestPartMissing: one part that can't be read doesn't hide the others.
func TestPartMissing(t *testing.T) {
	tree := quirky()
	delete(tree, "/redfish/v1/drives/1")
	tree["/redfish/v1/systems/j1/processors"] = []byte("<html>")
	c, _ := open(t, tree, func(cfg *redfish.Config) { cfg.Serial = "J1" })
	got, err := c.Facts(t.Context())
	if err != nil || !got.Reached || len(got.Ports) != 3 || len(got.BIOS) != 3 {
		t.Fatalf("%+v %v", got, err)
	}
	if !strings.Contains(got.Err, "GET /redfish/v1/Drives/1: 404 Not Found") || !strings.Contains(got.Err, "GET /redfish/v1/Systems/J1/Processors") {
		t.Errorf("Err %q", got.Err)
	}
}
