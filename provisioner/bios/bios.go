// Package bios turns neutral firmware settings into the attributes of one
// vendor. Vendors name and value the same switch differently; what is known is
// in one table, the host's own attribute registry decides what may be written,
// and what neither knows is refused, never guessed.
package bios

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Setting is a neutral setting, as inventories name it.
type Setting string

// The settings.
const (
	SMT           Setting = "smt"
	SRIOV         Setting = "sriov"
	IOMMU         Setting = "iommu"
	NUMAPerSocket Setting = "numaPerSocket"
	PowerProfile  Setting = "powerProfile"
	BootMode      Setting = "bootMode"
	Turbo         Setting = "turbo"
	CStates       Setting = "cStates"
)

// choice is a setting and the neutral word that is wanted of it.
type choice struct {
	setting Setting
	word    string
}

func choices(want inventory.BIOS) []choice {
	var out []choice
	add := func(s Setting, word string) {
		if word != "" {
			out = append(out, choice{s, word})
		}
	}
	add(SMT, onWord(want.SMT))
	add(SRIOV, onWord(want.SRIOV))
	add(IOMMU, onWord(want.IOMMU))
	if want.NUMAPerSocket != 0 {
		add(NUMAPerSocket, strconv.Itoa(want.NUMAPerSocket))
	}
	add(PowerProfile, want.PowerProfile)
	add(BootMode, want.BootMode)
	add(Turbo, onWord(want.Turbo))
	add(CStates, onWord(want.CStates))
	return out
}

func onWord(on *bool) string {
	switch {
	case on == nil:
		return ""
	case *on:
		return enabled
	}
	return disabled
}

// rawPrefix begins the name of what an inventory wants of an attribute itself.
const rawPrefix = "bios.attributes."

// target is an attribute and the value that it should have.
type target struct {
	by    string // what of the inventory wants it: "bios.smt"
	name  string
	value any
}

// Diff returns the vendor attributes to write, so that the firmware is as
// wanted after the next POST: what is neither so now nor would stay so. What
// the firmware brings about by itself, because another attribute changes, is
// not written. The error has one line for each thing that can't be set on this
// host: why, and what to do.
func Diff(want inventory.BIOS, have facts.BMC) (map[string]any, error) {
	var targets []target
	var errs []error
	add := func(by, name string, value any, err error) {
		if err != nil {
			errs = append(errs, refuse(by, have, err))
			return
		}
		i := slices.IndexFunc(targets, func(t target) bool { return t.name == name })
		if i < 0 {
			targets = append(targets, target{by, name, value})
		} else if !same(targets[i].value, value) {
			errs = append(errs, fmt.Errorf("%s: wants %s to be %v, and %s wants it to be %v; remove one of them from the class", by, name, value, targets[i].by, targets[i].value))
		}
	}
	for _, c := range choices(want) {
		name, value, err := translate(c, have)
		add("bios."+string(c.setting), name, value, err)
	}
	for _, name := range slices.Sorted(maps.Keys(want.Attributes)) {
		value, err := raw(name, want.Attributes[name], have)
		add(rawPrefix+name, name, value, err)
	}
	out, more := settle(targets, have)
	return out, errors.Join(append(errs, more...)...)
}

// Refusals returns the lines of an error of Diff, one for each thing that
// can't be set.
func Refusals(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return nil
}

// refuse completes an error: what to do, and whether a registry is missing.
func refuse(by string, have facts.BMC, err error) error {
	without := ""
	if have.Registry == nil && have.BIOS != nil {
		without = " (its BMC shows no BIOS attribute registry)"
	}
	if strings.HasPrefix(by, rawPrefix) {
		return fmt.Errorf("%s: %w%s; correct it in the class, or set it by hand and remove it there", by, err, without)
	}
	return fmt.Errorf("%s: %w%s; set it by hand and remove %s from the class", by, err, without, by)
}

// settle decides what is written of the targets, from what the registry says
// of other attributes that are to change as well.
func settle(targets []target, have facts.BMC) (map[string]any, []error) {
	out := map[string]any{}
	future := maps.Clone(have.BIOS)
	maps.Copy(future, have.PendingBIOS)
	for _, t := range targets {
		future[t.name] = t.value
	}
	var errs []error
	for _, t := range targets {
		attribute := have.Registry[t.name]
		pending, waits := have.PendingBIOS[t.name]
		changes := !same(have.BIOS[t.name], t.value) || waits && !same(pending, t.value)
		why, locked := attribute.Locked(future)
		becomes, forced := attribute.Forced(have.BIOS, future)
		fits := same(becomes, t.value)
		switch {
		case locked && forced && fits, locked && !forced && !changes:
		case locked && forced:
			errs = append(errs, fmt.Errorf("%s: attribute %s becomes %v and can't be written while %s; change that in the class as well, or remove %s", t.by, t.name, becomes, why, t.by))
		case locked:
			errs = append(errs, fmt.Errorf("%s: attribute %s is %v and can't be written while %s; change that under bios.attributes of the class, or remove %s", t.by, t.name, have.BIOS[t.name], why, t.by))
		case changes && attribute.ReadOnly && attribute.Why == "":
			errs = append(errs, refuse(t.by, have, fmt.Errorf("attribute %s is %v and read-only", t.name, have.BIOS[t.name])))
		case changes || forced && !fits:
			out[t.name] = t.value
		}
	}
	return out, errs
}

// same compares two JSON values; numbers may have different Go types.
func same(a, b any) bool { return a == nil && b == nil || a != nil && b != nil && text(a) == text(b) }

// text writes a value as firmware would; large numbers have no exponent.
func text(v any) string {
	if n, ok := v.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
