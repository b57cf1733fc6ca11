// Package plan decides what is left to do. It reads no clock, no network and
// no file: the same arguments always make the same plan.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Want is what the machines are to become.
type Want struct {
	Cluster     inventory.Cluster
	Image       string                    // digest of the image, "sha256:<hex>"
	Generations map[string]string         // node to the digest of all that determines it
	Firmware    map[string]map[string]any // node to the BIOS attributes that differ from the wanted ones
	Objects     string                    // digest of the objects of the cluster
	Certificate string                    // fingerprint of what firmware must have in db, brought there by us; empty is none
}

// The cluster's own steps.
const (
	Born     step.ID = "cluster/born"
	Answers  step.ID = "cluster/answers"
	Address  step.ID = "cluster/address"
	Network  step.ID = "cluster/network"
	Verified step.ID = "cluster/verified"
)

// On returns the ID of a host's step for a rung.
func On(host, rung string) step.ID { return step.ID(host + "/" + rung) }

// Make returns the steps that take machines and cluster from seen towards
// want, as far as can be known now. An empty plan means that nothing is left
// to do. Hosts that can't be reached are for the rules to refuse, not for the
// plan: it takes what is unknown for unknown.
func Make(want Want, seen facts.Seen, rec step.Record) step.Plan {
	m := &maker{want: want, seen: seen, rec: rec, planned: map[step.ID]bool{}}
	for _, n := range m.order() {
		m.host(n)
	}
	m.cluster()
	return m.finish()
}

// Down returns the steps that end the cluster: every host that isn't known to
// be off is switched off. Disks keep what they hold.
func Down(want inventory.Cluster, seen facts.Seen) step.Plan {
	var p step.Plan
	for _, n := range want.Nodes {
		if power := seen.Hosts[n.Name].BMC.Power; power != "Off" {
			p.Steps = append(p.Steps, step.Step{
				ID: On(n.Name, "off"), Host: n.Name, Do: step.PowerOff{}, Why: "the cluster ends; power is " + orUnknown(power),
			})
		}
	}
	return p
}

// maker builds one plan.
type maker struct {
	want    Want
	seen    facts.Seen
	rec     step.Record
	plan    step.Plan
	planned map[step.ID]bool
}

func (m *maker) add(s step.Step) {
	m.planned[s.ID] = true
	m.plan.Steps = append(m.plan.Steps, s)
}

// finish drops the needs that this plan doesn't hold (they are met already)
// and puts each step behind those it needs, else in the order of adding.
func (m *maker) finish() step.Plan {
	left := m.plan.Steps
	out := step.Plan{Later: m.plan.Later}
	placed := map[step.ID]bool{}
	for i := range left {
		left[i].Needs = slices.DeleteFunc(left[i].Needs, func(id step.ID) bool { return !m.planned[id] })
	}
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(s step.Step) bool {
			return !slices.ContainsFunc(s.Needs, func(id step.ID) bool { return !placed[id] })
		})
		if i < 0 { // a circle is a fault of this package; the tests look for it
			out.Later = append(out.Later, string(left[0].ID)+": its needs form a circle")
			return out
		}
		placed[left[i].ID] = true
		out.Steps = append(out.Steps, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out
}

func (m *maker) later(id step.ID, why string) {
	m.plan.Later = append(m.plan.Later, string(id)+": "+why)
}

// order returns the nodes in the order in which they are worked on: control
// planes that don't work, those that do, workers; each in the order of the file.
func (m *maker) order() []inventory.Node {
	nodes := slices.Clone(m.want.Cluster.Nodes)
	slices.SortStableFunc(nodes, func(a, b inventory.Node) int { return m.rank(a) - m.rank(b) })
	return nodes
}

func (m *maker) rank(n inventory.Node) int {
	switch {
	case m.works(n):
		return 1
	case n.ControlPlane:
		return 0
	}
	return 2
}

// works reports whether a node is a control plane that others count on.
func (m *maker) works(n inventory.Node) bool {
	now := m.seen.Hosts[n.Name].Member
	return n.ControlPlane && now.Ready && now.EtcdVoter
}

// born reports whether the cluster was formed: it answers, or the record says
// that it did. A cluster whose control planes are all switched off was born,
// and must not be formed a second time.
func (m *maker) born() bool {
	return m.seen.Cluster.Answers || m.rec[Born].Status == step.Done
}

// Team returns the digest of the set of nodes, between which pods are proven
// to reach each other.
func Team(want Want) string {
	var parts []string
	for _, n := range want.Cluster.Nodes {
		parts = append(parts, n.Name+"="+want.Generations[n.Name])
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n") + "\n" + want.Objects))
	return hex.EncodeToString(sum[:])[:16]
}

// Short is the part of a digest that fits a Kubernetes label: the first 16 hex
// digits.
func Short(digest string) string {
	hexa := strings.TrimPrefix(digest, "sha256:")
	return hexa[:min(len(hexa), 16)]
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
