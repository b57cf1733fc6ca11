package plan

import (
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// view is what the facts say of a rung.
type view int

const (
	holds   view = iota
	differs      // it is known not to hold
	asleep       // the record says that it held, and the host is silent
)

// host adds the steps of the lower rungs of one host: removed, firmware,
// installed. A host that must be replaced leaves the cluster first.
func (m *maker) host(n inventory.Node) {
	now := m.seen.Hosts[n.Name]
	v, why := m.lookInstalled(n, now)
	firmware := m.want.Firmware[n.Name]
	switch {
	case v == differs:
		m.replace(n, now, firmware, why)
	case v == asleep:
		m.add(step.Step{
			ID: On(n.Name, "awake"), Host: n.Name, Why: why,
			Do: step.Wake{Generation: m.want.Generations[n.Name]},
		})
	case m.enroll(n, now.BMC, m.alone(n), true) != "":
	case len(firmware) > 0:
		m.add(step.Step{
			ID: On(n.Name, "firmware"), Host: n.Name, Needs: m.alone(n), Why: sentence(firmware, now.BMC),
			Do: step.SetBIOS{Attributes: firmware, Restart: true},
		})
	}
}

// replace adds the steps that make a new node of the host.
func (m *maker) replace(n inventory.Node, now facts.Host, firmware map[string]any, why string) {
	var needs []step.ID
	if now.Member.Exists && m.seen.Cluster.Answers {
		needs = []step.ID{On(n.Name, "removed")}
		m.add(step.Step{
			ID: needs[0], Host: n.Name, Needs: m.alone(n), Why: why, Do: step.Remove{ControlPlane: n.ControlPlane},
		})
	}
	if len(firmware) > 0 {
		m.add(step.Step{
			ID: On(n.Name, "firmware"), Host: n.Name, Needs: needs, Why: sentence(firmware, now.BMC),
			Do: step.SetBIOS{Attributes: firmware},
		})
		needs = append(needs, On(n.Name, "firmware"))
	}
	if id := m.enroll(n, now.BMC, needs, false); id != "" {
		needs = append(needs, id)
	}
	m.add(step.Step{
		ID: On(n.Name, "installed"), Host: n.Name, Needs: needs, Why: why, Reaches: m.want.Generations[n.Name],
		Do: step.Install{
			Image: m.want.Image, Generation: m.want.Generations[n.Name], Disk: n.Disk.String(), Firmware: firmware,
			KernelLine: m.want.Cluster.Classes[n.Class].KernelLine(),
		},
	})
}

// alone keeps control planes that work from going down while another is: each
// waits for all those before it to be members, first of all for those that
// don't work now.
func (m *maker) alone(n inventory.Node) []step.ID {
	if !m.works(n) {
		return nil
	}
	var needs []step.ID
	for _, o := range m.order() {
		if o.Name == n.Name {
			return needs
		}
		needs = append(needs, On(o.Name, "member"))
	}
	return needs
}

// lookInstalled tells whether the host runs the wanted generation. What it
// says itself counts first, then the cluster, then the record.
func (m *maker) lookInstalled(n inventory.Node, now facts.Host) (view, string) {
	id, want := On(n.Name, "installed"), m.want.Generations[n.Name]
	last := m.rec[id]
	switch {
	case last.Status.Open() || last.Status == step.Failed || last.Status == step.Held:
		return differs, "an earlier run stopped in the middle of writing it"
	case corrupt(now) != "":
		return differs, "its root partition doesn't hold what was written: " + corrupt(now)
	case wrongLine(now) != "":
		return differs, "its kernel line is not what was signed: " + wrongLine(now)
	case !now.Agent.Heard.IsZero() && now.Agent.Generation == want && now.Agent.Stage == stageNode:
		return holds, ""
	case now.Member.Exists && now.Member.Generation == Short(want) && (now.Member.Ready || now.BMC.Power == "On"):
		return holds, ""
	case last.Status == step.Done && last.Reaches == want && !now.Member.Ready:
		return asleep, "it holds generation " + Short(want) + " and is silent; power is " + orUnknown(now.BMC.Power)
	case now.Member.Exists:
		return differs, fmt.Sprintf("it runs generation %s and should run %s", orUnknown(now.Member.Generation), Short(want))
	case last.Status == step.Done:
		return differs, fmt.Sprintf("it was given generation %s and should run %s", Short(last.Reaches), Short(want))
	}
	return differs, "nothing says that it runs the image"
}

// corrupt returns which block of its root a host says is wrong, by its agent or
// on its Node object; empty when it said nothing.
func corrupt(now facts.Host) string {
	if root := now.Agent.Root; !now.Agent.Heard.IsZero() && root != nil {
		if root.Verity != facts.RootCorrupt {
			return "" // a node that is written anew has another object soon
		}
		return root.Why
	}
	return now.Member.Corrupt
}

// wrongLine returns what a host says is wrong with its signed kernel line, by its
// agent or on its Node object; empty when it said nothing.
func wrongLine(now facts.Host) string {
	if root := now.Agent.Root; !now.Agent.Heard.IsZero() && root != nil {
		return root.Line
	}
	return now.Member.Line
}

// stageNode is agent.StageNode; the plan doesn't import tools.
const stageNode = "node"
