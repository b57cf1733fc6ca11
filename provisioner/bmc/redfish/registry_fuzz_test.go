package redfish

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzRegistry feeds what may be a registry, or the file that tells where it
// is, to all that reads them.
func FuzzRegistry(f *testing.F) {
	for _, seed := range []string{
		`{"Attributes":[{"AttributeName":"A","DisplayName":"a","Type":"Enumeration","ReadOnly":false,"Value":[{"ValueName":"x","ValueDisplayName":"X"},{"ValueName":1}]}],` +
			`"Dependencies":[{"DependencyFor":"A","Dependency":{"MapFrom":[{"MapFromAttribute":"B","MapFromProperty":"CurrentValue","MapFromCondition":"NEQ","MapFromValue":"y","MapTerms":"AND"},` +
			`{"MapFromAttribute":"C","MapFromCondition":"GTR","MapFromValue":2}],"MapToAttribute":"A","MapToProperty":"ReadOnly","MapToValue":true}}]}`,
		`{"Attributes":[{"AttributeName":"A","Type":"Integer","LowerBound":-1,"UpperBound":"7"},null],"Dependencies":[null,{}]}`,
		`[{"Language":"en","Uri":"/redfish/v1/Registries/X.json"},{"Language":"ja","Uri":{"extref":"/x"}}]`, `{"Uri":"https://h/x"}`, `{"Uri":"../x?y=z"}`,
		"\x1f\x8b\x08", `"BiosAttributeRegistry.v1_0_3"`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		now := map[string]any{"A": "x", "B": "z", "C": 3.0}
		var entries registryEntries
		if decode(data, &entries) == nil {
			out := entries.kept(now, func(name, _ string) bool { return name != "no" })
			for name, a := range out {
				why, locked := a.Locked(now)
				if locked && (!a.ReadOnly || a.Why != why) || !locked && a.Why != "" {
					t.Errorf("%s: read-only %v because %q, locked %v because %q", name, a.ReadOnly, a.Why, locked, why)
				}
				if a.Labels != nil && len(a.Labels) != len(a.Values) || name == "" || name == "no" {
					t.Errorf("%q: %d values, %d labels", name, len(a.Values), len(a.Labels))
				}
			}
		}
		var raw json.RawMessage
		if json.Unmarshal(data, &raw) == nil {
			if at := location(raw, "/redfish/v1/Registries/X", "https://h"); at != "" && !strings.HasPrefix(string(at), "/") {
				t.Errorf("location %q", at)
			}
		}
		if at := named([]path{path(data), "/a/BiosAttributeRegistry.v1_0_0"}, string(data)); at != "" && at != path(data) && at != "/a/BiosAttributeRegistry.v1_0_0" {
			t.Errorf("named %q", at)
		}
		if _, err := unpacked(data); err != nil && len(data) < 2 {
			t.Error(err)
		}
		state, _ := taskState(data)
		if state == JobNone {
			t.Error("a task without a state")
		}
	})
}
