package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// TestTell checks the exit status and the last lines of each kind of end.
func TestTell(t *testing.T) {
	refused := &provisioner.Refused{Findings: []rules.Finding{{Requirement: "ra2.ch.008", Host: "a", Verdict: rules.Fail}}}
	for _, c := range []struct {
		name   string
		err    error
		status int
		want   string // in the output
		not    string // not in the output
	}{
		{"changes", changes{}, exitChanges, "", "ra2-deploy"},
		{"a failure", nextStep{errors.New("disk\nsmoke"), "ra2-deploy up x"}, exitFailed, "ra2-deploy: disk\n  smoke\n  next: ra2-deploy up x\n", ""},
		{"usage", usage{errors.New("no such flag")}, exitUsage, "ra2-deploy: no such flag\n", ""},
		{"not approved", fmt.Errorf("x: %w", provisioner.ErrDeclined), exitUsage, "not approved", ""},
		{"the inventory", fmt.Errorf("%w: no", provisioner.ErrUsage), exitUsage, "refused before anything was touched: no", ""},
		{"refused", refused, exitRefused, "fail     ra2.ch.008", "stays"},
		{"refused at first", refused, exitRefused, "because of 1 finding; nothing was changed", ""},
		{"refused, and a session that doesn't end", errors.Join(refused, errors.New("logout: 500")), exitRefused, "nothing was changed", ""},
		{"refused in the middle", nextStep{midway{refused}, "again"}, exitRefused, "what this run had done stays", "nothing was changed"},
		{"refused and shown", shown{refused}, exitRefused, "because of 1 finding", "ra2.ch.008"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			if status := tell(&b, c.err); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if got := b.String(); !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("it says:\n%s", got)
			}
		})
	}
}
