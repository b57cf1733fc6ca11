package report

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// Unreached joins what went wrong at many hosts into one error: a host's words
// as they are, and one line for the words that many hosts share. The words of
// a host begin with its name.
func Unreached(names []string, words map[string]string) error {
	var all []cause
	at := map[string]int{}
	for _, name := range names {
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
	var errs []error
	for i, c := range all {
		if i == maxLines {
			errs = append(errs, fmt.Errorf("and %s more", Count(len(all)-i, "cause")))
			break
		}
		if len(c.hosts) == 1 {
			errs = append(errs, errors.New(c.Got))
			continue
		}
		errs = append(errs, fmt.Errorf("%s, for example %s", Hosts(c.hosts), c.Got))
	}
	return errors.Join(errs...)
}
