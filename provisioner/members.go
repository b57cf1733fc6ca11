package provisioner

import (
	"context"
	"net/netip"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/cluster"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/templates"
)

// members is the cluster as doers want it.
type members struct{ run *Run }

// Member implements act.Members.
func (m *members) Member(ctx context.Context, node string) (facts.Member, error) {
	all, err := m.run.cluster.Nodes(ctx)
	return all[node].Since(m.run.servers.agent.Heard(node).Started), err
}

// Admit implements act.Members. What an earlier life of the host left in the
// cluster is removed only while the host hasn't begun to join: a member that
// joins looks like one that never started.
func (m *members) Admit(ctx context.Context, node string) error {
	if m.run.servers.agent.Heard(node).Phase != "" {
		return nil
	}
	return m.Leave(ctx, node)
}

// Leave implements act.Leaver.
func (m *members) Leave(ctx context.Context, node string) error {
	n, ok := find(m.run.want, node)
	if !ok {
		return noNode(node)
	}
	_, err := m.run.cluster.Forget(ctx, n)
	return err
}

// Apply implements act.Objects.
func (m *members) Apply(ctx context.Context) error {
	objects, err := templates.Objects(m.run.want)
	if err != nil {
		return err
	}
	return m.run.cluster.Apply(ctx, objects, digest(objects))
}

// Reach implements act.Reach.
func (m *members) Reach(ctx context.Context) ([]string, error) { return m.run.cluster.Reach(ctx) }

// Remember implements act.Reach.
func (m *members) Remember(ctx context.Context) error {
	want, err := m.run.wanted(m.run.servers.files, facts.Seen{})
	if err != nil {
		return err
	}
	return m.run.cluster.Remember(ctx, plan.Team(want))
}

// Answers implements act.Answering.
func (m *members) Answers(ctx context.Context) error { return m.run.cluster.Ready(ctx) }

// VIPs implements act.Answering.
func (m *members) VIPs(ctx context.Context) map[netip.Addr]bool { return m.run.cluster.VIPsAnswer(ctx) }

// order returns kubeadm's order for a host. Its ID names the generation: a run
// that comes back with a new token goes on where the host stands.
func (m *members) order(ctx context.Context, node string, form, controlPlane bool) (agent.Join, error) {
	r := m.run
	n, ok := find(r.want, node)
	if !ok {
		return agent.Join{}, noNode(node)
	}
	in := kubeadm.Input{Cluster: r.want, Node: n, Image: r.servers.files.digest(), Generation: r.generation(n, r.servers.files)}
	var extra []agent.File
	if controlPlane {
		conf, err := templates.Keepalived(r.want, n)
		if err != nil {
			return agent.Join{}, err
		}
		extra = append(extra, agent.File{Path: kubeadm.KeepalivedPath, Mode: 0o600, Data: conf})
	}
	var err error
	if in.Token, err = r.token(ctx, form); err != nil {
		return agent.Join{}, err
	}
	render, kind := kubeadm.JoinNode, "join"
	if form {
		render, kind = kubeadm.Form, "form"
	}
	order, err := render(in, r.pki, extra...)
	order.ID = kind + " " + in.Generation
	return order, err
}

// generation is the digest of all that determines a node.
func (r *Run) generation(n inventory.Node, files imageFiles) string {
	return inventory.Generation(r.want, n, files.digest())
}

// looker is the cluster as observers want it.
type looker struct{ client *cluster.Client }

// Facts implements observe.Cluster.
func (l looker) Facts(ctx context.Context) (facts.Cluster, map[string]facts.Member) {
	return l.client.Look(ctx)
}
