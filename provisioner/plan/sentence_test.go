package plan_test

import (
	"testing"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
)

// TestFirmwareSentence: each difference is "attribute: old → new".
func TestFirmwareSentence(t *testing.T) {
	for _, c := range []struct {
		name string
		want map[string]any
		have facts.BMC
		line string
	}{
		{"by name", map[string]any{"LogicalProc": "Enabled", "Delay": 4e6}, facts.BMC{BIOS: map[string]any{"LogicalProc": "Disabled", "Delay": 60.0},
			Registry: map[string]facts.Attribute{"LogicalProc": {Display: "Logical Processor"}}}, "Delay: 60 → 4000000, LogicalProc: Disabled → Enabled"},
		{"a name that tells nothing", map[string]any{"Rome0059": "Rome0059Auto"}, facts.BMC{BIOS: map[string]any{"Rome0059": "Rome0059Disabled"},
			Registry: map[string]facts.Attribute{"Rome0059": {Display: "SMT Control"}}}, "Rome0059 (SMT Control): Rome0059Disabled → Rome0059Auto"},
		{"another change waits", map[string]any{"LogicalProc": "Enabled"}, facts.BMC{BIOS: map[string]any{"LogicalProc": "Enabled"}, PendingBIOS: map[string]any{"LogicalProc": "Disabled"}},
			"LogicalProc: Enabled (Disabled waits) → Enabled"},
		{"pending already", map[string]any{"Flag": true}, facts.BMC{BIOS: map[string]any{"Flag": false}, PendingBIOS: map[string]any{"Flag": true}}, "Flag: false (true waits) → true"},
		{"not told", map[string]any{"X": "a"}, facts.BMC{}, "X: unknown → a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := plan.Want{
				Cluster:  inventory.Cluster{Nodes: []inventory.Node{{Name: "a", Worker: true}}},
				Firmware: map[string]map[string]any{"a": c.want},
			}
			p := plan.Make(want, facts.Seen{Hosts: map[string]facts.Host{"a": {BMC: c.have}}}, nil)
			if len(p.Steps) == 0 || p.Steps[0].ID != "a/firmware" || p.Steps[0].Why != c.line {
				t.Errorf("%+v", p.Steps)
			}
		})
	}
}
