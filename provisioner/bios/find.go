package bios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// plain keeps of a text what firmware agrees on: letters and digits, in lower
// case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

// find returns the attribute of a setting on this firmware, and its line of
// the table.
func find(s Setting, have facts.BMC) (string, line, error) {
	if have.BIOS == nil {
		return "", line{}, fmt.Errorf("the BMC of this %s %s tells no BIOS attributes", have.Vendor, have.Model)
	}
	known := false
	for _, l := range lines() {
		if l.setting != s || !l.fits(have.Vendor) {
			continue
		}
		known = known || l.vendors != nil
		names := l.matches(have)
		if len(names) > 1 {
			return "", line{}, fmt.Errorf("several attributes of this %s %s may be it: %s; name the right one under bios.attributes", have.Vendor, have.Model, strings.Join(names, ", "))
		}
		if len(names) == 1 {
			return names[0], l, nil
		}
	}
	if !known {
		return "", line{}, fmt.Errorf("no attribute is known for vendor %q", have.Vendor)
	}
	return "", line{}, fmt.Errorf("%s %s has none of the attributes known for it", have.Vendor, have.Model)
}

// fits reports whether a line is for a vendor.
func (l line) fits(vendor string) bool {
	vendor = strings.ToLower(vendor)
	return l.vendors == nil || slices.ContainsFunc(l.vendors, func(v string) bool { return strings.HasPrefix(vendor, v) })
}

// matches returns the attributes of the firmware that a line means. A display
// name that nobody told fits a line that has a name; a line that has none needs it.
func (l line) matches(have facts.BMC) []string {
	names := l.named(have)
	if l.display == "" || len(names) == 0 {
		return names
	}
	display := whole(l.display)
	return slices.DeleteFunc(names, func(n string) bool {
		shown := plain(have.Registry[n].Display)
		return shown == "" && l.name == "" || shown != "" && !display.MatchString(shown)
	})
}

// named returns the attributes that have the line's name. Most names are no
// patterns, and firmware has hundreds of attributes.
func (l line) named(have facts.BMC) []string {
	var out []string
	switch {
	case l.name == "":
		for n := range have.Registry {
			if _, ok := have.BIOS[n]; ok {
				out = append(out, n)
			}
		}
	case regexp.QuoteMeta(l.name) == l.name:
		if _, ok := have.BIOS[l.name]; ok {
			out = append(out, l.name)
		}
	default:
		pattern := whole(l.name)
		for n := range have.BIOS {
			if pattern.MatchString(n) {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Wanted returns which entries of an attribute registry decide what these
// settings become: a function of an attribute's name and its DisplayName. It
// is nil when nothing is wanted, and no registry needs to be read.
func Wanted(wants ...inventory.BIOS) func(name, display string) bool {
	raws, settings := map[string]bool{}, map[Setting]bool{}
	for _, want := range wants {
		for _, c := range choices(want) {
			settings[c.setting] = true
		}
		for name := range want.Attributes {
			raws[name] = true
		}
	}
	if len(raws) == 0 && len(settings) == 0 {
		return nil
	}
	var names, displays []string
	for _, l := range lines() {
		switch {
		case !settings[l.setting]:
		case l.name != "":
			names = append(names, l.name)
		default:
			displays = append(displays, l.display)
		}
	}
	name, display := whole(strings.Join(names, "|")), whole(strings.Join(displays, "|"))
	return func(n, d string) bool {
		shown := plain(d)
		return raws[n] || n != "" && name.MatchString(n) || shown != "" && display.MatchString(shown)
	}
}

// translate returns the attribute of a wanted setting and its value.
func translate(c choice, have facts.BMC) (string, any, error) {
	name, l, err := find(c.setting, have)
	if err != nil {
		return "", nil, err
	}
	value, err := l.value(c.word, name, have)
	return name, value, err
}

// value returns what an attribute is to be for a neutral word. What means that
// already, now or after the next POST, is left as it is.
func (l line) value(word, name string, have facts.BMC) (any, error) {
	now, allowed := have.BIOS[name], have.Registry[name]
	if pending, ok := have.PendingBIOS[name]; ok {
		now = pending
	}
	switch now.(type) {
	case string, bool, float64:
	default:
		return nil, fmt.Errorf("attribute %s is %v, which is neither text, number, true nor false", name, now)
	}
	is := l.means(now, allowed)
	if is == word {
		return now, nil
	}
	spellings, ok := l.values[word]
	if !ok {
		return nil, fmt.Errorf("attribute %s has no value that is known to mean %s", name, word)
	}
	if len(allowed.Values) > 0 {
		if v, ok := pick(allowed, spellings); ok {
			return typed(v, now)
		}
		return nil, fmt.Errorf("attribute %s may be %s, and none of them is known to mean %s", name, list(allowed), word)
	}
	if is == "" {
		return nil, fmt.Errorf("attribute %s is %s, which is neither %s", name, text(now), strings.Join(l.words(), " nor "))
	}
	return l.counterpart(name, word, is, now)
}

// means returns the neutral word of a value; empty is none that is known.
func (l line) means(v any, allowed facts.Attribute) string {
	texts := []string{plain(text(v))}
	if i := slices.Index(allowed.Values, text(v)); i >= 0 && i < len(allowed.Labels) {
		texts = append(texts, plain(allowed.Labels[i]))
	}
	for _, t := range texts {
		for _, word := range slices.Sorted(maps.Keys(l.values)) {
			if slices.ContainsFunc(l.values[word], func(s string) bool { return plain(s) == t }) {
				return word
			}
		}
	}
	return ""
}

// words lists the values of a line, as the best spelling of each word.
func (l line) words() []string {
	var out []string
	for _, word := range slices.Sorted(maps.Keys(l.values)) {
		out = append(out, l.values[word][0])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// pick returns the allowed value for the first spelling that there is, by
// value or by what the registry shows to people.
func pick(allowed facts.Attribute, spellings []string) (string, bool) {
	for _, s := range spellings {
		for _, shown := range [][]string{allowed.Values, allowed.Labels} {
			i := slices.IndexFunc(shown, func(v string) bool { return plain(v) == plain(s) })
			if i >= 0 && i < len(allowed.Values) {
				return allowed.Values[i], true
			}
		}
	}
	return "", false
}

// list writes the allowed values for people.
func list(allowed facts.Attribute) string {
	var out []string
	for i, v := range allowed.Values {
		if i < len(allowed.Labels) && allowed.Labels[i] != v {
			v += " (" + allowed.Labels[i] + ")"
		}
		out = append(out, v)
	}
	return strings.Join(out, ", ")
}

// counterpart returns the spelling of a word that belongs to how the firmware
// spells what it has now.
func (l line) counterpart(name, word, is string, now any) (any, error) {
	var fit []string
	for i, s := range l.values[is] {
		if plain(s) != plain(text(now)) || i >= len(l.values[word]) {
			continue
		}
		other := l.values[word][i]
		switch now {
		case strings.ToLower(s):
			other = strings.ToLower(other)
		case strings.ToUpper(s):
			other = strings.ToUpper(other)
		}
		fit = append(fit, other)
	}
	slices.Sort(fit)
	fit = slices.Compact(fit)
	if len(fit) != 1 {
		return nil, fmt.Errorf("attribute %s is %s, and nothing tells how this firmware writes %s", name, text(now), word)
	}
	return typed(fit[0], now)
}

// typed gives a value the JSON type that the attribute has.
func typed(v string, like any) (any, error) {
	switch like.(type) {
	case float64:
		return number(v)
	case bool:
		switch v {
		case "true", "false":
			return v == "true", nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", v)
	}
	return v, nil
}

// State reads a neutral switch: whether it is on, and which attribute told. A
// nil on is unknown; an empty attribute says that the firmware has none that is
// known for the setting.
func State(s Setting, have facts.BMC) (on *bool, attribute string) {
	word, attribute := Word(s, have)
	if word == enabled || word == disabled {
		yes := word == enabled
		on = &yes
	}
	return on, attribute
}

// Word reads a neutral setting: "enabled", "2", "performance", "uefi" and so
// on, and which attribute told. An empty word is unknown.
func Word(s Setting, have facts.BMC) (word, attribute string) {
	name, l, err := find(s, have)
	if err != nil {
		return "", ""
	}
	return l.means(have.BIOS[name], have.Registry[name]), name
}
