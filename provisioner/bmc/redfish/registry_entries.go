package redfish

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// registryEntries are the parts of an AttributeRegistry (DSP0268) that decide
// what may be written. Most of a registry is text for people, up to 2 MiB: it is
// left where it came in.
type registryEntries struct {
	Attributes   []registryEntry `json:"Attributes"`
	Dependencies []registryRule  `json:"Dependencies"`
}

// registryEntry is one attribute of an AttributeRegistry. Its types are plain,
// unlike elsewhere: there are hundreds, and a value of another type is absent
// all the same (see decode).
type registryEntry struct {
	Name      string   `json:"AttributeName"`
	Display   string   `json:"DisplayName"`
	Type      string   `json:"Type"`
	ReadOnly  bool     `json:"ReadOnly"`
	Immutable bool     `json:"Immutable"`
	GrayOut   bool     `json:"GrayOut"`
	Least     *float64 `json:"LowerBound"`
	Most      *float64 `json:"UpperBound"`
	Values    []struct {
		Name    any    `json:"ValueName"`
		Display string `json:"ValueDisplayName"`
	} `json:"Value"`
}

// kept returns the entries that matter, with what the present values make of
// them.
func (r registryEntries) kept(now map[string]any, matters func(name, display string) bool) map[string]facts.Attribute {
	out := map[string]facts.Attribute{}
	for _, e := range r.Attributes {
		if e.Name != "" && matters(e.Name, e.Display) {
			out[e.Name] = e.attribute(now[e.Name])
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
	a := facts.Attribute{Display: e.Display, Type: e.Type, ReadOnly: e.ReadOnly || e.Immutable || e.GrayOut}
	var names, labels []string
	for _, v := range e.Values {
		name := valueName(v.Name)
		label := v.Display
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
	if e.Type == "Integer" && e.Least != nil && e.Most != nil && *e.Most > *e.Least { // both 0: not told
		a.Least, a.Most = e.Least, e.Most
	}
	return a
}

// valueName writes the name of a value; some are numbers or truth values.
func valueName(v any) string {
	if n, ok := v.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// registryRule is one dependency of an AttributeRegistry.
type registryRule struct {
	For        string `json:"DependencyFor"`
	Dependency struct {
		From []struct {
			Attribute string `json:"MapFromAttribute"`
			Property  string `json:"MapFromProperty"`
			Is        string `json:"MapFromCondition"`
			Value     any    `json:"MapFromValue"`
			Terms     string `json:"MapTerms"`
		} `json:"MapFrom"`
		To       string `json:"MapToAttribute"`
		Property string `json:"MapToProperty"`
		Value    any    `json:"MapToValue"`
	} `json:"Dependency"`
}

// dependency returns the rule, and the attribute that it is about. Rules that
// look at anything but present values are left out: who can't judge them leaves
// the refusal to the firmware.
func (rule registryRule) dependency() (name string, d facts.Dependency, ok bool) {
	if len(rule.Dependency.From) == 0 {
		return "", d, false
	}
	name = rule.Dependency.To
	if name == "" {
		name = rule.For
	}
	d = facts.Dependency{Property: rule.Dependency.Property, Value: rule.Dependency.Value}
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
		d.When = append(d.When, facts.Condition{And: i > 0 && terms == "AND", Attribute: f.Attribute, Is: f.Is, Value: f.Value})
	}
	return name, d, slices.Contains([]string{"ReadOnly", "GrayOut", "Hidden", "CurrentValue"}, d.Property)
}
