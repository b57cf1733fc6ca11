package facts

import (
	"fmt"
	"strconv"
	"strings"
)

// Dependency is one rule of a BIOS attribute registry (DSP0268
// AttributeRegistry, Dependencies): while When holds, Property of the attribute
// has this value.
type Dependency struct {
	When     []Condition `json:"when"`
	Property string      `json:"property"` // "ReadOnly", "GrayOut", "Hidden", "CurrentValue"
	Value    any         `json:"value,omitempty"`
}

// Condition holds one attribute's value against another value.
type Condition struct {
	And       bool   `json:"and,omitempty"` // joined to those before it by and; else by or
	Attribute string `json:"attribute"`
	Is        string `json:"is"` // "EQU", "NEQ", "GTR", "GEQ", "LSS", "LEQ"
	Value     any    `json:"value"`
}

// truth is what is known of a condition. The order makes min an and, max an or.
type truth int

const (
	no truth = iota
	unknown
	yes
)

// Holds reports whether the condition of the dependency is met by these
// attributes. What can't be told is not met. The conditions are read from left
// to right, as registries write them.
func (d Dependency) Holds(now map[string]any) bool {
	if len(d.When) == 0 {
		return false
	}
	all := d.When[0].truth(now)
	for _, c := range d.When[1:] {
		if c.And {
			all = min(all, c.truth(now))
		} else {
			all = max(all, c.truth(now))
		}
	}
	return all == yes
}

func (c Condition) truth(now map[string]any) truth {
	have, ok := now[c.Attribute]
	if !ok || have == nil || c.Value == nil {
		return unknown
	}
	x, xNumber := number(have)
	y, yNumber := number(c.Value)
	if xNumber != yNumber {
		return unknown // a number that stands for a word, known only to the firmware
	}
	same := fmt.Sprint(have) == fmt.Sprint(c.Value)
	if xNumber {
		same = x == y
	}
	met := false
	switch c.Is {
	case "EQU":
		met = same
	case "NEQ":
		met = !same
	case "GTR":
		met = xNumber && x > y
	case "GEQ":
		met = xNumber && x >= y
	case "LSS":
		met = xNumber && x < y
	case "LEQ":
		met = xNumber && x <= y
	default:
		return unknown
	}
	if met {
		return yes
	}
	return no
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case string:
		f, err := strconv.ParseFloat(n, 64)
		return f, err == nil
	}
	return 0, false
}

// because tells the conditions that are met: "SysProfile is PerfOptimized and
// not Custom".
func (d Dependency) because(now map[string]any) string {
	var words []string
	for _, c := range d.When {
		if c.truth(now) != yes {
			continue
		}
		text := fmt.Sprintf("%s is %v", c.Attribute, now[c.Attribute])
		if c.Is == "NEQ" {
			text += fmt.Sprintf(" and not %v", c.Value)
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

// Locked reports whether dependencies keep the attribute from being written
// while the attributes have these values, and why. ReadOnly of the attribute
// itself is not looked at.
func (a Attribute) Locked(now map[string]any) (why string, locked bool) {
	reasons := map[string]string{}
	for _, d := range a.Depends {
		if d.Property == "CurrentValue" || !d.Holds(now) {
			continue
		}
		if on, isBool := d.Value.(bool); isBool && on {
			reasons[d.Property] = d.because(now)
		} else {
			delete(reasons, d.Property)
		}
	}
	for _, property := range []string{"ReadOnly", "GrayOut", "Hidden"} {
		if why, ok := reasons[property]; ok {
			return why, true
		}
	}
	return "", false
}

// Forced returns the value that the firmware gives the attribute by itself
// when the attributes go from one set of values to another.
func (a Attribute) Forced(from, to map[string]any) (value any, forced bool) {
	for _, d := range a.Depends {
		if d.Property == "CurrentValue" && d.Holds(to) && !d.Holds(from) {
			value, forced = d.Value, true
		}
	}
	return value, forced
}
