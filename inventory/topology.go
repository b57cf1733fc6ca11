package inventory

import (
	"fmt"
	"slices"
)

// controlPlanes returns the nodes that run the control plane.
func controlPlanes(nodes []Node) []Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return !n.ControlPlane })
}

// topology judges etcd and zones.
//
// ra2.k8s.002: etcd on exactly three, five or seven nodes. ra2.k8s.003: a
// control plane in every zone. ra2.k8s.004: a worker in every zone.
func (c *converter) topology(cluster Cluster) {
	if c.troubled("spec.nodes") && len(cluster.Nodes) == 0 || !c.written("spec.nodes") {
		return
	}
	control, members := len(controlPlanes(cluster.Nodes)), cluster.Kubernetes.EtcdMembers
	path := pathKubernetes + ".etcd.members"
	if !c.written(path) {
		path = "spec.nodes"
	}
	_, waived := cluster.Waived("ra2.k8s.002", "", c.now)
	rolesBroken := false
	for i := range cluster.Nodes {
		rolesBroken = rolesBroken || c.troubled(fmt.Sprintf("spec.nodes[%d].roles", i))
	}
	switch {
	case rolesBroken:
	case control == 0:
		c.say("spec.nodes", "no node is a control plane", "give three, five or seven nodes the role control-plane")
	case members != control:
		c.say(path, fmt.Sprintf("%d etcd members can't be stacked on %d control planes", members, control), fmt.Sprintf("write %d, or change the number of control planes", control))
	case !waived && !slices.Contains([]int{3, 5, 7}, members):
		c.say(path, fmt.Sprintf("%d control planes make %d etcd members, and etcd needs 3, 5 or 7 (ra2.k8s.002)", control, members), "change the number of control planes, or waive ra2.k8s.002 for the whole cluster")
	}
	if rolesBroken || c.troubled("spec.zones") {
		return
	}
	for i, zone := range cluster.Zones {
		at := fmt.Sprintf("spec.zones[%d]", i)
		c.covered(cluster, at, zone, "control plane", "ra2.k8s.003", func(n Node) bool { return n.ControlPlane })
		c.covered(cluster, at, zone, "worker", "ra2.k8s.004", func(n Node) bool { return n.Worker })
	}
}

func (c *converter) covered(cluster Cluster, at, zone, role, requirement string, has func(Node) bool) {
	if _, waived := cluster.Waived(requirement, "", c.now); waived {
		return
	}
	if !slices.ContainsFunc(cluster.Nodes, func(n Node) bool { return n.Zone == zone && has(n) }) {
		c.say(at, fmt.Sprintf("zone %q has no %s (%s)", zone, role, requirement), fmt.Sprintf("put a %s into zone %s, or waive %s for the whole cluster", role, zone, requirement))
	}
}

// Sizes of the range that each node gets out of the pod networks: the
// defaults of kube-controller-manager (--node-cidr-mask-size-ipv4, -ipv6).
const (
	nodeMaskIPv4 = 24
	nodeMaskIPv6 = 64
)

// sizes reports pod and service networks that Kubernetes would refuse.
func (c *converter) sizes(cluster Cluster) {
	for _, p := range cluster.Kubernetes.PodCIDRs {
		mask := nodeMaskIPv6
		if p.Addr().Is4() {
			mask = nodeMaskIPv4
		}
		path := pathKubernetes + ".podCIDRs"
		switch room := mask - p.Bits(); {
		case room < 0 || room < 16 && 1<<room < len(cluster.Nodes):
			c.say(path, fmt.Sprintf("%s has no room for a /%d for each of %d nodes", p, mask, len(cluster.Nodes)), "write a larger network")
		case room > 16:
			c.say(path, fmt.Sprintf("%s is too large: Kubernetes takes at most 65536 node ranges", p), fmt.Sprintf("write a prefix length of %d or more", mask-16))
		}
	}
	for _, p := range cluster.Kubernetes.ServiceCIDRs {
		// kube-apiserver takes at most 20 bits of service addresses.
		if bits := p.Addr().BitLen() - p.Bits(); bits > 20 || bits < 3 {
			c.say(pathKubernetes+".serviceCIDRs", fmt.Sprintf("%s has %d bits of addresses and Kubernetes takes 3 to 20", p, bits), fmt.Sprintf("write a prefix length from %d to %d", p.Addr().BitLen()-20, p.Addr().BitLen()-3))
		}
	}
}
