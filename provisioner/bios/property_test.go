package bios_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// server is firmware that obeys its registry: what is written in one go is
// checked against what the others become, and what others force follows.
type server struct{ facts.BMC }

// power is a PowerEdge-like power profile that drives two other attributes.
func power(t *rapid.T) server {
	onOff := func(name string) string { return rapid.SampledFrom([]string{"Enabled", "Disabled"}).Draw(t, name) }
	profile := rapid.SampledFrom([]string{"PerfOptimized", "PerfPerWattOptimizedDapc", "Custom"}).Draw(t, "profile")
	when := func(is string, value any) []facts.Condition {
		return []facts.Condition{{Attribute: "SysProfile", Is: is, Value: value}}
	}
	locked := facts.Dependency{When: when("NEQ", "Custom"), Property: "ReadOnly", Value: true}
	s := server{facts.BMC{Vendor: "Dell", Model: "R750",
		BIOS: map[string]any{"LogicalProc": onOff("smt"), "SriovGlobalEnable": onOff("sriov"), "SysProfile": profile, "ProcCStates": onOff("cstates"), "ProcTurboMode": onOff("turbo"), "Preset": "A"},
		Registry: map[string]facts.Attribute{
			"LogicalProc": enumeration("", "Enabled", "Disabled"), "Preset": enumeration("", "A", "B"),
			"SriovGlobalEnable": {Values: []string{"Enabled", "Disabled"}, Depends: []facts.Dependency{ // a preset that may be overruled
				{When: []facts.Condition{{Attribute: "Preset", Is: "EQU", Value: "B"}}, Property: "CurrentValue", Value: "Disabled"}}},
			"SysProfile": enumeration("", "PerfOptimized", "PerfPerWattOptimizedDapc", "Custom"),
			"ProcTurboMode": {Values: []string{"Enabled", "Disabled"}, Depends: []facts.Dependency{locked,
				{When: when("NEQ", "Custom"), Property: "CurrentValue", Value: "Enabled"}}},
			"ProcCStates": {Values: []string{"Enabled", "Disabled", "Autonomous"}, Depends: []facts.Dependency{locked,
				{When: when("EQU", "PerfOptimized"), Property: "CurrentValue", Value: "Disabled"},
				{When: when("EQU", "PerfPerWattOptimizedDapc"), Property: "CurrentValue", Value: "Enabled"}}},
		}}}
	if profile != "Custom" { // what the firmware is left in is what it brought about
		s.BIOS["ProcTurboMode"] = "Enabled"
		s.BIOS["ProcCStates"] = map[string]string{"PerfOptimized": "Disabled", "PerfPerWattOptimizedDapc": "Enabled"}[profile]
	}
	if rapid.Bool().Draw(t, "waits") {
		s.PendingBIOS = map[string]any{"LogicalProc": onOff("pending smt"), "SysProfile": rapid.SampledFrom([]string{"PerfOptimized", "Custom"}).Draw(t, "pending profile")}
	}
	return s.restated()
}

// restated is what a look at the server tells: what is read-only now, and why.
func (s server) restated() server {
	registry := map[string]facts.Attribute{}
	for name, a := range s.Registry {
		a.Why, a.ReadOnly = a.Locked(s.BIOS)
		registry[name] = a
	}
	s.Registry = registry
	return s
}

// post writes a change and restarts.
func (s server) post(t *rapid.T, change map[string]any) server {
	was := s.BIOS
	now := maps.Clone(was)
	maps.Copy(now, s.PendingBIOS)
	maps.Copy(now, change)
	for _, name := range slices.Sorted(maps.Keys(s.Registry)) {
		a := s.Registry[name]
		why, locked := a.Locked(now)
		_, written := change[name]
		if locked && written {
			t.Fatalf("the firmware refuses %s: %s", name, why)
		}
		if v, forced := a.Forced(was, now); forced && !written {
			now[name] = v
		}
	}
	s.BIOS, s.PendingBIOS = now, nil
	return s.restated()
}

// TestDiffThenNothing: what Diff says is taken by firmware that obeys its
// registry, and then nothing is left.
func TestDiffThenNothing(t *testing.T) {
	some := func(t *rapid.T, name string) *bool {
		if !rapid.Bool().Draw(t, name+" wanted") {
			return nil
		}
		on := rapid.Bool().Draw(t, name+" on")
		return &on
	}
	wrote := 0
	rapid.Check(t, func(t *rapid.T) {
		s := power(t)
		want := inventory.BIOS{SMT: some(t, "smt"), SRIOV: some(t, "sriov"), Turbo: some(t, "turbo"), CStates: some(t, "cstates"),
			PowerProfile: rapid.SampledFrom([]string{"", "performance", "balanced"}).Draw(t, "wanted profile")}
		if want.PowerProfile == "" && rapid.Bool().Draw(t, "custom") {
			want.Attributes = map[string]any{"SysProfile": "Custom", "Preset": rapid.SampledFrom([]string{"A", "B"}).Draw(t, "wanted preset")}
		}
		change, err := bios.Diff(want, s.BMC)
		if err != nil {
			return // refused before anything is touched
		}
		wrote += len(change)
		left, err := bios.Diff(want, s.post(t, change).BMC)
		if err != nil || len(left) > 0 {
			t.Fatalf("after %v: left %v, error %v", change, left, err)
		}
	})
	if wrote == 0 {
		t.Error("nothing was ever written")
	}
}

// BenchmarkDiff is what one host of a rack costs: a firmware of 400 attributes
// and all settings.
func BenchmarkDiff(b *testing.B) {
	have := facts.BMC{Vendor: "Dell", BIOS: map[string]any{"LogicalProc": "Enabled", "SriovGlobalEnable": "Enabled", "ProcVirtualization": "Enabled",
		"SysProfile": "PerfOptimized", "BootMode": "Uefi", "ProcTurboMode": "Enabled", "ProcCStates": "Enabled", "SubNumaCluster": "Disabled"}}
	for i := range 400 {
		have.BIOS[fmt.Sprintf("PcieSlot%dOption", i)] = "Auto"
	}
	for b.Loop() {
		if _, err := bios.Diff(every(true, 1, "performance", "uefi"), have); err != nil {
			b.Fatal(err)
		}
	}
}
