package report_test

import (
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func ptr[T any](v T) *T { return &v }

func server() facts.BMC {
	return facts.BMC{
		Reached: true, Protocol: "redfish", Vendor: "Dell", Model: "PowerEdge R750", Serial: "CN1", SKU: "SGH417A", UUID: "4c4c", Power: "On", Health: "OK",
		Firmware: []facts.Firmware{{Name: "BMC", Version: "6.10"}, {Name: "BIOS", Version: "1.9"}}, Clock: &facts.Clock{Time: at(60), Skew: time.Minute},
		BIOS: map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Disabled", "AssetTag": ""}, PendingBIOS: map[string]any{"SriovGlobalEnable": "Enabled", "AssetTag": ""},
		BootOverride: "Pxe", BootTargets: []string{"None", "Pxe"},
		Hardware: facts.Hardware{
			Processors: []facts.Processor{{Model: "Gold 6338N", Cores: 32, Threads: 64, From: "/redfish/v1/Systems/1/Processors/1"}, {Model: "Gold 6338N", Cores: 32, Threads: 64}},
			MemoryGiB:  ptr(256.0), NUMANodes: ptr(2), SMT: ptr(true), CanSMT: ptr(true), SecureBoot: ptr(false), TPM: "TPM2_0",
			Drives: []facts.Drive{{Name: "Disk 0", Model: "PM893", Serial: "S1", WWN: "5002", Media: "SSD", Protocol: "SATA", Bytes: 960e9}, {Media: "HDD", Bytes: 4e12}},
			Ports:  []facts.Port{{MAC: "52:54:00:17:00:11", Adapter: "E810", SpeedGbps: ptr(25.0), LinkGbps: ptr(10.0), LinkUp: ptr(true), SRIOV: ptr(true), MaxVFs: ptr(128)}, {MAC: "52:54:00:17:00:12", LinkUp: ptr(false)}},
			Slots:  []facts.Slot{{Generation: 4, Lanes: 8}, {Generation: 4, Lanes: 8}, {Lanes: 16}}, From: map[string]string{"memoryGiB": "MemorySummary"},
		},
	}
}

func TestHostFacts(t *testing.T) {
	same(t, report.HostFacts("cp-a", server(), false), `cp-a  Dell PowerEdge R750, serial CN1, SKU SGH417A, UUID 4c4c, told by redfish
  power        On, health OK
  processors   2 × Gold 6338N (32 cores, 64 threads)
  memory       256 GiB
  NUMA nodes   2
  SMT          on; the processors have it: yes
  Secure Boot  off
  TPM          TPM2_0
  firmware     BMC 6.10, BIOS 1.9
  boot         once from Pxe; it may be None, Pxe
  clock        2026-11-23T09:01:00Z, 1m0s ahead of this machine
  BIOS         smt enabled (LogicalProc Enabled), sriov disabled (SriovGlobalEnable Disabled), 3 attributes in all, after the next POST SriovGlobalEnable: Disabled → Enabled
  slots        2 × Gen4 x8, Gen? x16
  drives
    name    model  serial  WWN   media  protocol  size
    Disk 0  PM893  S1      5002  SSD    SATA      960 GB
    -       -      -       -     HDD    -         4 TB
  ports
    MAC                adapter  speed  link    SR-IOV   VFs
    52:54:00:17:00:11  E810     25G    up 10G  yes      128
    52:54:00:17:00:12  -        -      down    unknown  unknown
`)
}

// TestHostFactsUntold checks that what nobody told is called unknown, what is
// known to be absent none, and what could not be read by its name.
func TestHostFactsUntold(t *testing.T) {
	same(t, report.HostFacts("a", facts.BMC{Reached: true, Err: "a: BMC: GET /x: 500\na: BMC: GET /y: 500", Hardware: facts.Hardware{Slots: []facts.Slot{}}}, true), `a  unknown
  power        unknown, health unknown
  processors   unknown
  memory       unknown
  NUMA nodes   unknown
  SMT          unknown; the processors have it: unknown
  Secure Boot  unknown
  TPM          unknown
  firmware     unknown
  boot         no override
  BIOS         unknown
  slots        none
  not read: a: BMC: GET /x: 500
            a: BMC: GET /y: 500
`)
	same(t, report.HostFacts("a", facts.BMC{Err: "refused"}, false), "a  not reached\n")
}

func TestFactsTable(t *testing.T) {
	hosts := map[string]facts.BMC{"cp-a": server(), "cp-b": {}, "cp-c": {Reached: true, Power: "Off"}}
	same(t, report.FactsTable([]string{"cp-a", "cp-b", "cp-c"}, hosts), `host  power  health   model                serial   processors    memory   drives                ports    slots
cp-a  On     OK       Dell PowerEdge R750  CN1      2 × 32 cores  256 GiB  960 GB SSD, 4 TB HDD  25G, ?   3
cp-b  -      -        not reached          -        -             -        -                     -        -
cp-c  Off    unknown  unknown              unknown  unknown       unknown  unknown               unknown  unknown
`)
}
