package facts_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// TestHolds quotes DSP0268, AttributeRegistry, Dependencies: conditions are
// EQU, NEQ, GTR, GEQ, LSS and LEQ, joined by AND and OR.
func TestHolds(t *testing.T) {
	c := func(attribute, is string, value any) facts.Condition {
		return facts.Condition{Attribute: attribute, Is: is, Value: value}
	}
	and := func(c facts.Condition) facts.Condition { c.And = true; return c }
	now := map[string]any{"Profile": "Fast", "Cores": 20.0, "Flag": true, "Text": "7", "Null": nil}
	for _, x := range []struct {
		name string
		when []facts.Condition
		want bool
	}{
		{"none", nil, false},
		{"equal", []facts.Condition{c("Profile", "EQU", "Fast")}, true},
		{"not equal", []facts.Condition{c("Profile", "NEQ", "Fast")}, false},
		{"truth values", []facts.Condition{c("Flag", "EQU", true)}, true},
		{"numbers", []facts.Condition{c("Cores", "GTR", 19.0), and(c("Cores", "LEQ", 20.0)), and(c("Cores", "GEQ", 20.0)), and(c("Cores", "LSS", 21.0))}, true},
		{"number as text", []facts.Condition{c("Text", "EQU", 7.0)}, true},
		{"or", []facts.Condition{c("Profile", "EQU", "Slow"), c("Profile", "EQU", "Fast")}, true},
		{"and", []facts.Condition{c("Profile", "EQU", "Fast"), and(c("Cores", "LSS", 20.0))}, false},
		{"from left to right", []facts.Condition{c("Profile", "EQU", "Fast"), c("Profile", "EQU", "Fast"), and(c("Cores", "EQU", 1.0))}, false},
		{"absent is not met", []facts.Condition{c("Nobody", "NEQ", "x")}, false},
		{"null is not met", []facts.Condition{c("Null", "NEQ", "x")}, false},
		{"a number that stands for a word", []facts.Condition{c("Profile", "NEQ", 1.0)}, false},
		{"unknown word", []facts.Condition{c("Profile", "LIKE", "Fast")}, false},
		{"unknown or met", []facts.Condition{c("Nobody", "EQU", "x"), c("Profile", "EQU", "Fast")}, true},
		{"unknown and met", []facts.Condition{c("Nobody", "EQU", "x"), and(c("Profile", "EQU", "Fast"))}, false},
	} {
		if got := (facts.Dependency{When: x.when}).Holds(now); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

func TestLocked(t *testing.T) {
	when := func(value any) []facts.Condition { return []facts.Condition{{Attribute: "P", Is: "EQU", Value: value}} }
	a := facts.Attribute{Depends: []facts.Dependency{
		{When: when("a"), Property: "Hidden", Value: true},
		{When: when("b"), Property: "CurrentValue", Value: "x"},
		{When: []facts.Condition{{Attribute: "P", Is: "NEQ", Value: "d"}}, Property: "ReadOnly", Value: true},
		{When: when("c"), Property: "ReadOnly", Value: false}, // a later rule opens what an earlier one closed
	}}
	for p, want := range map[string]string{"a": "P is a and not d", "b": "P is b and not d", "c": "", "d": ""} {
		if why, locked := a.Locked(map[string]any{"P": p}); why != want || locked != (want != "") {
			t.Errorf("P is %s: locked %v because %q", p, locked, why)
		}
	}
	if v, forced := a.Forced(map[string]any{"P": "a"}, map[string]any{"P": "b"}); v != "x" || !forced {
		t.Errorf("%v %v", v, forced)
	}
	if _, forced := a.Forced(map[string]any{"P": "b"}, map[string]any{"P": "b"}); forced {
		t.Error("nothing changed, and the firmware changes the value")
	}
}

// TestUnknownNeverHolds: what can't be told closes nothing, however it is
// joined to more of the same.
func TestUnknownNeverHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d facts.Dependency
		for range rapid.IntRange(0, 4).Draw(t, "conditions") {
			d.When = append(d.When, facts.Condition{
				And: rapid.Bool().Draw(t, "and"), Attribute: "absent",
				Is:    rapid.SampledFrom([]string{"EQU", "NEQ", "GTR", "GEQ", "LSS", "LEQ", ""}).Draw(t, "is"),
				Value: rapid.SampledFrom([]any{"x", 1.0, true, nil}).Draw(t, "value"),
			})
		}
		if d.Holds(map[string]any{"other": "x"}) {
			t.Fatalf("%+v", d)
		}
	})
}
