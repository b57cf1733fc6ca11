package rules_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

func ptr[T any](v T) *T { return &v }

// fit is a host that meets every minimum, and the cluster that wants it.
func fit() (inventory.Cluster, facts.BMC) {
	b := facts.BMC{
		Reached: true, Vendor: "Dell", Serial: "S1", Serials: []string{"S1", "TAG1"},
		Hardware: facts.Hardware{MemoryGiB: ptr(64.0),
			Processors: []facts.Processor{{Cores: 20, Threads: 40}, {Cores: 20, Threads: 40}},
			Drives:     []facts.Drive{{Serial: "D1", WWN: "0x5002538f00000862", Bytes: 480e9}}},
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
		if len(all) != 12 {
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
		{"threads untold", "ra2.ch.004", func(_ *inventory.Cluster, b *facts.BMC) { b.Processors[0].Threads, b.Processors[1].Threads = 0, 0 }, rules.Unknown, ""},
		{"small disk", "ra2.ch.010", func(_ *inventory.Cluster, b *facts.BMC) { b.Drives[0].Bytes = 319e9 }, rules.Fail, "319 GB"},
		{"size untold", "ra2.ch.010", func(_ *inventory.Cluster, b *facts.BMC) { b.Drives[0].Bytes = 0 }, rules.Unknown, ""},
		{"31 GiB are more than 32 GB", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = ptr(31.0) }, rules.Pass, "33.3 GB"},
		{"16 GiB", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = ptr(16.0) }, rules.Fail, "17.2 GB"},
		{"memory untold", "ra2.ch.012", func(_ *inventory.Cluster, b *facts.BMC) { b.MemoryGiB = nil }, rules.Unknown, ""},
		{"three ports", "ra2.ch.013", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = b.Ports[:3] }, rules.Fail, "3"},
		{"ports untold", "ra2.ch.013", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = nil }, rules.Unknown, "0"},
		{"slow ports", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports[2].SpeedGbps = ptr(1.0) }, rules.Fail, "3 ports that fast"},
		{"speed untold", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports[2].SpeedGbps = nil }, rules.Unknown, "1 that don't tell"},
		{"10 Gb/s is enough for basic", "ra2.ch.014", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports[2].SpeedGbps = ptr(10.0) }, rules.Pass, ""},
		{"10 Gb/s is too slow", "ra2.ch.015", func(c *inventory.Cluster, b *facts.BMC) { hp(c); b.Ports[2].SpeedGbps = ptr(10.0) }, rules.Fail, ""},
		{"no sr-iov", "ra2.ch.002", func(c *inventory.Cluster, b *facts.BMC) {
			hp(c)
			for i := range b.Ports {
				b.Ports[i].SRIOV = ptr(false)
			}
		}, rules.Fail, "0 ports that can"},
		{"sr-iov is not asked of basic", "ra2.ch.002", func(_ *inventory.Cluster, b *facts.BMC) { b.Ports = nil }, rules.NotApplicable, "profile basic"},
		{"seven slots", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = b.Slots[:7] }, rules.Fail, "7 such slots of 7"},
		{"x4 slot", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots[0].Lanes = 4 }, rules.Fail, "7 such slots of 8"},
		{"Gen2 slot", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots[0].Generation = 2 }, rules.Fail, ""},
		{"slots that don't tell", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots[0] = facts.Slot{} }, rules.Unknown, "1 that don't tell"},
		{"slots untold", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = nil }, rules.Unknown, ""},
		{"a known absence of slots", "ra2.ch.016", func(_ *inventory.Cluster, b *facts.BMC) { b.Slots = []facts.Slot{} }, rules.Fail, "0 such slots"},
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
