package preflight

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// bad looks at the site, and returns the findings that don't pass as
// "verdict requirement host: got".
func bad(t *testing.T, c inventory.Cluster) []string {
	t.Helper()
	began := time.Now()
	seen := Look(t.Context(), c)
	took := time.Since(began)
	t.Logf("looked for %s: %+v", took, seen)
	var out []string
	for _, f := range rules.JudgeNetwork(c, seen, nil) {
		t.Logf("%s %s %s: want %s, got %s (%s)", f.Verdict, f.Requirement, f.Host, f.Want, f.Got, f.Where)
		if !f.Passes() {
			out = append(out, string(f.Verdict)+" "+f.Requirement+" "+f.Host+": "+f.Got)
		}
	}
	return out
}

// only wants findings with these words, in any order, and no others.
func only(t *testing.T, got []string, want ...string) {
	t.Helper()
	rest := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(rest, func(g string) bool {
			return !slices.ContainsFunc(strings.Split(w, "|"), func(part string) bool { return !strings.Contains(g, part) })
		})
		if i < 0 {
			t.Errorf("no finding with %q in:\n%s", w, strings.Join(got, "\n"))
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) > 0 {
		t.Errorf("not wanted:\n%s", strings.Join(rest, "\n"))
	}
}

// A good site: gateway, DNS, NTP; one control plane runs and has the VIPs, the
// other is off.
func TestPeerGood(t *testing.T) {
	if !inSite(t, "dnsmasq", "chronyd") {
		return
	}
	makeSite(t)
	gateway := plug(t, "gw", "52:54:00:17:00:fe", "10.17.0.254/24", "fd00:17::254/64")
	gateway.dnsmasq(t, dnsPort, "--address=/api.edge.internal/10.17.0.10")
	gateway.chrony(t, "local stratum 8\n")
	plug(t, "cpa", macA, "10.17.0.11/24", "fd00:17::11/64", "10.17.0.10/32", "fd00:17::10/128")
	only(t, bad(t, site()))
}

// A site's own DHCP server that first looks for three seconds whether the
// address is free, as dnsmasq does unless it is told otherwise.
func TestPeerForeignDHCP(t *testing.T) {
	if !inSite(t, "dnsmasq", "chronyd") {
		return
	}
	makeSite(t)
	gateway := plug(t, "gw", "52:54:00:17:00:fe", "10.17.0.254/24", "fd00:17::254/64")
	gateway.chrony(t, "local stratum 8\n")
	gateway.dnsmasq(t, 67, "--dhcp-range=10.17.0.200,10.17.0.220,1h", "--address=/api.edge.internal/10.17.0.10")
	c := site()
	only(t, bad(t, c), "fail network/foreign-dhcp|10.17.0.254 (MAC 52:54:00:17:00:fe) sent OFFER of 10.17.0.2|provisioning.dhcp: proxy")

	c.Provisioning.DHCP = inventory.DHCPProxy
	only(t, bad(t, c))

	// Looks done, isn't: the second server speaks to firmware only, and gives a
	// boot file and no address.
	second := plug(t, "pxe", other, "10.17.0.253/24")
	second.dnsmasq(t, 67, "--port=0", "--no-ping", "--dhcp-range=10.17.0.0,proxy", "--pxe-service=x86PC,PXE,undionly.kpxe", "--pxe-service=X86-64_EFI,PXE,ipxe.efi", "--pxe-prompt=go,0")
	only(t, bad(t, c), "fail network/foreign-dhcp|10.17.0.253 (MAC "+other+")|take the boot file out")

	c.Provisioning.DHCP = inventory.DHCPAuthoritative
	only(t, bad(t, c), "fail network/foreign-dhcp|10.17.0.254", "fail network/foreign-dhcp|10.17.0.253|PXEClient")
}

// Servers for firmware only: nobody else hears them.
func TestPeerFirmwareOnly(t *testing.T) {
	if !inSite(t, "dnsmasq") {
		return
	}
	makeSite(t)
	gateway := plug(t, "gw", "52:54:00:17:00:fe", "10.17.0.254/24")
	gateway.dnsmasq(t, 67, "--port=0", "--no-ping", "--dhcp-range=10.17.0.200,10.17.0.220,1h", "--dhcp-vendorclass=set:pxe,PXEClient", "--dhcp-ignore=tag:!pxe", "--dhcp-boot=tag:pxe,pxelinux.0")
	dhcp := servers(t.Context(), "prov")
	if len(dhcp.Offers) != 1 || dhcp.Offers[0].BootFile != "pxelinux.0" || !strings.HasPrefix(dhcp.Offers[0].Asked, "PXEClient") || dhcp.Err != "" {
		t.Errorf("a server for PXE clients only: %+v", dhcp)
	}
	if leases := gateway.sh(t, "ip neigh; true"); strings.Contains(leases, "10.17.0.2") {
		t.Errorf("somebody took an address: %s", leases)
	}
}

// Nobody is there, and what answers is wrong.
func TestPeerBad(t *testing.T) {
	if !inSite(t, "dnsmasq", "chronyd") {
		return
	}
	makeSite(t)
	c := site()
	c.Provisioning.DHCP = inventory.DHCPProxy
	c.Provisioning.DNS = []netip.Addr{netip.MustParseAddr("10.17.0.20"), netip.MustParseAddr("10.17.0.21")}
	c.Provisioning.NTP = []netip.Addr{netip.MustParseAddr("10.17.0.20"), netip.MustParseAddr("10.17.0.21")}
	// Looks done, isn't: a time server without a source, a DNS server that
	// won't look names up.
	services := plug(t, "srv", other, "10.17.0.20/24")
	services.dnsmasq(t, dnsPort)
	services.chrony(t, "")
	// The address of cp-a on another machine, of cp-b on cp-b itself; the VIPs.
	plug(t, "thief", "52:54:00:17:00:66", "10.17.0.11/24", "fd00:17::10/64")
	plug(t, "cpb", macB, "10.17.0.12/24", "fd00:17::12/64", "10.17.0.10/24")
	// Ours is on another machine too, and the second one isn't here.
	plug(t, "twin", "52:54:00:17:00:67", "10.17.0.1/24")
	sh(t, "ip addr del fd00:17::1/64 dev prov; ip link set prov mtu 1400")
	only(t, bad(t, c),
		"fail network/address|ip addr add fd00:17::1/64 dev prov",
		"fail network/foreign-dhcp|nobody offered an address",
		"fail network/gateway|nobody answers", "fail network/gateway|nobody answers",
		"fail network/mtu|MTU 1400", "unknown network/mtu|ICMP", "unknown network/mtu",
		"fail network/dns|REFUSED", "fail network/dns|no answer within 3s",
		"fail network/ntp|not synchronised (leap 3", "fail network/ntp|no answer within 3s",
		"unknown network/clock",
		"fail network/duplicate-address provisioner|52:54:00:17:00:67 has it",
		"fail network/duplicate-address cp-a|52:54:00:17:00:66 has it",
		"fail network/virtual-address|52:54:00:17:00:66 has it",
	)
}

// A switch between us and the gateway passes no whole Ethernet packets.
func TestPeerPath(t *testing.T) {
	if !inSite(t) {
		return
	}
	makeSite(t)
	plug(t, "gw", "52:54:00:17:00:fe", "10.17.0.254/24", "fd00:17::254/64").sh(t, "ip link set eth0 mtu 1450")
	for _, a := range []string{"10.17.0.254", "fd00:17::254"} {
		p := askPath(t.Context(), "prov", netip.MustParseAddr(a), sizes(1500), echoes)
		if p.Err != "" || p.Bytes != 1450 || p.Tried != 1500 {
			t.Errorf("to %s: %+v", a, p)
		}
	}
}

// Without a network, everything that needs it is unknown, and it is said once
// why.
func TestPeerNoInterface(t *testing.T) {
	if !inSite(t) {
		return
	}
	c := site()
	c.Provisioning.DNS, c.Provisioning.NTP = nil, nil
	for _, state := range []struct{ make, want string }{
		{"ip link set lo up", "no such interface"},
		{"ip link add prov type veth peer name far", "it is down; ip link set prov up"},
		{"ip link set prov up", "no carrier"},
		{"ip link add name lan type bridge; ip link set lan up; ip link set prov master lan; ip link set far up", "it is a port of lan"},
	} {
		sh(t, state.make)
		got := bad(t, c)
		if len(got) == 0 || !strings.Contains(got[0], "fail network/interface") || !strings.Contains(got[0], state.want) {
			t.Errorf("after %s: %v", state.make, got)
		}
		if strings.Contains(state.want, "port of") {
			continue // frames can be heard there
		}
		for _, f := range got {
			if !strings.Contains(f, "network/interface") && !strings.Contains(f, "network/address") && !strings.Contains(f, "network/clock") && !strings.HasPrefix(f, "unknown") {
				t.Errorf("after %s: judged what nobody could see: %s", state.make, f)
			}
		}
	}
}
