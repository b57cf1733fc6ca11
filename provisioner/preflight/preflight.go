// Package preflight looks at the provisioning network before anything is done
// to it: who gives addresses, who answers at the addresses of the inventory,
// what time it is, what size of packets comes through. It changes nothing, takes
// no lease and no address, and judges nothing (see rules.JudgeNetwork).
package preflight

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot/frame"
)

// How long each question is waited for. All are asked at once, so that the
// longest is how long it takes.
const (
	listen = 4500 * time.Millisecond // DHCP: some servers think for three seconds, see netboot.Sniff
	probes = 4 * time.Second         // ARP and NDP: three times a second apart, then RFC 5227's ANNOUNCE_WAIT
	answer = 3 * time.Second         // DNS and NTP, asked once a second
	echoes = 3 * time.Second         // ICMP, asked once a second
)

// Longest is how long Look takes at most.
const Longest = listen + time.Second

// Look asks everything at once, and returns within Longest. What can't be
// asked is told in the facts.
func Look(ctx context.Context, c inventory.Cluster) facts.Network {
	ctx, stop := context.WithTimeout(ctx, Longest)
	defer stop()
	p := c.Provisioning
	seen := facts.Network{Link: Link(p.Interface), System: systemClock()}
	seen.Deaf = deaf(seen.Link)
	seen.Names = make([]facts.NameServer, len(p.DNS))
	seen.Times = make([]facts.TimeServer, len(p.NTP))
	seen.Paths = make([]facts.Path, len(p.Gateways))
	var wg sync.WaitGroup
	for i, a := range p.DNS {
		wg.Go(func() {
			seen.Names[i] = askName(ctx, netip.AddrPortFrom(a, dnsPort), c.Kubernetes.Endpoint.Host, answer)
		})
	}
	for i, a := range p.NTP {
		wg.Go(func() { seen.Times[i] = askTime(ctx, netip.AddrPortFrom(a, ntpPort), answer) })
	}
	if seen.Deaf == "" {
		wg.Go(func() { seen.DHCP = servers(ctx, p.Interface) })
		wg.Go(func() { seen.Neighbours = Neighbours(ctx, p.Interface, addresses(c), probes) })
	}
	for i, a := range p.Gateways {
		seen.Paths[i] = facts.Path{To: a, Err: seen.Deaf}
		if seen.Deaf == "" {
			wg.Go(func() { seen.Paths[i] = askPath(ctx, p.Interface, a, sizes(seen.Link.MTU), echoes) })
		}
	}
	wg.Wait()
	return seen
}

// Before looks at what must be as it is before ra2-deploy answers on the
// network: its own interface, and who else answers. It takes as long as it
// listens.
func Before(ctx context.Context, p inventory.Provisioning) facts.Network {
	seen := facts.Network{Link: Link(p.Interface)}
	if seen.Deaf = deaf(seen.Link); seen.Deaf == "" {
		seen.DHCP = servers(ctx, p.Interface)
	}
	return seen
}

// servers listens for DHCP servers.
func servers(ctx context.Context, iface string) facts.DHCP {
	offers, err := netboot.Sniff(ctx, iface, listen)
	if err != nil {
		return facts.DHCP{Err: err.Error()}
	}
	return facts.DHCP{Listened: listen, Offers: offers}
}

// deaf says why no frames can be sent and heard on an interface, or "".
func deaf(l facts.Link) string {
	switch {
	case l.Err != "":
		return l.Err
	case !l.Exists:
		return "there is no interface " + l.Name
	case !l.Up:
		return "the interface " + l.Name + " is down"
	case !l.Carrier:
		return "the interface " + l.Name + " has no carrier"
	}
	conn, err := frame.Listen(l.Name, frame.ARP)
	if err == nil {
		err = conn.Close()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// addresses returns all that are asked for on the link: ours, the gateways',
// the virtual ones and the hosts'.
func addresses(c inventory.Cluster) []netip.Addr {
	all := slices.Concat(c.Provisioning.Gateways, c.Kubernetes.Endpoint.VIPs)
	for _, p := range c.Provisioning.Networks {
		all = append(all, p.Addr())
	}
	for _, n := range c.Nodes {
		for _, a := range n.Addresses {
			all = append(all, a.Addr())
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// late says why there is no answer: words of the system, or how long we waited.
func late(err error, d time.Duration) string {
	if err == nil || os.IsTimeout(err) {
		return "no answer within " + d.String()
	}
	return err.Error()
}
