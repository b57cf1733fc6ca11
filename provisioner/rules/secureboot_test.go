package rules_test

import (
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// TestSecureBoot: a host whose firmware would refuse what we boot is found
// before it is switched on, and what a step brings about is no fault.
func TestSecureBoot(t *testing.T) {
	const ours = "sha256:ours"
	enroll, byHand := &inventory.SecureBoot{Enroll: true}, &inventory.SecureBoot{}
	named := &inventory.SecureBoot{Enroll: true, PlatformKey: "pk", ExchangeKey: "kek"}
	full := &facts.Keys{Offered: true, Enabled: new(true), DB: []string{"sha256:vendor", ours}}
	for name, c := range map[string]struct {
		want    *inventory.SecureBoot
		keys    *facts.Keys
		inForce *bool
		verdict rules.Verdict // empty: no finding
		says    string
	}{
		"nothing signed, off":        {nil, nil, new(false), "", ""},
		"nothing signed, nobody":     {nil, nil, nil, "", ""},
		"nothing signed, on":         {nil, nil, new(true), rules.Fail, "would refuse it"},
		"all there":                  {enroll, full, new(true), rules.Pass, "in db"},
		"lacks it":                   {enroll, &facts.Keys{Offered: true, Enabled: new(true), DB: []string{"sha256:vendor"}}, new(true), rules.Planned, "brings it there"},
		"is off":                     {enroll, &facts.Keys{Offered: true, Enabled: new(false), DB: []string{ours}}, new(false), rules.Planned, "switches it on"},
		"no resource":                {enroll, nil, nil, rules.Fail, "tells nothing"},
		"no databases":               {enroll, &facts.Keys{Enabled: new(true)}, new(true), rules.Fail, "offers no databases"},
		"setup mode":                 {enroll, &facts.Keys{Offered: true, Setup: true}, new(false), rules.Fail, "platformKey"},
		"setup mode, keys named":     {named, &facts.Keys{Offered: true, Setup: true}, new(false), rules.Planned, "brings it there"},
		"by hand":                    {byHand, full, new(true), rules.Pass, "in db"},
		"by hand, lacks it":          {byHand, &facts.Keys{Offered: true, Enabled: new(true)}, new(true), rules.Fail, "enroll is false"},
		"by hand, is off":            {byHand, nil, new(false), rules.Fail, "is off"},
		"by hand, IPMI tells nobody": {byHand, nil, nil, rules.NotApplicable, "the machine has to"},
	} {
		t.Run(name, func(t *testing.T) {
			h := facts.Host{BMC: facts.BMC{Reached: true, Keys: c.keys}}
			h.BMC.SecureBoot = c.inForce
			want := inventory.Cluster{SecureBoot: c.want, Nodes: []inventory.Node{{Name: "a"}, {Name: "silent"}}}
			got := rules.JudgeSecureBoot(want, facts.Seen{Hosts: map[string]facts.Host{"a": h, "silent": {}}}, ours)
			if c.verdict == "" {
				if len(got) != 0 {
					t.Errorf("%+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Verdict != c.verdict || !strings.Contains(got[0].Got, c.says) {
				t.Errorf("%+v, wanted %s", got, c.verdict)
			}
		})
	}
}
