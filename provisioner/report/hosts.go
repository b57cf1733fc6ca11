package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSpans is how many names and rows of names stand for a set of hosts.
const maxSpans = 6

// Hosts names a set of hosts in a few words: "cp-a", "cp-a, cp-b",
// "cp-a, w-001…w-412 (413 hosts)".
func Hosts(names []string) string {
	all := slices.Compact(slices.SortedFunc(slices.Values(names), natural))
	spans := spansOf(all)
	var words []string
	for _, s := range spans[:min(len(spans), maxSpans)] {
		words = append(words, s.String())
	}
	text := strings.Join(words, ", ")
	if len(spans) > maxSpans {
		text += ", …"
	}
	if strings.Contains(text, "…") || len(all) > 3 {
		text += fmt.Sprintf(" (%s)", Count(len(all), "host"))
	}
	return text
}

// span is a row of names that count up: w-001, w-002, w-003.
type span struct {
	first, last string
	length      int
}

// String implements fmt.Stringer.
func (s span) String() string {
	switch s.length {
	case 1:
		return s.first
	case 2:
		return s.first + ", " + s.last
	}
	return s.first + "…" + s.last
}

// spansOf joins what follows one another in a sorted list of names.
func spansOf(sorted []string) []span {
	var out []span
	for _, name := range sorted {
		if n := len(out); n > 0 && follows(out[n-1].last, name) {
			out[n-1].last = name
			out[n-1].length++
			continue
		}
		out = append(out, span{name, name, 1})
	}
	return out
}

// follows reports whether b is the name that comes after a by counting, in the
// same way of writing numbers.
func follows(a, b string) bool {
	stem, number := tail(a)
	stemB, _ := tail(b)
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || stem != stemB {
		return false
	}
	return b == fmt.Sprintf("%s%0*d", stem, len(number), n+1)
}

// tail splits the number off the end of a name.
func tail(name string) (stem, number string) {
	stem = strings.TrimRight(name, "0123456789")
	return stem, name[len(stem):]
}

// natural orders names as people do: w-2 comes before w-10.
func natural(a, b string) int {
	stemA, numberA := tail(a)
	stemB, numberB := tail(b)
	n, _ := strconv.ParseUint(numberA, 10, 32) // no number comes first
	m, _ := strconv.ParseUint(numberB, 10, 32)
	return cmp.Or(cmp.Compare(stemA, stemB), cmp.Compare(n, m), cmp.Compare(a, b))
}
