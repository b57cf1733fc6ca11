package bios_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// TestRaw: attributes that the inventory names itself.
func TestRaw(t *testing.T) {
	least, most := 60.0, 600.0
	have := facts.BMC{Vendor: "Dell", Model: "R1",
		BIOS: map[string]any{"LogicalProc": "Enabled", "Delay": 60.0, "Tag": "", "Flag": true, "Setup": nil, "Fixed": "1.0", "Extra": "x", "Size": 4.0, "Quoted": "60", "Deep": map[string]any{"now": "a"}},
		Registry: map[string]facts.Attribute{
			"LogicalProc": enumeration("Logical Processor", "Enabled", "Disabled"), "Tag": {Type: "String"}, "Flag": {Type: "Boolean"}, "Setup": {Type: "Password"},
			"Delay": {Type: "Integer", Least: &least, Most: &most}, "Quoted": {Type: "Integer"}, "Fixed": {Type: "String", ReadOnly: true}, "Absent": enumeration("", "a"), "Deep": {Type: "Enumeration"},
			"Size": {Type: "Enumeration", Values: []string{"4", "8"}, Labels: []string{"4 kB", "8 kB"}},
		}}
	without := have
	without.Registry = nil
	for _, c := range []struct {
		name   string
		value  any
		have   facts.BMC
		change any // nil: nothing
		err    string
	}{
		{"LogicalProc", "Disabled", have, "Disabled", ""},
		{"LogicalProc", "Enabled", have, nil, ""},
		{"LogicalProc", "disabled", have, nil, "bios.attributes.LogicalProc: it may be Enabled, Disabled, and not disabled; correct it in the class, or set it by hand and remove it there"},
		{"LogicalProc", true, have, nil, "it may be Enabled, Disabled, and not true"},
		{"logicalproc", "Disabled", have, nil, `Dell R1 has no attribute of this name, only "LogicalProc"`},
		{"Absent", "a", have, nil, "Dell R1 has no attribute of this name"},
		{"Extra", "y", have, nil, "the host's BIOS attribute registry doesn't know it"},
		{"Delay", 120.0, have, 120.0, ""},
		{"Delay", 30.0, have, nil, "30 is not from 60 to 600"},
		{"Delay", 60.5, have, nil, "it takes a whole number, and 60.5 is none"},
		{"Delay", "120", have, nil, "it takes a whole number, and 120 is none"},
		{"Quoted", 120.0, have, "120", ""}, // firmware that has numbers as text gets them so
		{"Size", 8.0, have, 8.0, ""},
		{"Size", 16.0, have, nil, "it may be 4 (4 kB), 8 (8 kB), and not 16"},
		{"Tag", "rack 7", have, "rack 7", ""},
		{"Tag", 7.0, have, nil, "it takes text, and 7 is a number"},
		{"Flag", false, have, false, ""},
		{"Flag", "false", have, nil, "it takes true or false, and false is text"},
		{"Setup", "hunter2", have, nil, "it is a password, and an inventory holds none"},
		{"Fixed", "2.0", have, nil, "attribute Fixed is 1.0 and read-only"},
		{"Fixed", "1.0", have, nil, ""},
		{"Deep", "b", have, nil, "its value is neither text, number, true nor false"},

		{"LogicalProc", "Disabled", without, "Disabled", ""},
		{"LogicalProc", 0.0, without, nil, "it takes text, and 0 is a number (its BMC shows no BIOS attribute registry)"},
		{"NoSuch", "x", without, nil, "Dell R1 has no attribute of this name (its BMC shows no BIOS attribute registry)"},
		{"LogicalProc", "x", facts.BMC{Vendor: "Dell", Model: "R1"}, nil, "the BMC of this Dell R1 tells no BIOS attributes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := bios.Diff(inventory.BIOS{Attributes: map[string]any{c.name: c.value}}, c.have)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: error %v, want %q", c.value, err, c.err)
			}
			want := map[string]any{}
			if c.change != nil {
				want[c.name] = c.change
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v: -want +got:\n%s", c.value, diff)
			}
		})
	}
}

// TestRefused: neutral settings that a host can't have, each with the reason
// and what to do.
func TestRefused(t *testing.T) {
	on := true
	smt := inventory.BIOS{SMT: &on}
	for _, c := range []struct {
		name string
		want inventory.BIOS
		have facts.BMC
		err  string
	}{
		{"two that fit", smt, facts.BMC{Vendor: "Supermicro", Model: "X", BIOS: map[string]any{"SMTControl_0001": "Enabled", "SMTControl_0002": "Enabled"}},
			"bios.smt: several attributes of this Supermicro X may be it: SMTControl_0001, SMTControl_0002; name the right one under bios.attributes"},
		{"display name says another thing", smt, facts.BMC{Vendor: "AMI", Model: "X", BIOS: map[string]any{"ProcessorHyperThreadingDisable": "Disabled"},
			Registry: map[string]facts.Attribute{"ProcessorHyperThreadingDisable": enumeration("Disable Hyper-Threading", "Enabled", "Disabled")}}, "AMI X has none of the attributes known for it"},
		{"value that means nothing known", smt, facts.BMC{Vendor: "HPE", Model: "X", BIOS: map[string]any{"ProcSMT": "Perhaps"},
			Registry: map[string]facts.Attribute{"ProcSMT": enumeration("AMD SMT Option", "Perhaps", "Never")}}, "attribute ProcSMT may be Perhaps, Never, and none of them is known to mean enabled"},
		{"nested value", smt, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": map[string]any{"a": 1.0}}}, "attribute ProcSMT is map[a:1], which is neither text, number, true nor false"},
		{"no value", smt, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": nil}}, "attribute ProcSMT is <nil>, which is neither"},
		{"number without a registry", smt, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": 1.0}}, "attribute ProcSMT is 1, which is neither Disabled nor Enabled (its BMC shows no BIOS attribute registry)"},
		{"read-only", smt, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": "Disabled"},
			Registry: map[string]facts.Attribute{"ProcSMT": {Values: []string{"Enabled", "Disabled"}, ReadOnly: true}}}, "bios.smt: attribute ProcSMT is Disabled and read-only; set it by hand and remove bios.smt from the class"},
		{"the same attribute twice", inventory.BIOS{SMT: &on, Attributes: map[string]any{"ProcSMT": "Disabled"}}, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"ProcSMT": "Enabled"}},
			"bios.attributes.ProcSMT: wants ProcSMT to be Disabled, and bios.smt wants it to be Enabled; remove one of them from the class"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := bios.Diff(c.want, c.have)
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if len(got) > 0 {
				t.Errorf("and it would write %v", got)
			}
		})
	}
}

// TestAllAtOnce: one error has a line for everything that can't be set.
func TestAllAtOnce(t *testing.T) {
	want := every(true, 2, "efficient", "uefi")
	want.Attributes = map[string]any{"NoSuch": "x"}
	_, err := bios.Diff(want, facts.BMC{Vendor: "Unheard", Model: "M", BIOS: map[string]any{"A": "b"}, Registry: map[string]facts.Attribute{}})
	if err == nil || strings.Count(err.Error(), "\n") != 8 {
		t.Errorf("%v", err)
	}
}

func TestWanted(t *testing.T) {
	if bios.Wanted(inventory.BIOS{}) != nil {
		t.Error("a registry is read for nothing")
	}
	on := true
	f := bios.Wanted(inventory.BIOS{SMT: &on}, inventory.BIOS{Attributes: map[string]any{"Delay": 1.0}})
	for _, c := range []struct {
		name, display string
		want          bool
	}{
		{"LogicalProc", "", true}, {"Rome0059", "SMT Control", true}, {"Delay", "", true}, {"Hyper_Threading_ALL__F27F", "Hyper-Threading [ALL]", true},
		{"SriovGlobalEnable", "SR-IOV Global Enable", false}, {"", "", false}, {"LogicalProcX", "Logical Processor Idling", false},
	} {
		if got := f(c.name, c.display); got != c.want {
			t.Errorf("%s (%s): %v", c.name, c.display, got)
		}
	}
}

func TestState(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name      string
		setting   bios.Setting
		have      facts.BMC
		on        *bool
		word      string
		attribute string
	}{
		{"on", bios.SMT, facts.BMC{Vendor: "Dell", BIOS: map[string]any{"LogicalProc": "Enabled"}}, &yes, "enabled", "LogicalProc"},
		{"off", bios.SRIOV, facts.BMC{Vendor: "HPE", BIOS: map[string]any{"Sriov": "Disabled"}}, &no, "disabled", "Sriov"},
		{"auto is on", bios.SMT, facts.BMC{Vendor: "Cisco", BIOS: map[string]any{"CbsCpuSmtCtrl": "Auto"}}, &yes, "enabled", "CbsCpuSmtCtrl"},
		{"auto may be either", bios.IOMMU, facts.BMC{Vendor: "Cisco", BIOS: map[string]any{"CbsCmnGnbNbIOMMU": "Auto"}}, nil, "", "CbsCmnGnbNbIOMMU"},
		{"no switch", bios.NUMAPerSocket, facts.BMC{Vendor: "Dell", BIOS: map[string]any{"SubNumaCluster": "2-Way"}}, nil, "2", "SubNumaCluster"},
		{"no attribute", bios.SMT, facts.BMC{Vendor: "Dell", BIOS: map[string]any{"A": "b"}}, nil, "", ""},
		{"nothing told", bios.SMT, facts.BMC{}, nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			on, attribute := bios.State(c.setting, c.have)
			word, same := bios.Word(c.setting, c.have)
			if diff := cmp.Diff(c.on, on); diff != "" || attribute != c.attribute || word != c.word || same != attribute {
				t.Errorf("%q %q %s", attribute, word, diff)
			}
		})
	}
}
