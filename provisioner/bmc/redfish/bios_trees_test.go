package redfish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// recordedBIOS returns what a recorded controller tells of its BIOS when a
// class wants these settings, and the requests that it took.
func recordedBIOS(t *testing.T, name string, want inventory.BIOS) (facts.BMC, *trail) {
	t.Helper()
	dir := os.Getenv("RA2_BMC_TREES")
	if dir == "" {
		dir = "../../../../shared/lab/bmc"
	}
	file := filepath.Join(dir, name+".tar.zst")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no recorded tree %s; set RA2_BMC_TREES", file)
	}
	c, seen := open(t, readTree(t, file), func(cfg *redfish.Config) { cfg.Attributes = bios.Wanted(want) })
	got, err := c.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got, seen
}

// on and off are all settings one way and the other.
func settings(on bool, numa int, profile, mode string) inventory.BIOS {
	return inventory.BIOS{SMT: &on, SRIOV: &on, IOMMU: &on, Turbo: &on, CStates: &on, NUMAPerSocket: numa, PowerProfile: profile, BootMode: mode}
}

// with adds raw attributes.
func with(b inventory.BIOS, attributes map[string]any) inventory.BIOS {
	b.Attributes = attributes
	return b
}

// TestRecordedBIOS: what the settings become on recorded controllers, against
// their own attribute registries. The values were compared with the registries
// by eye.
func TestRecordedBIOS(t *testing.T) {
	all, none := settings(true, 1, "performance", "uefi"), settings(false, 2, "balanced", "legacy")
	for _, c := range []struct {
		tree   string
		want   inventory.BIOS
		change map[string]any
		errs   []string // one for each line
	}{
		{"dell-r750", all, map[string]any{},
			[]string{"bios.cStates: attribute ProcCStates is Disabled and can't be written while SysProfile is PerfOptimized and not Custom"}},
		{"dell-r750", none, map[string]any{
			"LogicalProc": "Disabled", "SriovGlobalEnable": "Disabled", "ProcVirtualization": "Disabled", "SubNumaCluster": "2-Way",
			"SysProfile": "PerfPerWattOptimizedDapc", "BootMode": "Bios",
		}, []string{
			"bios.turbo: attribute ProcTurboMode is Enabled and can't be written while SysProfile is PerfPerWattOptimizedDapc and not Custom",
			"bios.cStates: attribute ProcCStates becomes Enabled and can't be written while SysProfile is PerfPerWattOptimizedDapc and not Custom",
		}},
		// a profile of one's own unlocks both, in the same write
		{"dell-r750", with(settings(true, 1, "", "uefi"), map[string]any{"SysProfile": "Custom"}),
			map[string]any{"SysProfile": "Custom", "ProcCStates": "Enabled"}, nil},
		{"dell-r750", inventory.BIOS{NUMAPerSocket: 4, PowerProfile: "efficient"}, map[string]any{}, []string{
			"bios.numaPerSocket: attribute SubNumaCluster may be 2-Way (2-Way Clustering), Disabled, and none of them is known to mean 4",
			"bios.powerProfile: attribute SysProfile has no value that is known to mean efficient",
		}},

		{"hpe-dl365-gen10p", all, map[string]any{"NumaMemoryDomainsPerSocket": "OneMemoryDomainPerSocket"},
			[]string{"bios.powerProfile: attribute PowerRegulator is OsControl and can't be written while WorkloadProfile is GeneralPowerEfficientCompute"}},
		{"hpe-dl365-gen10p", with(none, map[string]any{"WorkloadProfile": "Custom"}), map[string]any{
			"WorkloadProfile": "Custom", "ProcSMT": "Disabled", "Sriov": "Disabled", "ProcAmdIoVt": "Disabled", "NumaMemoryDomainsPerSocket": "TwoMemoryDomainsPerSocket",
			"BootMode": "LegacyBios", "ProcAMDBoost": "Disabled", "MinProcIdlePower": "NoCStates",
		}, nil},
		// the profile brings the domains with it, and locks them
		{"hpe-dl365-gen10p", with(inventory.BIOS{NUMAPerSocket: 4}, map[string]any{"WorkloadProfile": "LowLatency"}), map[string]any{"WorkloadProfile": "LowLatency"}, nil},

		{"hpe-dl380a-gen11", all, map[string]any{"PowerRegulator": "StaticHighPerf"},
			[]string{"bios.bootMode: HPE ProLiant DL380a Gen11 -- SIMULATED has none of the attributes known for it"}},
		{"hpe-dl380a-gen11", settings(false, 2, "balanced", ""), map[string]any{
			"ProcHyperthreading": "Disabled", "Sriov": "Disabled", "IntelProcVtd": "Disabled", "SubNumaClustering": "EnableSnc2",
			"ProcTurbo": "Disabled", "MinProcIdlePower": "NoCStates",
		}, nil},
		{"hpe-dl380a-gen11", inventory.BIOS{NUMAPerSocket: 4, PowerProfile: "efficient"}, map[string]any{"SubNumaClustering": "EnableSnc4", "PowerRegulator": "StaticLowPower"}, nil},

		{"lenovo-sr670v2", all, map[string]any{"OperatingModes_ChooseOperatingMode": "MaximumPerformance"}, nil},
		{"lenovo-sr670v2", with(settings(false, 2, "", "uefi"), map[string]any{"OperatingModes_ChooseOperatingMode": "CustomMode"}), map[string]any{
			"OperatingModes_ChooseOperatingMode": "CustomMode", "Processors_HyperThreading": "Disabled", "DevicesandIOPorts_SRIOV": "Disabled",
			"DevicesandIOPorts_IntelVTforDirectedIOVTd": "Disabled", "Processors_SNC": "Enabled", "Processors_TurboMode": "Disabled", "Processors_CStates": "Disabled",
		}, nil},
		{"lenovo-sr670v2", inventory.BIOS{BootMode: "legacy", PowerProfile: "efficient"}, map[string]any{"OperatingModes_ChooseOperatingMode": "Efficiency_FavorPower"},
			[]string{"bios.bootMode: attribute BootModes_SystemBootMode is UEFIMode and can't be written while LegacyBIOS_LegacyBIOS is Disabled and not Enabled"}},

		// the registry's value names are numbers, and the firmware has what it shows to people
		{"supermicro-821ge", settings(true, 1, "performance", ""), map[string]any{"SNC_F300": "Disable", "PowerTechnology_FF77": "Disable"}, nil},
		{"supermicro-821ge", settings(false, 4, "efficient", ""), map[string]any{
			"Hyper_Threading_ALL__F27F": "Disable", "SR_IOVSupport_0047": "Disabled", "IntelVTforDirectedI_O_VT_d__1E32": "Disable", "TurboMode_3D06": "Disable",
			"CPUC6Report_3D22": "Disable", "SNC_F300": "Enable SNC4 (4-clusters)", "PowerTechnology_FF77": "Energy Efficient",
		}, nil},
		{"supermicro-821ge", inventory.BIOS{BootMode: "uefi", Attributes: map[string]any{"NoSuch_0001": "x", "SNC_F300": "7"}}, map[string]any{}, []string{
			"bios.bootMode: Supermicro SYS-821GE-TNHR has none of the attributes known for it",
			"bios.attributes.NoSuch_0001: Supermicro SYS-821GE-TNHR has no attribute of this name",
			"bios.attributes.SNC_F300: it may be Auto, Disable, Enable SNC2 (2-clusters), Enable SNC4 (4-clusters), and not 7",
		}},
	} {
		t.Run(c.tree, func(t *testing.T) {
			have, seen := recordedBIOS(t, c.tree, c.want)
			if have.Registry == nil || len(have.Registry) > 20 {
				t.Errorf("%d entries of the registry", len(have.Registry))
			}
			if n := seen.count("GET") - seen.count("GET /redfish/v1/Chassis") - seen.count("GET /redfish/v1/Systems"); n > 10 {
				t.Errorf("%d requests beside systems and chassis: %v", n, seen.seen)
			}
			got, err := bios.Diff(c.want, have)
			if diff := cmp.Diff(c.change, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(c.errs) {
				t.Fatalf("errors %q, want %q", lines, c.errs)
			}
			for i, want := range c.errs {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("error %q, want %q", lines[i], want)
				}
			}
		})
	}
}
