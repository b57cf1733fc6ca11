// Package rules judges what was seen of the hosts: against the minimums of RA2
// chapter 4 that can be told before an install, and against what the inventory
// says they are.
package rules

import (
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Verdict is how a fact stands to a requirement.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	NotApplicable Verdict = "not-applicable"
	Unknown       Verdict = "unknown" // nobody could tell; never counts as pass
	Waived        Verdict = "waived"  // it would be fail or unknown, and the inventory sets it aside
	Planned       Verdict = "planned" // not so yet: the inventory wants it and a step before the install brings it
)

// Requirements that are not rows of RA2.
const (
	Identity  = "identity"  // the host is the one that the inventory means
	Reachable = "reachable" // the management controller answers
	Verified  = "verified"  // the firmware starts what we boot: it is signed by a key that the firmware has
	Settings  = "settings"  // the firmware takes the settings that the class wants
)

// Finding is one fact judged by one rule.
type Finding struct {
	Requirement string    `json:"requirement"`     // "ra2.ch.008", Identity or Reachable
	Title       string    `json:"title,omitempty"` // of the row of RA2: "Physical CPU quantity"
	Level       ra2.Level `json:"level,omitempty"` // of the row of RA2; empty for what is no row
	Host        string    `json:"host"`
	Verdict     Verdict   `json:"verdict"`
	Want        string    `json:"want"`
	Got         string    `json:"got"`
	Where       string    `json:"where"`            // what told it
	Reason      string    `json:"reason,omitempty"` // of the waiver
}

// Passes reports whether the work may begin in spite of this finding. What RA2
// only recommends (should, may) is told and stops nothing.
func (f Finding) Passes() bool {
	return !f.open() || f.Level == ra2.Should || f.Level == ra2.May
}

// MachineTells reports whether the finding is open only because nobody told, and
// the machine itself knows it: what it is made of, not whose it is.
func (f Finding) MachineTells() bool {
	return f.Verdict == Unknown && f.Requirement != Identity && f.Requirement != Reachable && f.Host != "" && !f.Network()
}

// open reports whether the requirement is not met, as far as is known.
func (f Finding) open() bool { return f.Verdict == Fail || f.Verdict == Unknown }

// subject is one host under judgement.
type subject struct {
	catalogue ra2.Catalogue
	node      inventory.Node
	class     inventory.Class
	host      facts.Host
	hw        facts.Hardware // of the host, by all that told
}

// Judge returns the findings of all hosts, in the order of the inventory. A
// host that can't be asked has one finding: that.
func Judge(want inventory.Cluster, seen facts.Seen, now time.Time) []Finding {
	catalogue, err := ra2.Load()
	if err != nil {
		return []Finding{{Requirement: "catalogue", Verdict: Unknown, Want: "the rows of RA2", Got: err.Error()}}
	}
	return JudgeBy(catalogue, want, seen, now)
}

// JudgeBy is Judge by a catalogue that was loaded already.
func JudgeBy(catalogue ra2.Catalogue, want inventory.Cluster, seen facts.Seen, now time.Time) []Finding {
	var all []Finding
	for _, n := range want.Nodes {
		h := seen.Hosts[n.Name]
		s := subject{catalogue, n, want.Classes[n.Class], h, h.Hardware()}
		for _, f := range s.judge() {
			f.Host = n.Name
			if row, ok := catalogue.Row(f.Requirement); ok {
				f.Title, f.Level = row.Title, row.Level
			}
			if w, ok := want.Waived(f.Requirement, n.Name, now); ok && f.open() {
				f.Verdict, f.Reason = Waived, w.Reason
			}
			all = append(all, f)
		}
	}
	return all
}

func (s subject) judge() []Finding {
	if !s.host.BMC.Reached {
		got := strings.TrimPrefix(s.host.BMC.Err, s.node.Name+": BMC: ")
		if got == "" {
			got = "it was not asked"
		}
		by := "Redfish"
		if s.node.BMC.OnlyIPMI() {
			by = "IPMI"
		}
		return []Finding{{Requirement: Reachable, Verdict: Unknown, Want: "an answer of the BMC at " + s.node.BMC.URL, Got: got, Where: by}}
	}
	rows := []func() []Finding{
		s.identity, s.hugePages, s.reserved, one(s.sriov), s.functions, one(s.smt), one(s.virtual("ra2.ch.005")), one(s.dualStack), one(s.sockets),
		one(s.solidState), one(s.systemDisk), one(s.virtual("ra2.ch.011")), one(s.memory), one(s.ports),
		one(s.speed("ra2.ch.014", "basic")), one(s.speed("ra2.ch.015", highPerformance)), one(s.slots), one(s.afxdp), one(s.numa),
	}
	var all []Finding
	for _, row := range rows {
		all = append(all, row()...)
	}
	return all
}

func one(row func() Finding) func() []Finding {
	return func() []Finding { return []Finding{row()} }
}
