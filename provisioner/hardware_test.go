package provisioner

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

const bootMAC = "52:54:00:17:00:11"

// site is a provisioner with one host, whose controller says this of it.
func site(t *testing.T, serial string, bmc facts.BMC) *servers {
	t.Helper()
	s := &servers{
		signals: &act.Signals{}, state: state{t.TempDir()}, known: func(string) facts.BMC { return bmc },
		notice: func(_, text string) { t.Error(text) },
	}
	s.cluster.Nodes = []inventory.Node{{Name: "cp-a", Serial: serial, Boot: inventory.Boot{MAC: bootMAC}, Disk: inventory.Disk{Serial: "D1"}}}
	return s
}

func claimOf(in agent.InBand) agent.Claim {
	in.MACs, in.Disks = []string{bootMAC}, []agent.Disk{{Serial: "D1"}}
	return agent.Claim{Node: "cp-a", Facts: in}
}

// TestAcceptSerial claims with the numbers by which machines are known. A Dell
// tells its kernel the service tag, and Redfish the number of its board.
func TestAcceptSerial(t *testing.T) {
	const uuid = "4c4c4544-0044-3010-8035-b7c04f4a4d32"
	dell := facts.BMC{Serial: "CNFCP0000", Serials: []string{"CNFCP0000", "ABC1234"}, UUID: uuid}
	for name, c := range map[string]struct {
		inventory string
		bmc       facts.BMC
		in        agent.InBand
		refused   bool
	}{
		"the inventory's":                      {"S1", facts.BMC{Serial: "S1"}, agent.InBand{Serial: "S1"}, false},
		"in another case":                      {"s1", facts.BMC{}, agent.InBand{Serial: "S1 "}, false},
		"another machine":                      {"S1", facts.BMC{Serial: "S1"}, agent.InBand{Serial: "S2"}, true},
		"another, its controller wasn't asked": {"S1", facts.BMC{}, agent.InBand{Serial: "S2"}, true},
		"the board's in the inventory":         {"CNFCP0000", dell, agent.InBand{Serial: "ABC1234"}, false},
		"the service tag in the inventory":     {"abc1234", dell, agent.InBand{Serial: "ABC1234"}, false},
		"another service tag":                  {"CNFCP0000", dell, agent.InBand{Serial: "XYZ9999", UUID: "4c4c4544-0044-3010-8035-b7c04f4a4d33"}, true},
		"another number, the same UUID":        {"CNFCP0000", dell, agent.InBand{Serial: "XYZ9999", UUID: strings.ToUpper(uuid)}, false},
		"no number":                            {"S1", facts.BMC{Serial: "S1"}, agent.InBand{}, false},
		"a placeholder":                        {"S1", facts.BMC{Serial: "S1"}, agent.InBand{Serial: "To Be Filled By O.E.M."}, false},
		"the inventory doesn't say":            {"", facts.BMC{Serial: "S1"}, agent.InBand{Serial: "S2"}, false},
	} {
		s := site(t, c.inventory, c.bmc)
		in, stop := s.signals.Watch("cp-a")
		err := s.accept(claimOf(c.in))
		stop()
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if sig := <-in; (sig.Kind == act.KindRefused) != c.refused {
			t.Errorf("%s: the doer hears %s", name, sig.Kind)
		}
	}
}

// TestKeepHardware checks that what a host told is kept for its owner only,
// and is believed only of the machine that told it.
func TestKeepHardware(t *testing.T) {
	bmc := facts.BMC{Reached: true, Serial: "S1", UUID: "U1"}
	s := site(t, "S1", bmc)
	if err := s.state.hasHardware("cp-a"); err == nil {
		t.Error("a host that never told is known")
	}
	if err := s.accept(claimOf(agent.InBand{Serial: "S1"})); err != nil {
		t.Fatal(err)
	}
	if err := s.state.hasHardware("cp-a"); err == nil {
		t.Error("an installer that tells nothing told")
	}
	told := facts.Hardware{Slots: []facts.Slot{{Generation: 4, Lanes: 16, From: "SMBIOS type 9"}}}
	if err := s.accept(claimOf(agent.InBand{Serial: "S1", UUID: "M1", Hardware: &told})); err != nil {
		t.Fatal(err)
	}
	if err := s.state.hasHardware("cp-a"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.state.path("hardware/cp-a.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	r := &Run{state: s.state, options: Options{Tell: func(step.Event) {}}}
	look := func(b facts.BMC, a facts.Agent) facts.Host {
		return r.withTold(facts.Seen{Hosts: map[string]facts.Host{"cp-a": {BMC: b, Agent: a}}}).Hosts["cp-a"]
	}
	h := look(bmc, facts.Agent{})
	if len(h.Hardware().Slots) != 1 || h.Agent.Serial != "S1" || h.Agent.UUID != "M1" || time.Since(h.Agent.Told) > time.Minute || !h.Agent.Heard.IsZero() {
		t.Errorf("it is known as %+v", h.Agent)
	}
	if got := r.known("cp-a"); got.Serial != "S1" {
		t.Errorf("the last look saw %+v", got)
	}
	for name, other := range map[string]facts.BMC{
		"another serial": {Reached: true, Serial: "S2", UUID: "U1"}, "another UUID": {Reached: true, Serial: "S1", UUID: "U2"}, "nobody": {},
	} {
		if h := look(other, facts.Agent{}); h.Agent.Hardware != nil {
			t.Errorf("%s: what the old machine told is believed", name)
		}
	}
	if h := look(bmc, facts.Agent{Hardware: &facts.Hardware{}}); len(h.Hardware().Slots) != 0 {
		t.Error("what is heard now counts less than what was kept")
	}
	if err := os.WriteFile(s.state.path("hardware/cp-a.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var notes []string
	r.options.Tell = func(ev step.Event) { notes = append(notes, ev.Note) }
	if h := look(bmc, facts.Agent{}); h.Agent.Hardware != nil || len(notes) != 1 || !strings.Contains(notes[0], "remove it") {
		t.Errorf("a damaged file: %+v, %q", h.Agent, notes)
	}
}

// TestSwitches takes the firmware's own word for SMT where nobody else tells.
func TestSwitches(t *testing.T) {
	b := facts.BMC{Vendor: "Dell", BIOS: map[string]any{"LogicalProc": "Enabled"}}
	seen := switches(facts.Seen{Hosts: map[string]facts.Host{"a": {BMC: b}, "b": {BMC: facts.BMC{Vendor: "Dell", BIOS: b.BIOS, Hardware: facts.Hardware{SMT: new(false)}}}, "c": {}}})
	if h := seen.Hosts["a"].BMC; h.SMT == nil || !*h.SMT || h.From["smt"] != "BIOS attribute LogicalProc" {
		t.Errorf("a is %+v", h.Hardware)
	}
	if *seen.Hosts["b"].BMC.SMT || seen.Hosts["c"].BMC.SMT != nil {
		t.Errorf("what was told is replaced, or guessed: %+v", seen.Hosts)
	}
}
