package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// check judges the cluster as a whole: what no single field can tell.
func (c *converter) check(cluster Cluster) {
	c.unique(cluster)
	c.families(cluster)
	c.overlaps(cluster)
	c.places(cluster)
	c.verifies(cluster)
	if cluster.Image.Kubernetes {
		c.topology(cluster)
		c.sizes(cluster)
	}
}

// unique reports names, addresses and hardware that two hosts share.
func (c *converter) unique(cluster Cluster) {
	taken := map[string]string{}
	claim := func(path, kind, value, node string) {
		if value == "" {
			return
		}
		if other, ok := taken[kind+" "+value]; ok {
			c.say(path, fmt.Sprintf("%s %s is already that of %s", kind, value, other), "every host has its own; look which of the two is wrong")
			return
		}
		taken[kind+" "+value] = node
	}
	for i, n := range cluster.Nodes {
		path := fmt.Sprintf("spec.nodes[%d]", i)
		claim(path+".name", "node name", n.Name, path)
		claim(path+".boot.mac", "MAC address", n.Boot.MAC, or(n.Name, path))
		claim(path+".serial", "serial number", n.Serial, or(n.Name, path))
		claim(path+".bmc.url", "BMC", strings.TrimSuffix(n.BMC.URL, ":443"), or(n.Name, path))
		claim(path+".bmc.ipmi", "BMC", n.BMC.IPMI, or(n.Name, path))
		claim(path+".disk.serial", "disk serial", n.Disk.Serial, or(n.Name, path))
		claim(path+".disk.wwn", "disk WWN", n.Disk.WWN, or(n.Name, path))
		for _, a := range n.Addresses {
			claim(path+".addresses", "address", a.Addr().String(), or(n.Name, path))
		}
	}
}

// families reports what lacks one of the cluster's address families: those of
// the pod networks.
func (c *converter) families(cluster Cluster) {
	pods := cluster.Kubernetes.PodCIDRs
	if c.troubled(pathKubernetes+".podCIDRs") || len(pods) == 0 {
		return
	}
	match := func(path, who string, have []netip.Prefix) {
		if c.troubled(path) || len(have) == 0 && !c.written(path) {
			return
		}
		for _, p := range pods {
			if !slices.ContainsFunc(have, func(h netip.Prefix) bool { return sameFamily(h.Addr(), p.Addr()) }) {
				c.say(path, fmt.Sprintf("%s no %s address and the pods have one", who, familyName(p.Addr())), "write both families everywhere, or one family everywhere")
			}
		}
		for _, h := range have {
			if !slices.ContainsFunc(pods, func(p netip.Prefix) bool { return sameFamily(h.Addr(), p.Addr()) }) {
				c.say(path, fmt.Sprintf("%s an %s address and the pods have none", who, familyName(h.Addr())), "add a network of that family to spec.kubernetes.podCIDRs, or remove it here")
			}
		}
	}
	match(provisioningPath(c), "the provisioning network has", cluster.Provisioning.Networks)
	match(pathKubernetes+".serviceCIDRs", "the service network has", cluster.Kubernetes.ServiceCIDRs)
	match(pathKubernetes+".endpoint.vips", "the API has", hostPrefixes(cluster.Kubernetes.Endpoint.VIPs))
	for i, n := range cluster.Nodes {
		match(fmt.Sprintf("spec.nodes[%d].addresses", i), "the node has", n.Addresses)
	}
}

func provisioningPath(c *converter) string {
	if c.written(pathProvisioning + ".cidrs") {
		return pathProvisioning + ".cidrs"
	}
	return pathProvisioning + ".cidr"
}

func hostPrefixes(addrs []netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addrs {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// overlaps reports networks that share addresses.
func (c *converter) overlaps(cluster Cluster) {
	type named struct {
		path, name string
		prefix     netip.Prefix
	}
	var all []named
	add := func(path, name string, prefixes []netip.Prefix) {
		for _, p := range prefixes {
			all = append(all, named{path, name, p.Masked()})
		}
	}
	add(provisioningPath(c), "provisioning network", cluster.Provisioning.Networks)
	add(pathKubernetes+".podCIDRs", "pod network", cluster.Kubernetes.PodCIDRs)
	add(pathKubernetes+".serviceCIDRs", "service network", cluster.Kubernetes.ServiceCIDRs)
	for i, a := range all {
		for _, b := range all[:i] {
			if a.prefix.Overlaps(b.prefix) {
				c.say(a.path, fmt.Sprintf("the %s %s overlaps the %s %s", a.name, a.prefix, b.name, b.prefix), "give each network addresses of its own")
			}
		}
	}
}

// places reports addresses that are outside their network or taken.
func (c *converter) places(cluster Cluster) {
	taken := map[netip.Addr]string{}
	for _, n := range cluster.Provisioning.Networks {
		taken[n.Addr()] = "the machine that runs ra2-deploy"
	}
	for _, g := range cluster.Provisioning.Gateways {
		c.inside(pathProvisioning+".gateways", "the gateway", g, cluster)
		if taken[g] == "" { // the machine that runs ra2-deploy may be the gateway
			taken[g] = "a gateway"
		}
	}
	for i, n := range cluster.Nodes {
		path := fmt.Sprintf("spec.nodes[%d].addresses", i)
		for _, a := range n.Addresses {
			if who := taken[a.Addr()]; who != "" {
				c.say(path, fmt.Sprintf("%s is the address of %s", a.Addr(), who), "give the node an address of its own")
			}
			if net, ok := c.inside(path, "the node", a.Addr(), cluster); ok && net.Bits() != a.Bits() {
				c.say(path, fmt.Sprintf("%s has another prefix length than the provisioning network", a), fmt.Sprintf("write %s/%d", a.Addr(), net.Bits()))
			}
		}
	}
	for _, n := range cluster.Nodes {
		for _, a := range n.Addresses {
			taken[a.Addr()] = "node " + n.Name
		}
	}
	path := pathKubernetes + ".endpoint.vips"
	if len(cluster.Kubernetes.Endpoint.VIPs) == 0 && !c.written(path) && cluster.Image.Kubernetes {
		c.say(path, "is missing", "add vips: one free address per family of the provisioning network, where the API will answer")
	}
	for _, vip := range cluster.Kubernetes.Endpoint.VIPs {
		c.inside(path, "the API", vip, cluster)
		if who := taken[vip]; who != "" {
			c.say(path, fmt.Sprintf("%s is the address of %s", vip, who), "give the API an address that no machine has")
		}
	}
}

// inside reports an address outside the provisioning networks, and returns
// the network of its family.
func (c *converter) inside(path, who string, a netip.Addr, cluster Cluster) (netip.Prefix, bool) {
	for _, n := range cluster.Provisioning.Networks {
		if !sameFamily(n.Addr(), a) {
			continue
		}
		if n.Contains(a) {
			return n, true
		}
		c.say(path, fmt.Sprintf("%s of %s is outside the provisioning network %s", a, who, n.Masked()), "write an address inside "+n.Masked().String())
	}
	return netip.Prefix{}, false
}

// Waived returns the waiver of a requirement that holds for a node at a
// moment; an empty node asks for the whole cluster.
func (c Cluster) Waived(requirement, node string, now time.Time) (Waiver, bool) {
	for _, w := range c.Waivers {
		covers := len(w.Nodes) == 0 || node != "" && slices.Contains(w.Nodes, node)
		if w.Requirement == requirement && covers && !now.After(w.Until) {
			return w, true
		}
	}
	return Waiver{}, false
}
