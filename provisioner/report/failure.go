package report

import (
	"errors"
	"fmt"
	"strings"

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

// Count returns a number with its noun: "1 finding", "2 findings".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
