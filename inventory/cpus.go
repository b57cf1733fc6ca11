package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CPUs is a list of logical processors in the form that Linux and the kubelet
// read (cpuset(7), "List format"): "0-1,32-33", ascending, nothing twice.
type CPUs string

// span is one run of processors, both ends inside.
type span struct{ first, last int }

// ParseCPUs reads a list and returns it in its shortest form.
func ParseCPUs(text string) (CPUs, error) {
	var spans []span
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			to = from
		}
		first, errFirst := strconv.ParseUint(from, 10, 13)
		last, errLast := strconv.ParseUint(to, 10, 13) // Linux knows 8192 at most (CONFIG_NR_CPUS)
		if errFirst != nil || errLast != nil || last < first {
			return "", fmt.Errorf("%q is no processor and no range of processors", part)
		}
		spans = append(spans, span{int(first), int(last)})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.first - b.first })
	return format(joined(spans)), nil
}

// joined puts spans that touch together.
func joined(spans []span) []span {
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

func format(spans []span) CPUs {
	var words []string
	for _, s := range spans {
		word := strconv.Itoa(s.first)
		if s.last > s.first {
			word += "-" + strconv.Itoa(s.last)
		}
		words = append(words, word)
	}
	return CPUs(strings.Join(words, ","))
}

// spans reads a list that ParseCPUs gave.
func (c CPUs) spans() []span {
	var out []span
	for part := range strings.SplitSeq(string(c), ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, errFirst := strconv.Atoi(from)
		last, errLast := strconv.Atoi(to)
		if errFirst == nil && errLast == nil {
			out = append(out, span{first, last})
		}
	}
	return out
}

// Count returns how many processors are in the list, and Last the highest; -1
// is none.
func (c CPUs) Count() (count, last int) {
	last = -1
	for _, s := range c.spans() {
		count += s.last - s.first + 1
		last = s.last
	}
	return count, last
}

// Others returns all processors that are not in the list, of a host with any
// number of them: "N" is its last one (Linux, admin-guide/kernel-parameters,
// "The list format").
func (c CPUs) Others() string {
	var words []string
	next := 0
	for _, s := range c.spans() {
		if s.first > next {
			words = append(words, string(format([]span{{next, s.first - 1}})))
		}
		next = s.last + 1
	}
	return strings.Join(append(words, strconv.Itoa(next)+"-N"), ",")
}
