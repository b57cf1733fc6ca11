package report

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// Failure returns an error for people: each failed step with its reason and
// evidence, a hint where one is known, and the next command. The command is
// what the user typed, without secrets.
func Failure(err error, next string) string {
	var b strings.Builder
	for _, e := range flatten(err) {
		lines := strings.Split(strings.TrimRight(e.Error(), "\n"), "\n")
		fmt.Fprintf(&b, "ra2-deploy: %s\n", lines[0])
		for _, l := range lines[1:] {
			fmt.Fprintf(&b, "  %s\n", l)
		}
		if hold, ok := errors.AsType[*step.Hold](e); ok && hold.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", hold.Hint)
		}
	}
	if next != "" {
		fmt.Fprintf(&b, "  next: %s\n", next)
	}
	return b.String()
}

// flatten splits what was joined, as far as it is made of steps.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		if _, isStep := errors.AsType[*workflow.StepError](e); isStep || len(joined.Unwrap()) == 1 {
			out = append(out, flatten(e)...)
			continue
		}
		out = append(out, e)
	}
	return out
}

// Findings returns the findings that don't pass, one line each, worst first,
// and a line that sums up.
func Findings(all []rules.Finding) string {
	var b strings.Builder
	count := map[rules.Verdict]int{}
	for _, f := range all {
		count[f.Verdict]++
	}
	for _, v := range []rules.Verdict{rules.Fail, rules.Unknown, rules.Waived} {
		for _, f := range all {
			if f.Verdict == v {
				fmt.Fprintf(&b, "%-8s %-12s %-12s want %s, got %s (%s)\n", f.Verdict, f.Requirement, f.Host, f.Want, f.Got, f.Where)
			}
		}
	}
	fmt.Fprintf(&b, "%d findings: %d pass, %d fail, %d unknown, %d waived, %d not applicable\n",
		len(all), count[rules.Pass], count[rules.Fail], count[rules.Unknown], count[rules.Waived], count[rules.NotApplicable])
	return b.String()
}
