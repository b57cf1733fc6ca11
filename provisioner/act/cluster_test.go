package act_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// pods is a cluster that keeps what is applied and proven.
type pods struct {
	apply, reach, remember error
	remembered             bool
}

func (p *pods) Apply(context.Context) error { return p.apply }
func (p *pods) Reach(context.Context) ([]string, error) {
	return []string{"w-a to w-b by IPv4: 200 OK"}, p.reach
}
func (p *pods) Remember(context.Context) error {
	p.remembered = p.remember == nil
	return p.remember
}

func TestApply(t *testing.T) {
	s, p := newStage(), &pods{}
	if err := act.Apply(p)(t.Context(), step.Step{}, step.Apply{}, s.report); err != nil {
		t.Fatal(err)
	}
	p.apply = errors.New("PATCH /api/v1/namespaces/kube-flannel: 503 Service Unavailable")
	wantKind[*step.Retry](t, act.Apply(p)(t.Context(), step.Step{}, step.Apply{}, s.report), p.apply.Error())
}

// TestProbe checks that only a proof is remembered, and that its evidence is told.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		p    *pods
		want string
	}{
		"proven":   {&pods{}, ""},
		"apart":    {&pods{reach: errors.New("w-a to w-b by IPv6: i/o timeout")}, "pods did not reach each other: w-a to w-b by IPv6: i/o timeout"},
		"not kept": {&pods{remember: errors.New("conflict")}, "the proof could not be kept: conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			err := act.Probe(c.p)(t.Context(), step.Step{}, step.Probe{}, s.report)
			if c.want != "" {
				wantKind[*step.Retry](t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			if c.p.remembered != (c.want == "") {
				t.Errorf("remembered: %t", c.p.remembered)
			}
			if len(s.told) != 2 || s.told[1].Note != "w-a to w-b by IPv4: 200 OK" {
				t.Errorf("told %v", s.told)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	s, m := newStage(), &members{}
	st := step.Step{Host: node}
	if err := act.Remove(m)(t.Context(), st, step.Remove{}, s.report); err != nil || len(m.left) != 1 || m.left[0] != node {
		t.Errorf("left %v, error %v", m.left, err)
	}
	m.admit = errors.New("1 of the other 2 members are healthy, which is no majority")
	wantKind[*step.Retry](t, act.Remove(m)(t.Context(), st, step.Remove{}, s.report), m.admit.Error())
}
