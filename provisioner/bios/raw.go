package bios

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// raw checks an attribute that the inventory names itself, and returns its
// value in the JSON type that the firmware has. Without a registry only an
// attribute that is there may be written, and only with the type that it has.
func raw(name string, want any, have facts.BMC) (any, error) {
	now, there := have.BIOS[name]
	allowed, known := have.Registry[name]
	switch {
	case have.BIOS == nil:
		return nil, fmt.Errorf("the BMC of this %s %s tells no BIOS attributes", have.Vendor, have.Model)
	case !there:
		return nil, fmt.Errorf("%s %s has no attribute of this name%s", have.Vendor, have.Model, near(name, have.BIOS))
	case have.Registry != nil && !known:
		return nil, errors.New("the host's BIOS attribute registry doesn't know it")
	case allowed.Type == "Password":
		return nil, errors.New("it is a password, and an inventory holds none")
	}
	if _, nested := now.(map[string]any); nested {
		return nil, errors.New("its value is neither text, number, true nor false")
	}
	switch {
	case len(allowed.Values) > 0:
		if !slices.Contains(allowed.Values, text(want)) {
			return nil, fmt.Errorf("it may be %s, and not %s", list(allowed), text(want))
		}
		return typed(text(want), now)
	case allowed.Type == "Integer":
		n, err := integer(want, allowed)
		if err != nil {
			return nil, err
		}
		return typed(text(n), now)
	case allowed.Type == "Boolean":
		now = true
	case allowed.Type == "String":
		now = ""
	}
	if now != nil && reflect.TypeOf(now) != reflect.TypeOf(want) {
		return nil, fmt.Errorf("it takes %s, and %s is %s", kind(now), text(want), kind(want))
	}
	return want, nil
}

// integer checks a whole number against the bounds of the registry.
func integer(want any, allowed facts.Attribute) (any, error) {
	n, ok := want.(float64)
	switch {
	case !ok || n != math.Trunc(n):
		return nil, fmt.Errorf("it takes a whole number, and %s is none", text(want))
	case allowed.Least != nil && n < *allowed.Least, allowed.Most != nil && n > *allowed.Most:
		return nil, fmt.Errorf("%s is not from %s to %s", text(n), bound(allowed.Least), bound(allowed.Most))
	}
	return n, nil
}

func bound(f *float64) string {
	if f == nil {
		return "any"
	}
	return text(*f)
}

func number(v string) (any, error) {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", v)
	}
	return n, nil
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	}
	return "a number"
}

// near names an attribute that differs in case or punctuation only.
func near(name string, have map[string]any) string {
	for other := range have {
		if plain(other) == plain(name) {
			return ", only " + strconv.Quote(other)
		}
	}
	return ""
}
