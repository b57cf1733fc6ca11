package provisioner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/preflight"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// Check judges the hardware, and with network the provisioning network too;
// both are looked at side by side. The error is *Refused when a finding stands
// against it.
func (r *Run) Check(ctx context.Context, network bool) ([]rules.Finding, error) {
	var (
		wg  sync.WaitGroup
		net facts.Network
	)
	if network {
		wg.Go(func() { net = preflight.Look(ctx, r.want) })
	}
	seen, err := r.Look(ctx)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	all := r.judge(seen)
	if network {
		all = append(all, rules.JudgeNetwork(r.want, net, seen.Hosts)...)
	}
	refused, ok := errors.AsType[*Refused](refuse(all))
	if !ok {
		return all, nil
	}
	rec, _, err := r.record.Load(ctx)
	if err != nil {
		return all, fmt.Errorf("load the record: %w", err)
	}
	refused.Ask = len(ask(r.certificate(), refused.Findings, seen, rec).Steps) > 0
	return all, refused
}

// CheckNetwork judges the provisioning network alone: no controller is asked,
// and no secret is needed. The error is *Refused when a finding stands against
// it.
func CheckNetwork(ctx context.Context, c inventory.Cluster) ([]rules.Finding, error) {
	seen := preflight.Look(ctx, c)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := rules.JudgeNetwork(c, seen, nil)
	return all, refuse(all)
}

// refuse returns *Refused with the findings that don't pass, or nil.
func refuse(all []rules.Finding) error {
	if bad := slices.DeleteFunc(slices.Clone(all), rules.Finding.Passes); len(bad) > 0 {
		return &Refused{Findings: bad}
	}
	return nil
}
