package provisioner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// Site is one cluster and the means to change it.
type Site struct {
	Look    func(ctx context.Context, rec step.Record) (facts.Seen, error)
	Judge   func(facts.Seen) []rules.Finding
	Want    func(facts.Seen) (plan.Want, error)
	Approve func(context.Context, step.Plan, facts.Seen) error // asks before a plan that erases, or restarts what may be somebody's; nil error is yes
	Engine  *workflow.Engine

	Certificate string // fingerprint of what firmware is given before a signed program is booted; empty is none
}

// Refused says that what was seen does not allow to go on. Nothing was
// written anywhere.
type Refused struct {
	Findings []rules.Finding
	Ask      bool // Up would ask the hosts themselves first: nobody has told, and they may know
}

// Error implements error.
func (r *Refused) Error() string {
	return fmt.Sprintf("%d findings stand against it; nothing was changed", len(r.Findings))
}

// ErrDeclined says that the user did not approve of the plan.
var ErrDeclined = errors.New("the plan was not approved; nothing was changed")

// A Turn is what one look gave.
type Turn struct {
	Seen     facts.Seen
	Findings []rules.Finding
	Plan     step.Plan
}

// Plan looks once and plans once. It changes nothing. The error is *Refused
// when a finding stands against the plan; the turn then holds what was seen.
// Where nothing stands against it but what the hosts themselves can tell, the
// plan is to ask them.
func (s *Site) Plan(ctx context.Context) (Turn, error) {
	rec, _, err := s.Engine.Store.Load(ctx)
	if err != nil {
		return Turn{}, fmt.Errorf("load the record: %w", err)
	}
	seen, err := s.Look(ctx, rec)
	if err != nil {
		return Turn{}, fmt.Errorf("look at the hosts: %w", err)
	}
	t := Turn{Seen: seen, Findings: s.Judge(seen)}
	if bad := slices.DeleteFunc(slices.Clone(t.Findings), rules.Finding.Passes); len(bad) > 0 {
		if t.Plan = ask(s.Certificate, bad, seen, rec); len(t.Plan.Steps) == 0 {
			return t, &Refused{Findings: bad}
		}
		return t, nil
	}
	want, err := s.Want(seen)
	if err != nil {
		return t, err
	}
	t.Plan = plan.Make(want, seen, rec)
	return t, nil
}

// ask returns the plan that lets hosts tell what their controllers don't; empty
// when a finding stands against the work that they can't mend.
func ask(certificate string, bad []rules.Finding, seen facts.Seen, rec step.Record) step.Plan {
	if slices.ContainsFunc(bad, func(f rules.Finding) bool { return !f.MachineTells() }) {
		return step.Plan{}
	}
	var untold []plan.Untold
	for _, f := range bad {
		if n := len(untold); n == 0 || untold[n-1].Host != f.Host {
			untold = append(untold, plan.Untold{Host: f.Host})
		}
		last := &untold[len(untold)-1]
		last.Rows = append(last.Rows, f.Requirement)
	}
	return plan.Inspect(certificate, untold, seen, rec)
}

// Converge takes turns until nothing is left to do. It stops when a turn plans
// what the last one had already done: then the machine doesn't keep it.
func (s *Site) Converge(ctx context.Context) error {
	var last step.Plan
	approved := map[step.ID]bool{}
	for {
		t, err := s.Plan(ctx)
		if err != nil || t.Plan.Empty() {
			return err
		}
		if err := stuck(t.Plan, last); err != nil {
			return err
		}
		if err := s.approve(ctx, t, approved); err != nil {
			return err
		}
		if err := s.Engine.Run(ctx, t.Plan); err != nil {
			return err
		}
		last = t.Plan
	}
}

// stuck tells when nothing is gained by another turn.
func stuck(p, last step.Plan) error {
	if len(p.Steps) == 0 {
		return fmt.Errorf("%s, and nothing is left that could tell", p.Later[0])
	}
	if slices.EqualFunc(p.Steps, last.Steps, func(a, b step.Step) bool { return a.ID == b.ID }) {
		return fmt.Errorf("%s: done, and still: %s", p.Steps[0].ID, p.Steps[0].Why)
	}
	return nil
}

// approve asks once for each step that erases, or that restarts a host which is
// not known to be off and not known to be ours; the steps that were approved in
// an earlier turn of this run are not asked for again.
func (s *Site) approve(ctx context.Context, t Turn, approved map[step.ID]bool) error {
	asked := t.Plan
	asked.Steps = slices.DeleteFunc(slices.Clone(t.Plan.Steps), func(st step.Step) bool {
		_, inspects := st.Do.(step.Inspect)
		stranger := inspects && t.Seen.Hosts[st.Host].BMC.Power != "Off"
		return st.Do.Risk() < step.Erases && !stranger || approved[st.ID]
	})
	if len(asked.Steps) == 0 {
		return nil
	}
	if err := s.Approve(ctx, t.Plan, t.Seen); err != nil {
		return err
	}
	for _, st := range asked.Steps {
		approved[st.ID] = true
	}
	return nil
}
