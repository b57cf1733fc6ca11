package ra2_test

import (
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

func TestCatalogue(t *testing.T) {
	c, err := ra2.Load()
	if err != nil {
		t.Fatal(err)
	}
	ids, levels := map[string]bool{}, map[ra2.Level]int{}
	for _, r := range c.Rows {
		if r.ID == "" || r.Title == "" || r.Paraphrase == "" || r.Profile == "" {
			t.Errorf("incomplete: %+v", r)
		}
		if r.Level == ra2.ConditionalMust && r.Condition == "" {
			t.Errorf("%s is conditional and names no condition", r.ID)
		}
		ids[r.ID] = true
		levels[r.Level]++
	}
	// What the head of the file counts.
	if len(c.Rows) != 166 || len(ids) != 165 || levels[ra2.Must] != 85 || levels[ra2.Should] != 10 || levels[ra2.May] != 19 || levels[ra2.ConditionalMust] != 52 {
		t.Errorf("%d rows, %d ids, %v", len(c.Rows), len(ids), levels)
	}
	for _, want := range []struct {
		id, name string
		value    float64
	}{
		{"ra2.ch.008", "sockets_min", 2}, {"ra2.ch.008", "cores_per_socket_min", 20}, {"ra2.ch.010", "local_fs_gb_min", 320},
		{"ra2.ch.012", "ram_gb_min", 32}, {"ra2.ch.013", "nic_ports_min", 4}, {"ra2.ch.014", "port_speed_gbps_min", 10},
		{"ra2.ch.015", "port_speed_gbps_min", 25}, {"ra2.ch.016", "pcie_slots_min", 8}, {"ra2.ch.016", "pcie_gen_min", 3}, {"ra2.ch.016", "lanes_min", 8},
		{"ra2.ch.004", "threads_per_core", 2}, {"ra2.ch.012", "overhead_gb_i_cap_015", 16},
		{"ra2.ch.008", "edge_exception.sockets_min", 1}, {"ra2.ch.008", "edge_exception.cores_per_socket_min", 1},
	} {
		if got, err := c.Threshold(want.id, want.name); err != nil || got != want.value {
			t.Errorf("%s %s = %v, %v; want %v", want.id, want.name, got, err, want.value)
		}
	}
	if _, err := c.Threshold("ra2.ch.008", "no_such"); err == nil {
		t.Error("a threshold that is not there is answered")
	}
	if _, ok := c.Row("ra2.app.001"); ok {
		t.Error("ra2.app.001 doesn't exist in this release, and is there")
	}
}
