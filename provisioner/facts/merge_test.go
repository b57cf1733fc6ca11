package facts_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// TestMerge fills each kind of gap, and names who told.
func TestMerge(t *testing.T) {
	bmc := facts.Hardware{
		MemoryGiB: new(64.0), From: map[string]string{"memoryGiB": "/redfish/v1/Systems/1"},
		Processors: []facts.Processor{{Model: "A", Cores: 20, From: "CPU1"}, {Model: "A", Cores: 20, Threads: 40, From: "CPU2"}},
		Drives:     []facts.Drive{{Serial: "s1 ", Bytes: 480e9, From: "Disk.0"}, {WWN: "50:00:C5:00:A1:B2:C3:D4", From: "Disk.1"}, {Name: "nameless", From: "Disk.2"}},
		Ports:      []facts.Port{{MAC: "52:54:00:17:00:11", From: "NIC.1"}, {From: "NIC.2"}},
		Slots:      []facts.Slot{{Name: "PCIE1", Lanes: 8}},
		Partial:    []string{"drives"},
	}
	machine := facts.Hardware{
		MemoryGiB: new(63.0), NUMANodes: new(2), CanSMT: new(false), TPM: "TPM2_0",
		From:       map[string]string{"memoryGiB": "MemTotal", "numaNodes": "sysfs", "canSMT": "SMBIOS type 4", "tpm": "sysfs tpm0"},
		Processors: []facts.Processor{{Cores: 20, Threads: 40, From: "sysfs"}, {Cores: 20, Threads: 20, From: "sysfs"}},
		Drives:     []facts.Drive{{Serial: "S1", Media: "SSD", Bytes: 1, From: "sda"}, {WWN: "naa.5000c500a1b2c3d4", Bytes: 960e9, From: "sdb"}},
		Ports:      []facts.Port{{MAC: "52:54:00:17:00:11", SpeedGbps: new(25.0), From: "eno1"}, {MAC: "52:54:00:17:00:12", SpeedGbps: new(25.0), From: "eno2"}},
		Slots:      []facts.Slot{{Name: "Slot 1", Generation: 4, Lanes: 16, From: "SMBIOS type 9"}},
	}
	want := facts.Hardware{
		MemoryGiB: bmc.MemoryGiB, NUMANodes: machine.NUMANodes, CanSMT: machine.CanSMT, TPM: "TPM2_0",
		From:       map[string]string{"memoryGiB": "/redfish/v1/Systems/1", "numaNodes": "sysfs", "canSMT": "SMBIOS type 4", "tpm": "sysfs tpm0"},
		Processors: []facts.Processor{{Model: "A", Cores: 20, Threads: 40, From: "CPU1, sysfs"}, bmc.Processors[1]},
		Drives:     []facts.Drive{{Serial: "s1 ", Media: "SSD", Bytes: 480e9, From: "Disk.0, sda"}, {WWN: "50:00:C5:00:A1:B2:C3:D4", Bytes: 960e9, From: "Disk.1, sdb"}, bmc.Drives[2]},
		Ports:      []facts.Port{{MAC: "52:54:00:17:00:11", SpeedGbps: machine.Ports[0].SpeedGbps, From: "NIC.1, eno1"}, bmc.Ports[1]},
		Slots:      machine.Slots, Partial: []string{"drives"},
	}
	if d := cmp.Diff(want, facts.Merge(bmc, machine)); d != "" {
		t.Error(d)
	}
}

// TestMergeLists takes a whole list where the controller told none, or less.
func TestMergeLists(t *testing.T) {
	two := []facts.Port{{MAC: "52:54:00:17:00:11", SpeedGbps: new(25.0), From: "eno1"}, {MAC: "52:54:00:17:00:12", From: "eno2"}}
	for name, c := range map[string]struct{ bmc, machine, want facts.Hardware }{
		"nobody":         {},
		"none told":      {machine: facts.Hardware{Ports: two}, want: facts.Hardware{Ports: two}},
		"known absence":  {bmc: facts.Hardware{Ports: []facts.Port{}}, machine: facts.Hardware{Ports: two}, want: facts.Hardware{Ports: []facts.Port{}}},
		"only the BMC":   {bmc: facts.Hardware{Ports: two, Partial: []string{"ports"}}, want: facts.Hardware{Ports: two, Partial: []string{"ports"}}},
		"a part":         {bmc: facts.Hardware{Ports: []facts.Port{{MAC: "52:54:00:17:00:12", Adapter: "X", From: "NIC.2"}}, Partial: []string{"ports"}}, machine: facts.Hardware{Ports: two}, want: facts.Hardware{Ports: []facts.Port{two[0], {MAC: "52:54:00:17:00:12", Adapter: "X", From: "eno2, NIC.2"}}}},
		"parts of both":  {bmc: facts.Hardware{Ports: two[:1], Partial: []string{"ports"}}, machine: facts.Hardware{Ports: two, Partial: []string{"ports"}}, want: facts.Hardware{Ports: two, Partial: []string{"ports"}}},
		"a smaller part": {bmc: facts.Hardware{Ports: two, Partial: []string{"ports"}}, machine: facts.Hardware{Ports: two[:1]}, want: facts.Hardware{Ports: two, Partial: []string{"ports"}}},
	} {
		got := facts.Merge(c.bmc, c.machine)
		got.From = nil
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestMergeKeeps checks that what the controller told is never replaced.
func TestMergeKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(who string) facts.Hardware {
			h := facts.Hardware{}
			for _, mac := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID[string]).Draw(t, who+" ports") {
				p := facts.Port{MAC: mac, From: who}
				if rapid.Bool().Draw(t, "speed") {
					p.SpeedGbps = new(rapid.SampledFrom([]float64{1, 10, 25}).Draw(t, "gbps"))
				}
				h.Ports = append(h.Ports, p)
			}
			if rapid.Bool().Draw(t, who+" memory") {
				h.MemoryGiB = new(rapid.Float64Range(1, 9).Draw(t, "GiB"))
			}
			return h
		}
		bmc, machine := draw("bmc"), draw("machine")
		got := facts.Merge(bmc, machine)
		if bmc.MemoryGiB != nil && got.MemoryGiB != bmc.MemoryGiB {
			t.Error("memory was replaced")
		}
		for i, p := range bmc.Ports {
			if g := got.Ports[i]; g.MAC != p.MAC || p.SpeedGbps != nil && g.SpeedGbps != p.SpeedGbps {
				t.Errorf("port %d was %+v and is %+v", i, p, g)
			}
		}
		if again := facts.Merge(got, machine); !reflect.DeepEqual(again, got) {
			t.Errorf("merged again it is %+v and was %+v", again, got)
		}
	})
}

func TestAgrees(t *testing.T) {
	for name, c := range map[string]struct {
		host        facts.Host
		known, same bool
	}{
		"service tag of a Dell": {facts.Host{BMC: facts.BMC{Serial: "CNFCP000", Serials: []string{"CNFCP000", "ABC1234"}}, Agent: facts.Agent{Serial: "abc1234"}}, true, true},
		"another machine":       {facts.Host{BMC: facts.BMC{Serial: "S1"}, Agent: facts.Agent{Serial: "S2"}}, true, false},
		"UUID, bytes swapped": {facts.Host{BMC: facts.BMC{Serial: "S1", UUID: "4C4C4544-0044-3010-8035-B7C04F4A4D32"},
			Agent: facts.Agent{Serial: "S2", UUID: "44454c4c-4400-1030-8035-b7c04f4a4d32"}}, true, true},
		"a placeholder":      {facts.Host{BMC: facts.BMC{Serial: "S1"}, Agent: facts.Agent{Serial: "To be filled by O.E.M."}}, false, false},
		"two placeholders":   {facts.Host{BMC: facts.BMC{Serial: "None"}, Agent: facts.Agent{Serial: "none"}}, false, false},
		"nothing of the BMC": {facts.Host{Agent: facts.Agent{Serial: "S2"}}, false, false},
		"empty UUIDs":        {facts.Host{BMC: facts.BMC{UUID: "00000000-0000-0000-0000-000000000000"}, Agent: facts.Agent{UUID: "00000000-0000-0000-0000-000000000000"}}, false, false},
	} {
		if known, same := c.host.Agrees(); known != c.known || same != c.same {
			t.Errorf("%s: known %t, same %t", name, known, same)
		}
	}
}
