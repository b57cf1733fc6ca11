package rules_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

const (
	ourMAC   = "52:54:00:17:00:01"
	hostMAC  = "52:54:00:17:00:11"
	otherMAC = "52:54:00:17:00:99"
)

// goodNetwork returns a site and what is seen of it when all is well.
func goodNetwork() (inventory.Cluster, facts.Network, map[string]facts.Host) {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	c := inventory.Cluster{
		Kubernetes: inventory.Kubernetes{Endpoint: inventory.Endpoint{Host: "api.edge.internal", VIPs: []netip.Addr{a("10.17.0.10")}}},
		Provisioning: inventory.Provisioning{
			Interface: "eno1", DHCP: inventory.DHCPAuthoritative, Networks: []netip.Prefix{p("10.17.0.1/24")},
			Gateways: []netip.Addr{a("10.17.0.254")}, DNS: []netip.Addr{a("10.17.0.2")}, NTP: []netip.Addr{a("10.17.0.3")},
		},
		Nodes: []inventory.Node{
			{Name: "cp-a", ControlPlane: true, Boot: inventory.Boot{MAC: hostMAC}, Addresses: []netip.Prefix{p("10.17.0.11/24")}},
			{Name: "w-a", Worker: true, Boot: inventory.Boot{MAC: "52:54:00:17:00:21"}, Addresses: []netip.Prefix{p("10.17.0.21/24")}},
		},
	}
	n := facts.Network{
		Link: facts.Link{Name: "eno1", Exists: true, Up: true, Carrier: true, MTU: 1500, MAC: ourMAC, Addresses: []netip.Prefix{p("10.17.0.1/24")}},
		DHCP: facts.DHCP{Listened: 4 * time.Second},
		Neighbours: map[netip.Addr]facts.Neighbour{
			a("10.17.0.1"): {}, a("10.17.0.10"): {}, a("10.17.0.11"): {}, a("10.17.0.21"): {}, a("10.17.0.254"): {MACs: []string{"52:54:00:17:00:fe"}},
		},
		Names:  []facts.NameServer{{Server: a("10.17.0.2"), Question: "api.edge.internal. A", RCode: "NXDOMAIN"}},
		Times:  []facts.TimeServer{{Server: a("10.17.0.3"), Stratum: 2, Offset: 20 * time.Millisecond}},
		System: facts.SystemClock{Synchronised: true},
		Paths:  []facts.Path{{To: a("10.17.0.254"), Tried: 1500, Bytes: 1500}},
	}
	return c, n, map[string]facts.Host{}
}

func TestNetworkGood(t *testing.T) {
	c, n, hosts := goodNetwork()
	all := rules.JudgeNetwork(c, n, hosts)
	if len(all) != 13 {
		t.Errorf("%d findings: %+v", len(all), all)
	}
	for _, f := range all {
		if f.Verdict != rules.Pass || f.Want == "" || f.Got == "" || f.Where == "" || f.Host == "" {
			t.Errorf("%+v", f)
		}
	}
}

// change is what a case does to a good site.
type change = func(c *inventory.Cluster, n *facts.Network, hosts map[string]facts.Host)

// seen is a change of what was seen of the network.
func seen(f func(n *facts.Network)) change {
	return func(_ *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) { f(n) }
}

// TestNetwork changes one thing of a good site: exactly that is found.
func TestNetwork(t *testing.T) {
	a := netip.MustParseAddr
	offer := facts.Offer{Server: a("10.17.0.253"), From: a("10.17.0.253"), MAC: otherMAC, Type: "OFFER", Address: a("10.17.0.200")}
	proxy := facts.Offer{Server: a("10.17.0.252"), From: a("10.17.0.252"), MAC: otherMAC, Type: "OFFER", Class: "PXEClient", BootFile: "x.efi"}
	beside := func(c *inventory.Cluster, n *facts.Network, offers ...facts.Offer) {
		c.Provisioning.DHCP, n.DHCP.Offers = inventory.DHCPProxy, offers
	}
	with := func(offers ...facts.Offer) change {
		return seen(func(n *facts.Network) { n.DHCP.Offers = offers })
	}
	at := func(addr string, macs ...string) change {
		return seen(func(n *facts.Network) { n.Neighbours[a(addr)] = facts.Neighbour{MACs: macs} })
	}
	for _, c := range []struct {
		name   string
		change change
		want   string // "verdict requirement host", parts of the rest after |; empty: nothing against it
	}{
		{"down", seen(func(n *facts.Network) { n.Link.Up = false }), "fail network/interface provisioner|ip link set eno1 up"},
		{"no carrier", seen(func(n *facts.Network) { n.Link.Carrier = false }), "fail network/interface provisioner|cable"},
		{"a port of a bridge", seen(func(n *facts.Network) { n.Link.Master = "br0" }), "fail network/interface provisioner|provisioning.interface: br0"},
		{"no address", seen(func(n *facts.Network) { n.Link.Addresses = nil }), "fail network/address provisioner|ip addr add 10.17.0.1/24 dev eno1"},
		{"another prefix length", seen(func(n *facts.Network) {
			n.Link.Addresses[0] = netip.MustParsePrefix("10.17.0.1/16")
		}), "fail network/address provisioner|ip addr del 10.17.0.1/16"},
		{"found twice by the kernel", seen(func(n *facts.Network) {
			n.Link.Duplicate = []netip.Addr{a("10.17.0.1")}
		}), "fail network/address provisioner|IFA_F_DADFAILED"},
		{"a foreign server", with(offer), "fail network/foreign-dhcp provisioner|10.17.0.253 (MAC " + otherMAC + ") sent OFFER of 10.17.0.200"},
		{"a foreign proxy", with(proxy), `fail network/foreign-dhcp provisioner|boot file "x.efi"`},
		{"overheard from a client", with(facts.Offer{Server: a("10.17.0.9"), Type: "REQUEST"}), "fail network/foreign-dhcp provisioner|10.17.0.9 gives an address to another client"},
		{"a host takes our own offer", with(facts.Offer{Server: a("10.17.0.1"), Type: "REQUEST"}), ""},
		{"our number by another MAC", with(facts.Offer{Server: a("10.17.0.1"), MAC: otherMAC, Type: "OFFER", Address: a("10.17.0.99")}), "fail network/foreign-dhcp provisioner|" + otherMAC},
		{"dhcp not asked", seen(func(n *facts.Network) { n.DHCP.Err = "odd" }), "unknown network/foreign-dhcp provisioner|odd"},
		{"proxy, one server", func(c *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) { beside(c, n, offer) }, ""},
		{"proxy, one by two relays", func(c *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) {
			second := offer
			second.MAC = "52:54:00:17:00:98"
			beside(c, n, offer, second)
		}, ""},
		{"proxy, nobody", func(c *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) { beside(c, n) }, "fail network/foreign-dhcp provisioner|nobody offered an address"},
		{"proxy, two", func(c *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) {
			second := offer
			second.Server = a("10.17.0.7")
			beside(c, n, offer, second)
		}, "fail network/foreign-dhcp provisioner|10.17.0.253|10.17.0.7|switch off all but one"},
		{"proxy, with a boot file", func(c *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) {
			boots := offer
			boots.BootFile = "pxelinux.0"
			beside(c, n, boots)
		}, `fail network/foreign-dhcp provisioner|"pxelinux.0"|take the boot file out`},
		{"proxy, beside another", func(c *inventory.Cluster, n *facts.Network, _ map[string]facts.Host) { beside(c, n, offer, proxy) }, "fail network/foreign-dhcp provisioner|10.17.0.252"},
		{"gateway away", at("10.17.0.254"), "fail network/gateway provisioner|nobody answers"},
		{"two gateways", at("10.17.0.254", hostMAC, otherMAC), "fail network/gateway provisioner|" + hostMAC + " and " + otherMAC},
		{"gateway not asked", seen(func(n *facts.Network) { delete(n.Neighbours, a("10.17.0.254")) }), "unknown network/gateway provisioner|nobody tried"},
		{"small MTU", seen(func(n *facts.Network) { n.Link.MTU = 1400 }), "fail network/mtu provisioner|ip link set eno1 mtu 1500"},
		{"small path", seen(func(n *facts.Network) { n.Paths[0].Bytes = 1450 }), "fail network/mtu provisioner|1450 bytes come through"},
		{"no ICMP", seen(func(n *facts.Network) { n.Paths[0].Bytes = 0 }), "unknown network/mtu provisioner|ICMP"},
		{"jumbo here only", seen(func(n *facts.Network) { n.Link.MTU, n.Paths[0].Tried = 9000, 9000 }), ""},
		{"DNS silent", seen(func(n *facts.Network) { n.Names[0].Silent = "no answer within 3s" }), "fail network/dns provisioner|no answer"},
		{"DNS unreachable", seen(func(n *facts.Network) { n.Names[0].Err = "no route" }), "unknown network/dns provisioner|no route"},
		{"DNS broken", seen(func(n *facts.Network) { n.Names[0].RCode = "SERVFAIL" }), "fail network/dns provisioner|SERVFAIL"},
		{"DNS leads here", seen(func(n *facts.Network) {
			n.Names[0].RCode, n.Names[0].Addresses = "NOERROR", []netip.Addr{a("10.17.0.10")}
		}), ""},
		{"DNS leads elsewhere", seen(func(n *facts.Network) {
			n.Names[0].RCode, n.Names[0].Addresses = "NOERROR", []netip.Addr{a("192.0.2.1")}
		}), "fail network/dns provisioner|192.0.2.1"},
		{"clock 5 s behind is told", seen(func(n *facts.Network) { n.Times[0].Offset = 5 * time.Second }), ""},
		{"clock 6 min ahead", seen(func(n *facts.Network) { n.Times[0].Offset = -6 * time.Minute }), "fail network/clock provisioner|our clock is 6 min ahead"},
		{"nobody keeps it, NTP says it is right", seen(func(n *facts.Network) { n.System.Synchronised = false }), ""},
		{"no time at all", seen(func(n *facts.Network) { n.System.Synchronised, n.Times = false, nil }), "unknown network/clock provisioner|no NTP server"},
		{"leap 3", seen(func(n *facts.Network) { n.Times[0].Leap = 3 }), "fail network/ntp provisioner|not synchronised (leap 3"},
		{"stratum 16", seen(func(n *facts.Network) { n.Times[0].Stratum = 16 }), "fail network/ntp provisioner|stratum 16"},
		{"stratum 0", seen(func(n *facts.Network) { n.Times[0].Stratum = 0 }), "fail network/ntp provisioner|not synchronised"},
		{"kiss of death", seen(func(n *facts.Network) {
			n.Times[0].Stratum, n.Times[0].Reference = 0, "DENY"
		}), `fail network/ntp provisioner|kiss code "DENY"`},
		{"a host runs", at("10.17.0.11", hostMAC), ""},
		{"a host's second port", func(c *inventory.Cluster, n *facts.Network, hosts map[string]facts.Host) {
			at("10.17.0.11", hostMAC, otherMAC)(c, n, hosts)
			hosts["cp-a"] = facts.Host{BMC: facts.BMC{Hardware: facts.Hardware{Ports: []facts.Port{{MAC: hostMAC}, {MAC: otherMAC}}}}}
		}, ""},
		{"somebody else", at("10.17.0.11", otherMAC), "fail network/duplicate-address cp-a|nobody but " + hostMAC + "|" + otherMAC},
		{"both", at("10.17.0.11", hostMAC, otherMAC), "fail network/duplicate-address cp-a|beside the host itself"},
		{"two hosts changed places", at("10.17.0.21", hostMAC), "fail network/duplicate-address w-a|that is the MAC of cp-a"},
		{"our address too", at("10.17.0.1", otherMAC), "fail network/duplicate-address provisioner|" + otherMAC},
		{"a control plane has the VIP", at("10.17.0.10", hostMAC), ""},
		{"a worker has the VIP", at("10.17.0.10", "52:54:00:17:00:21"), "fail network/virtual-address provisioner|that is the MAC of w-a"},
		{"a clock in the past", func(_ *inventory.Cluster, _ *facts.Network, hosts map[string]facts.Host) {
			hosts["w-a"] = facts.Host{BMC: facts.BMC{Clock: &facts.Clock{Skew: -6 * 365 * 24 * time.Hour}}}
		}, "fail network/bmc-clock w-a|our clock is 2190 days ahead"},
		{"a clock an hour off", func(_ *inventory.Cluster, _ *facts.Network, hosts map[string]facts.Host) {
			hosts["w-a"] = facts.Host{BMC: facts.BMC{Clock: &facts.Clock{Skew: time.Hour}}}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, n, hosts := goodNetwork()
			c.change(&cluster, &n, hosts)
			var got []string
			for _, f := range rules.JudgeNetwork(cluster, n, hosts) {
				if !f.Passes() {
					got = append(got, strings.Join([]string{string(f.Verdict), f.Requirement, f.Host, f.Want, f.Got}, " "))
				}
			}
			if c.want == "" {
				if len(got) > 0 {
					t.Errorf("not wanted: %q", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("want one finding with %q, got %q", c.want, got)
			}
			for _, part := range strings.Split(c.want, "|") {
				if !strings.Contains(got[0], part) {
					t.Errorf("want %q in %q", part, got[0])
				}
			}
		})
	}
}

// TestNetworkDeaf: without the right to hear frames, what needs them is
// unknown, and the reason stands once.
func TestNetworkDeaf(t *testing.T) {
	c, n, hosts := goodNetwork()
	n.Deaf = "operation not permitted (run as root)"
	reasons := 0
	for _, f := range rules.JudgeNetwork(c, n, hosts) {
		if strings.Contains(f.Got, "run as root") {
			reasons++
		}
		switch f.Requirement {
		case rules.NetworkAddress, rules.NetworkDNS, rules.NetworkNTP, rules.NetworkClock:
			continue
		case rules.NetworkMTU:
			if !strings.Contains(f.Want, "gateway") {
				continue
			}
		}
		if f.Verdict != rules.Unknown {
			t.Errorf("%+v", f)
		}
	}
	if reasons != 1 {
		t.Errorf("the reason stands %d times", reasons)
	}
}

// TestBefore: what up asks before it answers on the network.
func TestBefore(t *testing.T) {
	against := func(all []rules.Finding) (n int) {
		for _, f := range all {
			if !f.Passes() {
				n++
			}
		}
		return n
	}
	c, n, _ := goodNetwork()
	offer := facts.Offer{Server: netip.MustParseAddr("10.17.0.253"), MAC: otherMAC, Type: "OFFER", Address: netip.MustParseAddr("10.17.0.200")}
	if all := rules.JudgeBefore(c, n); against(all) != 0 {
		t.Errorf("alone: %+v", all)
	}
	n.DHCP.Offers = []facts.Offer{offer}
	if all := rules.JudgeBefore(c, n); against(all) != 1 {
		t.Errorf("beside another: %+v", all)
	}
	c.Provisioning.DHCP = inventory.DHCPProxy
	if all := rules.JudgeBefore(c, n); against(all) != 0 {
		t.Errorf("as a proxy: %+v", all)
	}
	n.DHCP.Offers = nil
	if all := rules.JudgeBefore(c, n); against(all) != 0 {
		t.Errorf("as a proxy, beside a server of known machines: %+v", all)
	}
	n.Deaf = "no"
	if all := rules.JudgeBefore(c, n); against(all) != 2 {
		t.Errorf("deaf: %+v", all)
	}
	n.Link.Carrier = false // all hosts are off, and nobody else is on the link
	if all := append(rules.JudgeBefore(c, n), rules.JudgeOwn(c, n.Link)...); against(all) != 0 {
		t.Errorf("dark: %+v", all)
	}
	n.Link.Up = false
	if all := rules.JudgeBefore(c, n); against(all) == 0 {
		t.Error("an interface that is down passes")
	}
}
