package plan

import (
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// cluster adds the steps of the cluster's ladder: born, address, network,
// members, verified. A host that is only installed has no cluster.
func (m *maker) cluster() {
	if !m.want.Cluster.Image.Kubernetes {
		return
	}
	if m.born() && !m.seen.Cluster.Answers {
		m.wakeUp()
		return
	}
	founder := m.founder()
	if !m.born() {
		m.add(step.Step{
			ID: Born, Host: founder, Needs: []step.ID{On(founder, "installed"), On(founder, "awake")},
			Why: "no control plane answers and none was formed before", Do: step.Form{},
		})
	}
	m.address()
	if m.seen.Cluster.Objects != m.want.Objects {
		m.add(step.Step{
			ID: Network, Needs: []step.ID{Born, Address}, Do: step.Apply{Objects: m.want.Objects},
			Why: fmt.Sprintf("the cluster has objects %s and should have %s", orNone(m.seen.Cluster.Objects), Short(m.want.Objects)),
		})
	}
	m.members(founder)
	m.verified()
}

// wakeUp waits for a cluster that was born and is silent; the rest can't be
// seen before it answers.
func (m *maker) wakeUp() {
	var needs []step.ID
	for _, n := range m.order() {
		if n.ControlPlane {
			needs = append(needs, On(n.Name, "awake"))
		}
		m.later(On(n.Name, "member"), "not known before the cluster answers")
	}
	m.add(step.Step{
		ID: Answers, Needs: needs, Do: step.Settle{For: step.SettleAPI},
		Why: "the cluster was formed and does not answer: " + orUnknown(m.seen.Cluster.Err),
	})
}

// founder is the control plane that forms the cluster: the one that began to,
// else the first of the file. Later no node is special.
func (m *maker) founder() string {
	if last := m.rec[Born]; last.Host != "" {
		return last.Host
	}
	return m.order()[0].Name
}

func (m *maker) address() {
	for _, vip := range m.want.Cluster.Kubernetes.Endpoint.VIPs {
		if !m.seen.Cluster.VIPs[vip] {
			m.add(step.Step{
				ID: Address, Needs: []step.ID{Born}, Do: step.Settle{For: step.SettleAddress},
				Why: vip.String() + " does not answer",
			})
			return
		}
	}
}

// members adds the steps that make nodes of hosts: control planes one after
// the other, since etcd admits one member at a time; workers as they come.
func (m *maker) members(founder string) {
	for _, n := range m.order() {
		now := m.seen.Hosts[n.Name].Member
		last := m.rec[On(n.Name, "member")].Status
		broken := last.Open() || last == step.Failed || last == step.Held
		founds := n.Name == founder && !m.planned[On(n.Name, "removed")]
		switch {
		case founds && (m.planned[Born] || now.Exists && (!now.Ready || !now.EtcdVoter || last.Open())):
			m.settle(n, notYet(n, now))
		case m.planned[On(n.Name, "installed")], !now.Exists, broken && !founds:
			m.join(n)
		case m.planned[On(n.Name, "firmware")], m.planned[On(n.Name, "verifying")]:
			m.settle(n, "the host restarts below it")
		case !now.Ready, n.ControlPlane && !now.EtcdVoter:
			m.settle(n, notYet(n, now))
		}
	}
}

func (m *maker) settle(n inventory.Node, why string) {
	m.add(step.Step{
		ID: On(n.Name, "member"), Host: n.Name, Why: why, Do: step.Settle{For: step.SettleMember},
		Needs: []step.ID{Born, Network, On(n.Name, "firmware"), On(n.Name, "verifying"), On(n.Name, "awake")},
	})
}

func (m *maker) join(n inventory.Node) {
	needs := []step.ID{On(n.Name, "installed"), On(n.Name, "firmware"), On(n.Name, "verifying"), On(n.Name, "awake"), Born, Address, Network}
	if n.ControlPlane {
		needs = append(needs, m.turn(n)...)
	}
	m.add(step.Step{
		ID: On(n.Name, "member"), Host: n.Name, Needs: needs, Why: "it is not a node of the cluster",
		Do: step.Join{ControlPlane: n.ControlPlane},
	})
}

// turn returns the member step of the control plane before n.
func (m *maker) turn(n inventory.Node) []step.ID {
	var last step.ID
	for _, o := range m.order() {
		if o.Name == n.Name || !o.ControlPlane {
			break
		}
		if id := On(o.Name, "member"); m.planned[id] {
			last = id
		}
	}
	return []step.ID{last}
}

// verified proves that pods of different nodes reach each other; one node alone
// has no other.
func (m *maker) verified() {
	if m.seen.Cluster.Verified == Team(m.want) || len(m.want.Cluster.Nodes) < 2 {
		return
	}
	var needs []step.ID
	for _, n := range m.want.Cluster.Nodes {
		needs = append(needs, On(n.Name, "member"))
	}
	m.add(step.Step{
		ID: Verified, Needs: append(needs, Network), Do: step.Probe{},
		Why: "it is not proven yet that pods of different nodes reach each other",
	})
}

func notYet(n inventory.Node, now facts.Member) string {
	switch {
	case !now.Exists:
		return "it is not a node of the cluster"
	case now.NotReady != "":
		return "it is not Ready: " + now.NotReady
	case n.ControlPlane && now.Ready:
		return "its etcd member does not vote"
	}
	return "it is not Ready"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return Short(s)
}
