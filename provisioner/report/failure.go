package report

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
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

// flatten splits what errors.Join put together; whatever has words of its own
// stays whole.
func flatten(err error) []error {
	if inner := errors.Unwrap(err); inner != nil && inner.Error() == err.Error() {
		return flatten(inner) // a mark around it, for the program only
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

// Findings returns the findings that don't pass, one line each, worst first,
// and a line that sums up.
func Findings(all []rules.Finding) string {
	var b strings.Builder
	for _, v := range []rules.Verdict{rules.Fail, rules.Unknown, rules.Waived} {
		for _, f := range all {
			if f.Verdict == v {
				b.WriteString(finding(f))
			}
		}
	}
	var parts []string
	for _, v := range []rules.Verdict{rules.Pass, rules.Fail, rules.Unknown, rules.Waived, rules.Planned, rules.NotApplicable} {
		n := 0
		for _, f := range all {
			if f.Verdict == v {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	fmt.Fprintf(&b, "%s: %s\n", Count(len(all), "finding"), strings.Join(parts, ", "))
	return b.String()
}

func finding(f rules.Finding) string {
	got := strings.ReplaceAll(f.Got, "\n", "; ")
	line := fmt.Sprintf("%-8s %-12s %-12s want %s, got %s (%s)", f.Verdict, f.Requirement, f.Host, f.Want, got, f.Where)
	if f.Verdict == rules.Waived {
		line += "; waived: " + f.Reason
	}
	return line + "\n"
}

// Count returns a number with its noun: "1 finding", "2 findings".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
