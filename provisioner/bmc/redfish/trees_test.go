package redfish_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is what is kept of the facts of a recorded tree: all but the clock,
// which runs, and of the BIOS the number of attributes and those that SMT,
// SR-IOV, IOMMU and the way of starting hang on.
type golden struct {
	facts.BMC
	Attributes int  `json:"attributes"`
	Pending    *int `json:"pending,omitempty"` // that wait; absent when there is no settings resource
}

var decisive = regexp.MustCompile(`(?i)^(LogicalProc|ProcSMT|Proc\w*HyperThreading|Hyper_Threading_ALL.*|Sriov\w*|.*_SRIOV|SR_IOVSupport.*|ProcVirtualization|IntelProcVtd|.*IntelVTforDirected.*|BootMode|.*SystemBootMode)$`)

func reduce(b facts.BMC) golden {
	g := golden{BMC: b, Attributes: len(b.BIOS)}
	if b.PendingBIOS != nil {
		n := len(b.PendingBIOS)
		g.Pending = &n
	}
	g.BIOS, g.PendingBIOS, g.Clock = map[string]any{}, nil, nil
	for name, v := range b.BIOS {
		if decisive.MatchString(name) {
			g.BIOS[name] = v
		}
	}
	delete(g.From, "clock")
	return g
}

// odd says of each recorded tree what a reader of its golden file wonders at.
// Every file was compared by hand with the resources of the tree.
func odd() map[string]string {
	return map[string]string{
		"dell-r750": "The serial number is that of the board, the service tag (SKU) is what the inventory names. " +
			"All links are down and speeds 0: 25 Gb/s of the two OCP ports is from the card's name; the board's own ports have a card without a name, and the speed of the BlueField is told by nobody. " +
			"InfiniBand.Slot.7 is no port. The BlueField says SRIOVVEPACapable false and 127 virtual functions: it can do SR-IOV. The board's ports say false and no number: unknown. " +
			"Drives speak PCIe to this vendor, and their names say NVMe; they tell no WWN. Six of 14 slots are U.2 bays. A GPU is among the processors. The settings resource is there and empty.",
		"hpe-dl365-gen10p": "A Fibre Channel card is among the adapters, with Ports and NetworkPorts; its ports are none of ours. " +
			"The functions of the Broadcom card say no virtual functions, its controller 128 per port: they are switched off in the card. " +
			"Slot 12 tells no generation. 14 of 19 slots are U.2 bays. Links to bios are written in lower case. The processor has HwThread.",
		"hpe-dl380a-gen11": "Two GPUs are among the processors, and an empty bay among the drives. The card speaks InfiniBand or Ethernet and is set to Ethernet; " +
			"links run at 100 of 200 Gb/s. The EUI of the drives are told in the order of the wire.",
		"lenovo-sr670v2": "Eight GPUs are among the processors. The BlueField tells of no ports and of -1 ports: two of 100 Gb/s are from its name, so not all MACs are known. " +
			"Ports of the board's card do 1 Gb/s. Slots tell neither generation nor lanes: those of the cards in them are the least they do, so 1 GbE in slot 27 says little. " +
			"NVMe drives have an empty UUID and no WWN.",
		"supermicro-821ge": "The service root names no vendor. Ports tell neither speed nor, some, link: speeds are from part numbers. Nobody tells of SR-IOV. " +
			"Drives tell no media and no protocol: the controller speaks NVMe only, which is SSD. The SKU is a PCI id. The chassis has a serial number of its own. Nobody tells of a TPM. The settings resource is there and empty.",
	}
}

// TestTrees reads facts from recorded controllers of several vendors, from
// servers that ignore $expand and that know it, and compares them with reviewed
// files.
func TestTrees(t *testing.T) {
	for _, file := range recorded(t) {
		name := treeName(file)
		t.Run(name, func(t *testing.T) {
			all := readTree(t, file)
			for mode, h := range map[string]http.Handler{
				"plain":     all,
				"expanding": expanding{all, strings.HasPrefix(name, "hpe")},
			} {
				c, seen := open(t, h, func(cfg *redfish.Config) { cfg.Deep = true })
				got, err := c.Facts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: %d requests, 2 of them deep", mode, len(seen.seen))
				if seen.writes() > 0 {
					t.Errorf("looking wrote: %v", seen.seen)
				}
				if mode == "expanding" && len(seen.seen) > 32 {
					t.Errorf("%d requests are too many:\n%s", len(seen.seen), strings.Join(seen.seen, "\n"))
				}
				compare(t, name, mode, reduce(got))
			}
			if odd()[name] == "" {
				t.Error("say in odd what is odd in this tree")
			}
		})
	}
}

func compare(t *testing.T, name, mode string, got golden) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "facts", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Errorf("%s: -want +got, -update accepts it:\n%s", mode, diff)
	}
}

// TestTreesPower switches the recorded systems off.
func TestTreesPower(t *testing.T) {
	for _, file := range recorded(t) {
		t.Run(treeName(file), func(t *testing.T) {
			all := readTree(t, file)
			c, _ := open(t, front(all, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "ComputerSystem.Reset") {
					all.off()
					w.WriteHeader(http.StatusNoContent)
					return true
				}
				return false
			}), nil)
			if err := c.Power(t.Context(), redfish.Off); err != nil {
				t.Errorf("power off: %v", err)
			}
		})
	}
}
