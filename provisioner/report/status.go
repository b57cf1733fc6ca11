package report

import (
	"fmt"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Status returns hosts, nodes and cluster as they are: one line each.
func Status(c inventory.Cluster, seen facts.Seen) string {
	var b strings.Builder
	names, zones := 14, 6 // columns, at least
	for _, n := range c.Nodes {
		names, zones = max(names, len(n.Name)), max(zones, len(n.Zone))
	}
	fmt.Fprintf(&b, "%-*s %-*s %-21s %-8s %-10s %-9s %s\n", names, "node", zones, "zone", "role", "power", "kubelet", "etcd", "generation")
	for _, n := range c.Nodes {
		h := seen.Hosts[n.Name]
		kubelet, etcd := "-", "-"
		if c.Image.Kubernetes {
			kubelet = yes(h.Member.Known, h.Member.Ready, "Ready", "not Ready")
		}
		if c.Image.Kubernetes && n.ControlPlane {
			etcd = yes(h.Member.Known, h.Member.EtcdVoter, "votes", "no vote")
		}
		fmt.Fprintf(&b, "%-*s %-*s %-21s %-8s %-10s %-9s %s\n", names, n.Name, zones, n.Zone, roles(n), orUnknown(h.BMC.Power),
			kubelet, etcd, orUnknown(generation(h)))
		if h.BMC.Err != "" {
			fmt.Fprintf(&b, "  the controller: %s\n", strings.ReplaceAll(strings.TrimPrefix(h.BMC.Err, n.Name+": BMC: "), "\n", "\n    "))
		}
		if h.Member.Corrupt != "" {
			fmt.Fprintf(&b, "  its root partition doesn't hold what was written: %s; next: ra2-deploy up, which installs it again\n", h.Member.Corrupt)
		}
		if h.Member.Line != "" {
			fmt.Fprintf(&b, "  its kernel line is not what was signed: %s; next: ra2-deploy up, which installs it again\n", h.Member.Line)
		}
		if h.Member.NotReady != "" {
			fmt.Fprintf(&b, "  the kubelet: %s\n", h.Member.NotReady)
		}
	}
	if !c.Image.Kubernetes {
		b.WriteString("no cluster is wanted on these hosts (image.kubernetes is false)\n")
		return b.String()
	}
	if !seen.Cluster.Answers && seen.Cluster.Err == "" {
		fmt.Fprintf(&b, "cluster %s was not asked: it has no keys yet, `ra2-deploy up` makes them\n", c.Name)
		return b.String()
	}
	if !seen.Cluster.Answers {
		fmt.Fprintf(&b, "cluster %s does not answer: %s\n", c.Name, seen.Cluster.Err)
		return b.String()
	}
	fmt.Fprintf(&b, "cluster %s answers; etcd: %d of %d members healthy\n", c.Name, seen.Cluster.EtcdHealthy, seen.Cluster.EtcdMembers)
	for _, vip := range c.Kubernetes.Endpoint.VIPs {
		fmt.Fprintf(&b, "  %s %s\n", vip, yes(true, seen.Cluster.VIPs[vip], "answers", "does not answer"))
	}
	return b.String()
}

// generation is what a host runs, in the words of the cluster or of its own
// agent, as short as the cluster has it.
func generation(h facts.Host) string {
	if g := h.Member.Generation; g != "" {
		return g
	}
	g := strings.TrimPrefix(h.Agent.Generation, "sha256:")
	return g[:min(len(g), 16)]
}

func roles(n inventory.Node) string {
	switch {
	case n.ControlPlane && n.Worker:
		return "control-plane, worker"
	case n.ControlPlane:
		return "control-plane"
	}
	return "worker"
}

func yes(known, is bool, a, b string) string {
	switch {
	case !known:
		return "unknown"
	case is:
		return a
	}
	return b
}
