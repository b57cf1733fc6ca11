package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// sentence writes a difference of BIOS attributes as "name: old → new". A name
// that tells nothing ("Rome0059") is followed by what the firmware shows to
// people, and a value that another change would bring by what waits.
func sentence(want map[string]any, now facts.BMC) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		old := value(now.BIOS, name)
		if _, waits := now.PendingBIOS[name]; waits && value(now.PendingBIOS, name) != old {
			old += " (" + value(now.PendingBIOS, name) + " waits)"
		}
		parts = append(parts, fmt.Sprintf("%s: %s → %s", called(name, now.Registry[name].Display), old, value(want, name)))
	}
	return strings.Join(parts, ", ")
}

// value writes one value; large numbers have no exponent.
func value(values map[string]any, name string) string {
	v, ok := values[name]
	if !ok {
		return "unknown"
	}
	if n, ok := v.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// called adds the display name where no word of it is in the name itself.
func called(name, display string) string {
	words := strings.FieldsFunc(strings.ToLower(display), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return len(w) > 2 && strings.Contains(strings.ToLower(name), w) }) {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, display)
}
