package inventory_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// TestBIOS reads all firmware settings; attributes keep the types of JSON.
func TestBIOS(t *testing.T) {
	on, off := true, false
	text := strings.Replace(string(read(t, "testdata/edge-17.yaml")), "bios: {smt: enabled, sriov: enabled, iommu: enabled}",
		`bios: {smt: enabled, sriov: disabled, numaPerSocket: 2, powerProfile: performance, bootMode: uefi, turbo: disabled, cStates: enabled,
        attributes: {SysProfile: Custom, Delay: 60, Negative: -1, Share: 0.5, Flag: true, Quoted: "60", Long: 4000000}}`, 1)
	c, problems := inventory.Parse("edge.yaml", []byte(text), today())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := inventory.BIOS{SMT: &on, SRIOV: &off, NUMAPerSocket: 2, PowerProfile: "performance", BootMode: "uefi", Turbo: &off, CStates: &on,
		Attributes: map[string]any{"SysProfile": "Custom", "Delay": 60.0, "Negative": -1.0, "Share": 0.5, "Flag": true, "Quoted": "60", "Long": 4e6}}
	if diff := cmp.Diff(want, c.Classes["worker"].BIOS); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestOldGenerations: settings that a class doesn't name leave the generation
// as it was before there were such settings, so that no node is replaced because
// of a new ra2-deploy.
func TestOldGenerations(t *testing.T) {
	c := sample(t)
	worker := c.Classes["worker"]
	worker.Reserved = "" // the example had none then
	c.Classes["worker"] = worker
	const before = "sha256:03095a608d4d80351e62eb53f415f7832cc07588a1bc48ee38a1db3b9fe31351"
	if got := inventory.Generation(c, c.Nodes[4], "sha256:1"); got != before {
		t.Errorf("%s, and it was %s", got, before)
	}
}
