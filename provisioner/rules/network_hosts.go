package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// duplicates judges whether anybody else has the address of a host, or ours.
// A host that runs answers itself, with any of its ports: Linux answers for all
// its addresses on each of them.
func (s segment) duplicates() []Finding {
	if s.seen.Deaf != "" {
		f := about(NetworkDuplicate, "nobody else at the addresses of the hosts", "ARP probes and neighbour solicitations")
		return []Finding{f.is(Unknown, notAsked)}
	}
	var all []Finding
	for _, p := range s.want.Provisioning.Networks {
		f := about(NetworkDuplicate, "nobody else at our "+p.Addr().String(), asked(p.Addr()))
		all = append(all, s.holder(f, p.Addr(), []string{s.seen.Link.MAC}, "this machine"))
	}
	for _, n := range s.want.Nodes {
		for _, a := range n.Addresses {
			f := Finding{Requirement: NetworkDuplicate, Host: n.Name, Want: "nobody but " + n.Boot.MAC + " at " + a.Addr().String(), Where: asked(a.Addr())}
			all = append(all, s.holder(f, a.Addr(), s.ports(n), "the host itself"))
		}
	}
	return all
}

// vips judges whether the virtual addresses are free, or where they belong.
func (s segment) vips() []Finding {
	var macs []string
	for _, n := range s.want.Nodes {
		if n.ControlPlane {
			macs = append(macs, s.ports(n)...)
		}
	}
	var all []Finding
	for _, a := range s.want.Kubernetes.Endpoint.VIPs {
		f := about(NetworkVIP, "nobody but a control plane at the virtual address "+a.String(), asked(a))
		if s.seen.Deaf != "" {
			all = append(all, f.is(Unknown, notAsked))
			continue
		}
		all = append(all, s.holder(f, a, macs, "a control plane"))
	}
	return all
}

// holder judges who answers for an address, which belongs to these MACs.
func (s segment) holder(f Finding, a netip.Addr, macs []string, whose string) Finding {
	n, known := s.seen.Neighbours[a]
	strangers := slices.DeleteFunc(slices.Clone(n.MACs), func(m string) bool { return slices.Contains(macs, m) })
	switch {
	case !known || n.Err != "":
		return f.isf(Unknown, "it was not asked: %s", or(n.Err, "nobody tried"))
	case len(n.MACs) == 0:
		return f.is(Pass, "nobody answers")
	case len(strangers) == 0:
		return f.isf(Pass, "%s answers (%s)", whose, strings.Join(n.MACs, ", "))
	}
	got := fmt.Sprintf("%s has it", strings.Join(strangers, ", "))
	if len(strangers) < len(n.MACs) {
		got += ", beside " + whose
	}
	if own := s.nameOf(strangers[0]); own != "" {
		got += "; that is the MAC of " + own
	}
	return f.is(Fail, got)
}

// ports returns the MACs by which a host may answer.
func (s segment) ports(n inventory.Node) []string {
	macs := []string{n.Boot.MAC}
	for _, p := range s.hosts[n.Name].BMC.Ports {
		if p.MAC != "" {
			macs = append(macs, p.MAC)
		}
	}
	return macs
}

// nameOf returns whose MAC it is, of the inventory's hosts and of this machine.
func (s segment) nameOf(mac string) string {
	if mac == s.seen.Link.MAC {
		return "this machine"
	}
	i := slices.IndexFunc(s.want.Nodes, func(n inventory.Node) bool { return slices.Contains(s.ports(n), mac) })
	if i < 0 {
		return ""
	}
	return s.want.Nodes[i].Name
}
