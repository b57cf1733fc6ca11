package redfish_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// entries is a small registry: a profile drives C-states.
const entries = `{"Attributes":[
	{"AttributeName":"Profile","DisplayName":"System Profile","Type":"Enumeration","ReadOnly":false,"Value":[{"ValueName":"Fast","ValueDisplayName":"Fast"},{"ValueName":"Custom","ValueDisplayName":"Custom"}]},
	{"AttributeName":"CStates","DisplayName":"C States","Type":"Enumeration","ReadOnly":false,"Value":[{"ValueName":"Enabled"},{"ValueName":"Disabled"}]},
	{"AttributeName":"Opaque1","DisplayName":"SMT Control","Type":"Enumeration","Value":[{"ValueName":0,"ValueDisplayName":"Disable"},{"ValueName":1,"ValueDisplayName":"Auto"}]},
	{"AttributeName":"Shown_F27F","DisplayName":"Shown","Type":"Enumeration","Value":[{"ValueName":"0","ValueDisplayName":"Enable"},{"ValueName":"1","ValueDisplayName":"Disable"}]},
	{"AttributeName":"Delay","Type":"Integer","LowerBound":60,"UpperBound":600},
	{"AttributeName":"Version","Type":"String","ReadOnly":true,"LowerBound":0,"UpperBound":0},
	{"AttributeName":"Both","Type":"Enumeration","Value":[{"ValueName":"x"}]},
	{"AttributeName":"Other","Type":"String"},
	{"DisplayName":"no name"}, 7, null
],"Dependencies":[
	{"DependencyFor":"CStates","Type":"Map","Dependency":{"MapFrom":[{"MapFromAttribute":"Profile","MapFromProperty":"CurrentValue","MapFromCondition":"NEQ","MapFromValue":"Custom"}],"MapToAttribute":"CStates","MapToProperty":"ReadOnly","MapToValue":true}},
	{"DependencyFor":"Both","Type":"Map","Dependency":{"MapFrom":[{"MapFromAttribute":"Profile","MapFromProperty":"CurrentValue","MapFromCondition":"EQU","MapFromValue":"Fast","MapTerms":"AND"},
		{"MapFromAttribute":"Delay","MapFromProperty":"CurrentValue","MapFromCondition":"GTR","MapFromValue":100}],"MapToAttribute":"Both","MapToProperty":"GrayOut","MapToValue":true}},
	{"Dependency":{"MapFrom":[{"MapFromAttribute":"Profile","MapFromProperty":"Hidden","MapFromCondition":"EQU","MapFromValue":true}],"MapToAttribute":"Delay","MapToProperty":"ReadOnly","MapToValue":true}},
	{"Dependency":{"MapFrom":[{"MapFromAttribute":"Profile","MapFromProperty":"CurrentValue","MapFromCondition":"EQU","MapFromValue":"Fast"}],"MapToAttribute":"Unread","MapToProperty":"ReadOnly","MapToValue":true}},
	{"Dependency":{"MapFrom":[],"MapToAttribute":"CStates"}}, null
]}`

// read are the entries as they are kept.
func read() map[string]facts.Attribute {
	least, most := 60.0, 600.0
	when := func(and bool, attribute, is string, value any) facts.Condition {
		return facts.Condition{And: and, Attribute: attribute, Is: is, Value: value}
	}
	return map[string]facts.Attribute{
		"Profile": {Display: "System Profile", Type: "Enumeration", Values: []string{"Fast", "Custom"}},
		"CStates": {Display: "C States", Type: "Enumeration", Values: []string{"Enabled", "Disabled"}, ReadOnly: true, Why: "Profile is Fast and not Custom",
			Depends: []facts.Dependency{{When: []facts.Condition{when(false, "Profile", "NEQ", "Custom")}, Property: "ReadOnly", Value: true}}},
		"Opaque1":    {Display: "SMT Control", Type: "Enumeration", Values: []string{"0", "1"}, Labels: []string{"Disable", "Auto"}},
		"Shown_F27F": {Display: "Shown", Type: "Enumeration", Values: []string{"Enable", "Disable"}},
		"Delay":      {Type: "Integer", Least: &least, Most: &most},
		"Version":    {Type: "String", ReadOnly: true},
		"Both": {Type: "Enumeration", Values: []string{"x"},
			Depends: []facts.Dependency{{When: []facts.Condition{when(false, "Profile", "EQU", "Fast"), when(true, "Delay", "GTR", 100.0)}, Property: "GrayOut", Value: true}}},
	}
}

// registered is a controller whose BIOS names a registry; the rest is up to
// the test.
func registered(more map[string]string) tree {
	t := tree{
		"/redfish/v1":           []byte(`{"Vendor":"V","Systems":{"@odata.id":"/redfish/v1/Systems"},"Registries":{"@odata.id":"/redfish/v1/Registries"}}`),
		"/redfish/v1/systems":   []byte(`{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]}`),
		"/redfish/v1/systems/1": []byte(`{"SerialNumber":"S1","Bios":{"@odata.id":"/redfish/v1/Systems/1/Bios"}}`),
		"/redfish/v1/systems/1/bios": []byte(`{"AttributeRegistry":"BiosAttributeRegistry.v1_0_3",
			"Attributes":{"Profile":"Fast","CStates":"Enabled","Opaque1":1,"Shown_F27F":"Enable","Delay":60,"Version":"1","Both":"x","Other":"y"}}`),
	}
	for path, body := range more {
		t[path] = []byte(body)
	}
	return t
}

func TestRegistry(t *testing.T) {
	packed := &bytes.Buffer{}
	z := gzip.NewWriter(packed)
	_, _ = z.Write([]byte(`{"RegistryEntries":` + entries + `}`))
	_ = z.Close()
	const (
		collection = "/redfish/v1/registries"
		member     = collection + "/biosattributeregistry.v1_0_3"
		members    = `{"Members":[{"@odata.id":"/redfish/v1/Registries/Base"},{"@odata.id":"/redfish/v1/Registries/BiosAttributeRegistry.v1_0_3"}]}`
		itself     = `{"RegistryEntries":` + entries + `}`
	)
	for _, c := range []struct {
		name string
		tree map[string]string
		want map[string]facts.Attribute // nil: there is none
		err  string                     // in what could not be read
	}{
		{"by languages", map[string]string{collection: members, member: `{"Location":[{"Language":"zh","Uri":"/zh"},{"Language":"En","Uri":"/registries/bios.json"}]}`, "/registries/bios.json": itself}, read(), ""},
		{"one language, one entry", map[string]string{collection: members, member: `{"Location":{"Uri":"/r"}}`, "/r": itself}, read(), ""},
		{"relative", map[string]string{collection: members, member: `{"Location":[{"Uri":"Bios.json"}]}`, member + "/bios.json": itself}, read(), ""},
		{"an object that holds the path", map[string]string{collection: members, member: `{"Location":[{"Language":"en","Uri":{"extref":"/r"}}]}`, "/r": itself}, read(), ""},
		{"packed whatever is asked for", map[string]string{collection: members, member: `{"Location":[{"Uri":"/r.gz"}]}`, "/r.gz": packed.String()}, read(), ""},
		{"the registry in place of the file", map[string]string{collection: members, member: itself}, read(), ""},
		{"another version", map[string]string{collection: `{"Members":[{"@odata.id":"/redfish/v1/Registries/BiosAttributeRegistry.v1_0_0"}]}`, collection + "/biosattributeregistry.v1_0_0": itself}, read(), ""},
		{"without version", map[string]string{collection: `{"Members":[{"@odata.id":"/redfish/v1/Registries/BiosAttributeRegistry/"},{"@odata.id":"/redfish/v1/Registries/BiosAttributeRegistryX.v1"}]}`,
			collection + "/biosattributeregistry": itself}, read(), ""},
		{"second page", map[string]string{collection: `{"Members":[],"Members@odata.nextLink":"/redfish/v1/Registries/more"}`, collection + "/more": members, member: itself}, read(), ""},

		{"two that may be it", map[string]string{collection: `{"Members":[{"@odata.id":"/a/BiosAttributeRegistry.v1_0_0"},{"@odata.id":"/a/BiosAttributeRegistry.v1_0_1"}]}`}, nil, ""},
		{"no collection", nil, nil, ""},
		{"not in the collection", map[string]string{collection: `{"Members":[{"@odata.id":"/redfish/v1/Registries/Base"}]}`}, nil, ""},
		{"file is gone", map[string]string{collection: members}, nil, ""},
		{"no location", map[string]string{collection: members, member: `{"Location":[]}`}, nil, ""},
		{"location on another machine", map[string]string{collection: members, member: `{"Location":[{"Uri":"https://example.org/bios.json"}]}`}, nil, ""},
		{"registry is gone", map[string]string{collection: members, member: `{"Location":[{"Uri":"/r"}]}`}, nil, ""},
		{"file is its own registry", map[string]string{collection: members, member: `{"Location":[{"Uri":"/redfish/v1/Registries/BiosAttributeRegistry.v1_0_3"}]}`}, nil, ""},
		{"no JSON", map[string]string{collection: members, member: `<html>`}, nil, "GET /redfish/v1/Registries/BiosAttributeRegistry.v1_0_3"},
		{"packed badly", map[string]string{collection: members, member: "\x1f\x8bnot"}, nil, "unpack the registry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, seen := open(t, registered(c.tree), func(cfg *redfish.Config) {
				cfg.Attributes = func(name, _ string) bool { return name != "Other" }
			})
			got, err := client.Facts(t.Context())
			if err != nil || !got.Reached || len(got.BIOS) != 8 {
				t.Fatalf("%+v %v", got, err)
			}
			if diff := cmp.Diff(c.want, got.Registry); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (got.Err == "") != (c.err == "") || !strings.Contains(got.Err, c.err) {
				t.Errorf("could not be read: %q, want %q", got.Err, c.err)
			}
			if seen.count("GET /redfish/v1/Registries/Base") > 0 || seen.count("GET https") > 0 {
				t.Errorf("too much was read: %v", seen.seen)
			}
		})
	}
}

// TestRegistryUnasked: who wants no settings reads no registry.
func TestRegistryUnasked(t *testing.T) {
	client, seen := open(t, registered(nil), nil)
	if got, err := client.Facts(t.Context()); err != nil || got.Registry != nil {
		t.Errorf("%+v %v", got.Registry, err)
	}
	if seen.count("GET /redfish/v1/Registries") > 0 {
		t.Errorf("%v", seen.seen)
	}
}

// TestRegistryBroken: a registry that can't be had now is a part that is
// missing, not a controller without one.
func TestRegistryBroken(t *testing.T) {
	client, _ := open(t, front(registered(nil), func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/redfish/v1/Registries") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}), func(cfg *redfish.Config) { cfg.Attributes = func(string, string) bool { return true } })
	got, err := client.Facts(t.Context())
	if err != nil || !strings.Contains(got.Err, "GET /redfish/v1/Registries: 403 Forbidden") || got.Registry != nil {
		t.Errorf("%q %v", got.Err, err)
	}
}
