package redfish

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// registryEntries are the parts of an AttributeRegistry (DSP0268) that decide
// what may be written. Most of a registry is text for people, up to 2 MiB: it is
// left where it came in.
type registryEntries struct {
	Attributes   []registryEntry `json:"Attributes"`
	Dependencies []registryRule  `json:"Dependencies"`
}

// registryEntry is one attribute of an AttributeRegistry.
type registryEntry struct {
	Name      text   `json:"AttributeName"`
	Display   text   `json:"DisplayName"`
	Type      text   `json:"Type"`
	ReadOnly  flag   `json:"ReadOnly"`
	Immutable flag   `json:"Immutable"`
	GrayOut   flag   `json:"GrayOut"`
	Least     number `json:"LowerBound"`
	Most      number `json:"UpperBound"`
	Values    []struct {
		Name    json.RawMessage `json:"ValueName"`
		Display text            `json:"ValueDisplayName"`
	} `json:"Value"`
}

// kept returns the entries that matter, with what the present values make of
// them.
func (r registryEntries) kept(now map[string]any, matters func(name, display string) bool) map[string]facts.Attribute {
	out := map[string]facts.Attribute{}
	for _, e := range r.Attributes {
		if e.Name != "" && matters(string(e.Name), string(e.Display)) {
			out[string(e.Name)] = e.attribute(now[string(e.Name)])
		}
	}
	for _, rule := range r.Dependencies {
		name, d, ok := rule.dependency()
		if a, known := out[name]; ok && known {
			a.Depends = append(a.Depends, d)
			out[name] = a
		}
	}
	for name, a := range out {
		why, locked := a.Locked(now)
		if locked {
			a.ReadOnly, a.Why = true, why
			out[name] = a
		}
	}
	return out
}

// attribute turns an entry into what decides about writing. Supermicro's
// firmware has display names as values, where the registry's value names are
// numbers: the present value tells which of both is written.
func (e registryEntry) attribute(now any) facts.Attribute {
	a := facts.Attribute{Display: string(e.Display), Type: string(e.Type), ReadOnly: e.ReadOnly.value || e.Immutable.value || e.GrayOut.value}
	var names, labels []string
	for _, v := range e.Values {
		name := valueName(v.Name)
		label := string(v.Display)
		if label == "" {
			label = name
		}
		names, labels = append(names, name), append(labels, label)
	}
	shown, isText := now.(string)
	switch {
	case isText && !slices.Contains(names, shown) && slices.Contains(labels, shown):
		a.Values = labels
	case slices.Equal(names, labels):
		a.Values = names
	default:
		a.Values, a.Labels = names, labels
	}
	if e.Type == "Integer" && e.Most.value > e.Least.value { // both 0: not told
		a.Least, a.Most = &e.Least.value, &e.Most.value
	}
	return a
}

func valueName(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw)) // a number or a truth value, as it is written
}

// registryRule is one dependency of an AttributeRegistry.
type registryRule struct {
	For        text `json:"DependencyFor"`
	Dependency struct {
		From []struct {
			Attribute text `json:"MapFromAttribute"`
			Property  text `json:"MapFromProperty"`
			Is        text `json:"MapFromCondition"`
			Value     any  `json:"MapFromValue"`
			Terms     text `json:"MapTerms"`
		} `json:"MapFrom"`
		To       text `json:"MapToAttribute"`
		Property text `json:"MapToProperty"`
		Value    any  `json:"MapToValue"`
	} `json:"Dependency"`
}

// dependency returns the rule, and the attribute that it is about. Rules that
// look at anything but present values are left out: who can't judge them leaves
// the refusal to the firmware.
func (rule registryRule) dependency() (name string, d facts.Dependency, ok bool) {
	if len(rule.Dependency.From) == 0 {
		return "", d, false
	}
	name = string(rule.Dependency.To)
	if name == "" {
		name = string(rule.For)
	}
	d = facts.Dependency{Property: string(rule.Dependency.Property), Value: rule.Dependency.Value}
	from := rule.Dependency.From
	// A term stands with the later of the two conditions that it joins (HPE),
	// or with the earlier one (Lenovo, Supermicro): then the first has one.
	early := from[0].Terms != ""
	for i, f := range from {
		terms := f.Terms
		if early && i > 0 {
			terms = from[i-1].Terms
		}
		if i > 0 && terms != "" && terms != "AND" && terms != "OR" || f.Property != "CurrentValue" && f.Property != "" {
			return "", d, false
		}
		d.When = append(d.When, facts.Condition{And: i > 0 && terms == "AND", Attribute: string(f.Attribute), Is: string(f.Is), Value: f.Value})
	}
	return name, d, slices.Contains([]string{"ReadOnly", "GrayOut", "Hidden", "CurrentValue"}, d.Property)
}
