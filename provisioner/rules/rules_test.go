package rules_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

func ptr[T any](v T) *T { return &v }

// fit is a host that meets every minimum, and the cluster that wants it.
func fit() (inventory.Cluster, facts.BMC) {
	b := facts.BMC{
		Reached: true, Vendor: "Dell", Serial: "S1", Serials: []string{"S1", "TAG1"},
		Hardware: facts.Hardware{MemoryGiB: ptr(64.0), NUMANodes: ptr(2),
			Processors: []facts.Processor{{Cores: 20, Threads: 40}, {Cores: 20, Threads: 40}},
			Drives:     []facts.Drive{{Serial: "D1", WWN: "0x5002538f00000862", Bytes: 480e9, Media: "SSD"}}},
	}
	for _, mac := range []string{"52:54:00:17:00:11", "52:54:00:17:00:12", "52:54:00:17:00:13", "52:54:00:17:00:14"} {
		b.Ports = append(b.Ports, facts.Port{MAC: mac, SpeedGbps: ptr(25.0), SRIOV: ptr(true)})
	}
	for range 8 {
		b.Slots = append(b.Slots, facts.Slot{Generation: 4, Lanes: 8})
	}
	c := inventory.Cluster{
		Classes: map[string]inventory.Class{"default": {Profile: "basic"}},
		Nodes: []inventory.Node{{Name: "a", Class: "default", Serial: "tag1", Disk: inventory.Disk{Serial: "D1"},
			Boot: inventory.Boot{MAC: "52:54:00:17:00:11"}}},
	}
	return c, b
}

var day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func judge(c inventory.Cluster, b facts.BMC) []rules.Finding {
	return rules.Judge(c, facts.Seen{Hosts: map[string]facts.Host{"a": {BMC: b}}}, day)
}

func TestFit(t *testing.T) {
	for _, profile := range []string{"basic", "high-performance"} {
		c, b := fit()
		c.Classes["default"] = inventory.Class{Profile: profile}
		all := judge(c, b)
		if len(all) != 18 {
			t.Errorf("%s: %d findings", profile, len(all))
		}
		for _, f := range all {
			if f.Verdict != rules.Pass && f.Verdict != rules.NotApplicable || f.Host != "a" {
				t.Errorf("%s: %+v", profile, f)
			}
		}
	}
}

// TestVerdicts changes one fact and looks at one requirement.
func TestVerdicts(t *testing.T) {
	hp := func(c *inventory.Cluster) { c.Classes["default"] = inventory.Class{Profile: "high-performance"} }
	for _, c := range []struct {
		name, requirement string
		change            func(*inventory.Cluster, *facts.BMC)
		want              rules.Verdict
		got               string
	}{
		{"not reached", "reachable", func(_ *inventory.Cluster, b *facts.BMC) { *b = facts.BMC{Err: "no route"} }, rules.Unknown, "no route"},
		{"no answer", "reachable", func(_ *inventory.Cluster, b *facts.BMC) { *b = facts.BMC{Err: "cp-a: BMC: GET /redfish/v1/: no"} }, rules.Unknown, "GET /redfish/v1/: no"},
		{"one socket", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors = b.Processors[:1] }, rules.Fail, "1 socket (cores: 20)"},
		{"19 cores", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors[1].Cores = 19 }, rules.Fail, "20, 19"},
		{"a third small one", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Processors = append(b.Processors, facts.Processor{Cores: 8})
		}, rules.Fail, "8"},
		{"cores untold", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors[1].Cores = 0 }, rules.Unknown, "?"},
		{"no processors", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors = nil }, rules.Unknown, ""},
		{"smt off", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors[0].Threads = 20 }, rules.Fail, "60 threads for 40 cores"},
		{"smt off and wanted", "ra2.ch.004", func(c *inventory.Cluster, b *facts.BMC) {
			b.Processors[0].Threads = 20
			c.Classes["default"] = inventory.Class{Profile: "basic", BIOS: inventory.BIOS{SMT: ptr(true)}}
		}, rules.Planned, "wants smt: enabled"},
		{"smt unwanted", "ra2.ch.004", func(c *inventory.Cluster, _ *facts.BMC) {
			c.Classes["default"] = inventory.Class{Profile: "basic", BIOS: inventory.BIOS{SMT: ptr(false)}}
		}, rules.Fail, "smt: disabled"},
		{"threads untold", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors[0].Threads, b.Processors[1].Threads = 0, 0 }, rules.Unknown, "nobody tells of threads"},
		{"small disk", "ra2.ch.010", func(_ *inventory.Cluster, b *facts.BMC) { b.Drives[0].Bytes = 319e9 }, rules.Fail, "319 GB"},
		{"size untold", "ra2.ch.010", func(_ *inventory.Cluster, b *facts.BMC) { b.Drives[0].Bytes = 0 }, rules.Unknown, ""},
		{"31 GiB are more than 32 GB", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = ptr(31.0) }, rules.Pass, "33.3 GB"},
		{"16 GiB", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = ptr(16.0) }, rules.Fail, "17.2 GB"},
		{"memory untold", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = nil }, rules.Unknown, ""},
		{"three ports", "ra2.ch.013", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = b.Ports[:3] }, rules.Fail, "3"},
		{"ports untold", "ra2.ch.013", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = nil }, rules.Unknown, "nobody tells of network ports"},
		{"slow ports", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports[2].SpeedGbps = ptr(1.0) }, rules.Fail, "3 ports that fast"},
		{"speed untold", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports[2].SpeedGbps = nil }, rules.Unknown, "1 that don't tell"},
		{"10 Gb/s is enough for basic", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports[2].SpeedGbps = ptr(10.0) }, rules.Pass, ""},
		{"10 Gb/s is too slow", "ra2.ch.015", func(c *inventory.Cluster, b *facts.BMC) { hp(c); b.Ports[2].SpeedGbps = ptr(10.0) }, rules.Fail, ""},
		{"no sr-iov", "ra2.ch.002", func(c *inventory.Cluster, b *facts.BMC) {
			hp(c)
			for i := range b.Ports {
				b.Ports[i].SRIOV = ptr(false)
			}
		}, rules.Fail, "0 ports that can, 0 that don't tell"},
		{"sr-iov untold", "ra2.ch.002", func(c *inventory.Cluster, b *facts.BMC) { hp(c); b.Ports = nil }, rules.Unknown, "nobody tells of network ports"},
		{"sr-iov is not asked of basic", "ra2.ch.002", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = nil }, rules.NotApplicable, "profile basic"},
		{"seven slots", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = b.Slots[:7] }, rules.Fail, "7 such slots of 7"},
		{"x4 slot", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots[0].Lanes = 4 }, rules.Fail, "7 such slots of 8"},
		{"Gen2 slot", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots[0].Generation = 2 }, rules.Fail, ""},
		{"slots that don't tell", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots[0] = facts.Slot{} }, rules.Unknown, "1 that don't tell"},
		{"slots untold", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = nil }, rules.Unknown, ""},
		{"a known absence of slots", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = []facts.Slot{} }, rules.Fail, "0 such slots"},
		{"part of the slots", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = b.Slots[:2]; b.Partial = []string{"slots"} }, rules.Unknown, "not all were told"},
		{"a small card in a slot", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Slots[0] = facts.Slot{Generation: 2, Lanes: 4, AtLeast: true}
		}, rules.Unknown, "1 that don't tell"},
		{"a large card in a slot", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Slots[0] = facts.Slot{Generation: 3, Lanes: 8, AtLeast: true}
		}, rules.Pass, ""},
		{"part of the ports", "ra2.ch.013", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = b.Ports[:2]; b.Partial = []string{"ports"} }, rules.Unknown, "2; not all were told"},
		{"part of the processors, all large", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Processors = b.Processors[:1]
			b.Partial = []string{"processors"}
		}, rules.Unknown, "1 socket"},
		{"a third of unknown size", "ra2.ch.008", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors = append(b.Processors, facts.Processor{}) }, rules.Unknown, "?"},
		{"one socket at the edge", "ra2.ch.008", func(c *inventory.Cluster, b *facts.BMC) {
			b.Processors = []facts.Processor{{Cores: 8, Threads: 16}}
			c.Classes["default"] = inventory.Class{Profile: "basic", Edge: true}
		}, rules.Pass, "1 socket (cores: 8)"},
		{"no SMT in the processors", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Processors[0].Threads, b.Processors[1].Threads, b.CanSMT = 20, 20, ptr(false)
		}, rules.NotApplicable, "processors without SMT"},
		{"switched on and no threads", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Processors[0].Threads, b.Processors[1].Threads, b.SMT = 20, 20, ptr(true)
		}, rules.Unknown, "the firmware says that SMT is on"},
		{"only the switch is told, on", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Processors[0].Threads, b.Processors[1].Threads, b.SMT = 0, 0, ptr(true)
		}, rules.Pass, "SMT is on"},
		{"only the switch is told, off", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Processors[0].Threads, b.Processors[1].Threads, b.SMT = 0, 0, ptr(false)
		}, rules.Fail, "SMT is off"},
		{"a hard disk", "ra2.ch.009", func(_ *inventory.Cluster, b *facts.BMC) { b.Drives[0].Media = "HDD" }, rules.Fail, "HDD"},
		{"kind of disk untold", "ra2.ch.009", func(_ *inventory.Cluster, b *facts.BMC) { b.Drives[0].Media = "" }, rules.Unknown, "nobody tells"},
		{"a hard disk, waived", "ra2.ch.009", func(c *inventory.Cluster, b *facts.BMC) {
			b.Drives[0].Media = "HDD"
			c.Waivers = []inventory.Waiver{{Requirement: "ra2.ch.009", Reason: "spares", Until: day.AddDate(0, 0, 1)}}
		}, rules.Waived, "HDD"},
		{"the sum of disks doesn't count", "ra2.ch.010", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Drives[0].Bytes = 240e9
			b.Drives = append(b.Drives, facts.Drive{Serial: "D2", Bytes: 240e9})
		}, rules.Fail, "240 GB"},
		{"30 GiB are more than 32 GB", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = ptr(30.0) }, rules.Pass, "32.2 GB (30 GiB)"},
		{"29 GiB are less than 32 GB", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = ptr(29.0) }, rules.Fail, "31.1 GB"},
		{"two slow ports beside four fast", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Ports = append(b.Ports, facts.Port{SpeedGbps: ptr(1.0)}, facts.Port{SpeedGbps: ptr(1.0)})
		}, rules.Pass, "4 ports that fast, 2 slower"},
		{"a fast link proves a port", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Ports[0].SpeedGbps, b.Ports[0].LinkGbps = nil, ptr(25.0)
		}, rules.Pass, "0 that don't tell"},
		{"a slow link proves nothing", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) {
			b.Ports[0].SpeedGbps, b.Ports[0].LinkGbps = nil, ptr(1.0)
		}, rules.Unknown, "1 that don't tell"},
		{"virtual functions are asked of high-performance nodes", "ra2.ch.003", func(c *inventory.Cluster, _ *facts.BMC) {
			c.Classes["default"] = inventory.Class{Profile: "high-performance", BIOS: inventory.BIOS{IOMMU: ptr(false)}}
		}, rules.Fail, "wants one of them disabled"},
		{"room for huge pages", "ra2.ch.001", func(c *inventory.Cluster, _ *facts.BMC) {
			c.Classes["default"] = inventory.Class{Profile: "high-performance", HugePages: map[string]int{"1Gi": 40}}
		}, rules.Pass, "68.7 GB"},
		{"no room for huge pages", "ra2.ch.001", func(c *inventory.Cluster, _ *facts.BMC) {
			c.Classes["default"] = inventory.Class{Profile: "high-performance", HugePages: map[string]int{"1Gi": 48, "2Mi": 1024}}
		}, rules.Fail, "68.7 GB"},
		{"CPUs beside the reserved", "ra2.k8s.008", func(c *inventory.Cluster, _ *facts.BMC) { reserve(c, "0-1") }, rules.Pass, "threads"},
		{"reserved CPUs that aren't there", "ra2.k8s.008", func(c *inventory.Cluster, _ *facts.BMC) { reserve(c, "0-1,4000-4001") }, rules.Fail, "threads"},
		{"threads untold", "ra2.k8s.008", func(c *inventory.Cluster, b *facts.BMC) { reserve(c, "0-1"); b.Processors = nil }, rules.Unknown, "nobody tells"},
		{"both families", "ra2.ch.007", func(c *inventory.Cluster, _ *facts.BMC) { addresses(c, "10.17.0.11/24", "fd00:17::11/64") }, rules.Pass, "10.17.0.11, fd00:17::11"},
		{"one family", "ra2.ch.007", func(c *inventory.Cluster, _ *facts.BMC) { addresses(c, "10.17.0.11/24") }, rules.NotApplicable, "one family"},
		{"link-local", "ra2.ch.007", func(c *inventory.Cluster, _ *facts.BMC) { addresses(c, "10.17.0.11/24", "fe80::11/64") }, rules.Fail, "fe80::11"},
		{"interleaved memory", "ra2.k8s.006", func(c *inventory.Cluster, b *facts.BMC) { hp(c); b.NUMANodes = ptr(1) }, rules.Fail, "1 NUMA node"},
		{"NUMA untold", "ra2.k8s.006", func(c *inventory.Cluster, b *facts.BMC) { hp(c); b.NUMANodes = nil }, rules.Unknown, "nobody tells"},
		{"NUMA of one socket", "ra2.k8s.006", func(c *inventory.Cluster, b *facts.BMC) { hp(c); b.Processors = b.Processors[:1] }, rules.NotApplicable, "one socket"},
		{"waived", "ra2.ch.016", func(c *inventory.Cluster, b *facts.BMC) {
			b.Slots = b.Slots[:7]
			c.Waivers = []inventory.Waiver{{Requirement: "ra2.ch.016", Reason: "1U", Until: day.AddDate(0, 0, 1)}}
		}, rules.Waived, "7 such slots"},
		{"waiver ended", "ra2.ch.016", func(c *inventory.Cluster, b *facts.BMC) {
			b.Slots = b.Slots[:7]
			c.Waivers = []inventory.Waiver{{Requirement: "ra2.ch.016", Reason: "1U", Until: day.AddDate(0, 0, -1)}}
		}, rules.Fail, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, b := fit()
			c.change(&cluster, &b)
			all := judge(cluster, b)
			i := slices.IndexFunc(all, func(f rules.Finding) bool { return f.Requirement == c.requirement })
			if i < 0 {
				t.Fatalf("no finding for %s in %+v", c.requirement, all)
			}
			if f := all[i]; f.Verdict != c.want || !strings.Contains(f.Got, c.got) {
				t.Errorf("got %+v, want %s with %q", f, c.want, c.got)
			}
		})
	}
}

func addresses(c *inventory.Cluster, all ...string) {
	for _, a := range all {
		c.Nodes[0].Addresses = append(c.Nodes[0].Addresses, netip.MustParsePrefix(a))
	}
}

// TestShould checks that what RA2 only recommends is told and stops nothing.
func TestShould(t *testing.T) {
	c, b := fit()
	b.Drives[0].Media = "HDD"
	for _, f := range judge(c, b) {
		if f.Requirement == "ra2.ch.009" && (f.Verdict != rules.Fail || f.Level != ra2.Should) || !f.Passes() {
			t.Errorf("%+v", f)
		}
	}
}

// afterInstall are the rows of ra2.ch that nothing can be said of before an
// install, and why.
var afterInstall = map[string]string{
	"ra2.ch.001": "the installed node shows the two resources; before that only the room for what the class asks is judged",
	"ra2.ch.003": "the installed node makes virtual functions; before that only a class that forbids them is judged",
	"ra2.ch.006": "it is about pods, their requests and limits",
	"ra2.ch.017": "it is about what happens to a node after its creation",
	"ra2.ch.018": "it is about a component of the cluster",
}

// TestEveryRow checks that each row of ra2.ch is judged, or is named with the
// reason why it can't be before an install.
func TestEveryRow(t *testing.T) {
	catalogue, err := ra2.Load()
	if err != nil {
		t.Fatal(err)
	}
	c, b := fit()
	c.Classes["default"] = inventory.Class{Profile: "high-performance"}
	judged := map[string]bool{}
	for _, f := range judge(c, b) {
		judged[f.Requirement] = true
		if f.Requirement != rules.Identity && (f.Title == "" || f.Want == "" || f.Got == "" || f.Where == "") {
			t.Errorf("a finding that can't be understood by itself: %+v", f)
		}
	}
	for _, row := range catalogue.Rows {
		_, named := afterInstall[row.ID]
		if strings.HasPrefix(row.ID, "ra2.ch.") && judged[row.ID] == named {
			t.Errorf("%s %s: judged %t, named as not to be judged %t", row.ID, row.Title, judged[row.ID], named)
		}
	}
}

// TestWhere checks that a finding says what told it.
func TestWhere(t *testing.T) {
	c, b := fit()
	for i := range b.Ports {
		b.Ports[i].From = fmt.Sprintf("/redfish/v1/Chassis/1/NetworkAdapters/NIC.%d", i)
	}
	b.From = map[string]string{"memoryGiB": "/redfish/v1/Systems/1"}
	want := map[string]string{
		"ra2.ch.012": "/redfish/v1/Systems/1",
		"ra2.ch.013": "/redfish/v1/Chassis/1/NetworkAdapters/NIC.0, /redfish/v1/Chassis/1/NetworkAdapters/NIC.1 and 2 more",
		"ra2.ch.016": "Chassis PCIeSlots",
	}
	for _, f := range judge(c, b) {
		if w, ok := want[f.Requirement]; ok && f.Where != w {
			t.Errorf("%s was seen at %q, want %q", f.Requirement, f.Where, w)
		}
	}
}

// TestIPMI judges a host of which only IPMI tells: it is the right one, nothing
// that IPMI can't tell passes, and where it was seen is not called Redfish.
func TestIPMI(t *testing.T) {
	c, _ := fit()
	c.Nodes[0].BMC.URL = "ipmi://10.17.1.11"
	told := facts.BMC{Reached: true, Protocol: "ipmi", Vendor: "Dell", Model: "R750", Serial: "TAG1", Serials: []string{"TAG1"}, Power: "Off"}
	for _, f := range judge(c, told) {
		switch {
		case f.Want == "serial number tag1" && (f.Verdict != rules.Pass || f.Where != "FRU information"):
			t.Errorf("serial: %+v", f)
		case f.Verdict == rules.Pass && f.Want != "serial number tag1" && f.Where != "inventory":
			t.Errorf("%s passes, and IPMI told nothing of it: %+v", f.Requirement, f)
		}
	}
	for _, f := range judge(c, facts.BMC{Err: "silence"}) {
		if f.Where != "IPMI" || f.Verdict != rules.Unknown {
			t.Errorf("not reached: %+v", f)
		}
	}
}

// TestUntold takes each fact away in turn: no finding passes because of it.
func TestUntold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, b := fit()
		c.Classes["default"] = inventory.Class{Profile: rapid.SampledFrom([]string{"basic", "high-performance"}).Draw(t, "profile")}
		before := map[string]rules.Verdict{}
		hide := func(what string) bool { return rapid.Bool().Draw(t, what) }
		bad := rapid.IntRange(0, 4).Draw(t, "bad ports")
		for i := range b.Ports[:bad] {
			b.Ports[i].SpeedGbps, b.Ports[i].SRIOV = ptr(1.0), ptr(false)
		}
		b.Slots = b.Slots[:rapid.IntRange(0, 8).Draw(t, "slots")]
		b.Processors[1].Cores = rapid.SampledFrom([]int{8, 20}).Draw(t, "cores")
		b.Drives[0].Bytes = rapid.SampledFrom([]int64{100e9, 480e9}).Draw(t, "bytes")
		for _, f := range judge(c, b) {
			before[f.Requirement+f.Want] = f.Verdict
		}
		if hide("memory") {
			b.MemoryGiB = nil
		}
		for i := range b.Ports {
			if hide("port") {
				b.Ports[i] = facts.Port{MAC: b.Ports[i].MAC}
			}
		}
		for i := range b.Slots {
			if hide("slot") {
				b.Slots[i] = facts.Slot{}
			}
		}
		for i := range b.Processors {
			if hide("processor") {
				b.Processors[i] = facts.Processor{}
			}
		}
		if hide("disk") {
			b.Drives[0].Bytes, b.Drives[0].Media = 0, ""
		}
		for _, f := range judge(c, b) {
			was := before[f.Requirement+f.Want]
			if f.Verdict == rules.Pass && was == rules.Fail {
				t.Errorf("%s failed, and passes now that less is known: %+v", f.Requirement, f)
			}
		}
	})
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*inventory.Node, *facts.BMC)
		want   string // the part that doesn't pass, or ""
	}{
		{"wrong serial", func(_ *inventory.Node, b *facts.BMC) { b.Serials = []string{"OTHER"} }, "serial number tag1"},
		{"serial untold", func(_ *inventory.Node, b *facts.BMC) { b.Serials, b.Serial = nil, "" }, "serial number tag1"},
		{"serial not asked", func(n *inventory.Node, b *facts.BMC) { n.Serial = "" }, ""},
		{"other MACs", func(n *inventory.Node, _ *facts.BMC) { n.Boot.MAC = "52:54:00:17:00:99" }, "MAC 52:54:00:17:00:99"},
		{"MAC untold", func(n *inventory.Node, b *facts.BMC) { n.Boot.MAC = "52:54:00:17:00:99"; b.Ports[3].MAC = "" }, ""},
		{"wrong disk", func(n *inventory.Node, _ *facts.BMC) { n.Disk.Serial = "D2" }, "serial:D2"},
		{"disk by WWN", func(n *inventory.Node, _ *facts.BMC) { n.Disk = inventory.Disk{WWN: "5002538f00000862"} }, ""},
		{"disk by EUI, told backwards", func(n *inventory.Node, b *facts.BMC) {
			n.Disk = inventory.Disk{WWN: "0025381c417157f3"}
			b.Drives[0].WWN = "F3:57:71:41:1C:38:25:00"
		}, ""},
		{"wrong WWN", func(n *inventory.Node, _ *facts.BMC) { n.Disk = inventory.Disk{WWN: "5002538f00000863"} }, "wwn:5002538f00000863"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, b := fit()
			c.change(&cluster.Nodes[0], &b)
			var got []string
			for _, f := range judge(cluster, b) {
				if f.Requirement == rules.Identity && !f.Passes() {
					got = append(got, f.Want)
				}
			}
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func reserve(c *inventory.Cluster, cpus inventory.CPUs) {
	c.Classes["default"] = inventory.Class{Profile: "basic", Reserved: cpus}
}
