package report

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// Unreached joins what went wrong at many hosts into one error: a host's words
// as they are, and one line for the words that many hosts share. The words of
// a host begin with its name.
func Unreached(words map[string]string) error {
	var errs []error
	for _, line := range shared(words) {
		errs = append(errs, errors.New(line))
	}
	return errors.Join(errs...)
}

// Notices returns what a person should know of many hosts, one line for what
// they share. The words of a host begin with its name.
func Notices(words map[string]string) string {
	var b strings.Builder
	for _, line := range shared(words) {
		fmt.Fprintf(&b, "note: %s\n", line)
	}
	return b.String()
}

// shared returns one line for all hosts whose words differ only in what is each
// host's own; the words of most hosts come first.
func shared(words map[string]string) []string {
	var all []cause
	at := map[string]int{}
	for _, name := range slices.SortedFunc(maps.Keys(words), natural) {
		if words[name] == "" {
			continue
		}
		f := rules.Finding{Host: name, Got: words[name]}
		key := common(f).Got
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, cause{Finding: f})
		}
		all[i].add(name)
	}
	slices.SortStableFunc(all, worse)
	var lines []string
	for i, c := range all {
		switch {
		case i == maxLines:
			return append(lines, fmt.Sprintf("and %s more", Count(len(all)-i, "cause")))
		case len(c.hosts) == 1:
			lines = append(lines, c.Got)
		default:
			lines = append(lines, fmt.Sprintf("%s, for example %s", Hosts(c.hosts), c.Got))
		}
	}
	return lines
}
