package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Requirements on the provisioning network. They are no rows of RA2, and can't
// be waived.
const (
	NetworkInterface = "network/interface"         // it is there, up, and has a carrier
	NetworkAddress   = "network/address"           // it has the address that hosts are told
	NetworkDHCP      = "network/foreign-dhcp"      // who else gives addresses
	NetworkGateway   = "network/gateway"           // it answers on the link
	NetworkMTU       = "network/mtu"               // whole Ethernet packets come through
	NetworkDuplicate = "network/duplicate-address" // nobody else has a host's address
	NetworkVIP       = "network/virtual-address"   // it is free, or a control plane has it
	NetworkDNS       = "network/dns"               // the servers answer
	NetworkNTP       = "network/ntp"               // the servers answer, synchronised
	NetworkClock     = "network/clock"             // of this machine
	NetworkBMCClock  = "network/bmc-clock"         // of a management controller
)

// Provisioner stands for a host in findings about the machine that runs
// ra2-deploy, and about what is asked from it.
const Provisioner = "provisioner"

// notAsked says why there are no answers where nobody could ask. The reason
// stands once, with the interface.
const notAsked = "not asked, see " + NetworkInterface

// Network reports whether a finding is about the network and not about what a
// host is.
func (f Finding) Network() bool { return strings.HasPrefix(f.Requirement, "network/") }

// Bounds on clocks. Certificates begin a day before they are made, so that a
// host whose clock is less behind takes them.
const (
	worthTelling = time.Second
	wrongClock   = 5 * time.Minute
	backDated    = 24 * time.Hour
)

// segment is the provisioning network under judgement.
type segment struct {
	want  inventory.Cluster
	seen  facts.Network
	hosts map[string]facts.Host
}

// JudgeNetwork returns the findings about the provisioning network, those of
// the network before those of single hosts. What the controllers said of the
// hosts is used where they were asked: a host's further ports may answer for
// its address, and clocks are compared.
func JudgeNetwork(want inventory.Cluster, seen facts.Network, hosts map[string]facts.Host) []Finding {
	s := segment{want, seen, hosts}
	return slices.Concat(s.link(), s.addresses(), s.dhcp(), s.gateways(), s.paths(), s.names(), s.times(), s.clock(), s.duplicates(), s.vips(), s.bmcClocks())
}

// JudgeBefore returns the findings that decide whether ra2-deploy may answer on
// the network: its own interface and address, and foreign DHCP servers. It
// doesn't ask for a site's server in proxy mode: one that serves known machines
// only speaks when they do.
func JudgeBefore(want inventory.Cluster, seen facts.Network) []Finding {
	s := segment{want: want, seen: seen}
	if s.dark() {
		return append(s.darkLink(), s.addresses()...) // whoever isn't there gives no addresses
	}
	all := slices.Concat(s.link(), s.addresses())
	if want.Provisioning.DHCP == inventory.DHCPProxy && seen.Deaf == "" && seen.DHCP.Err == "" && len(s.givers()) == 0 {
		return append(all, s.bootFiles()...)
	}
	return append(all, s.dhcp()...)
}

// JudgeOwn returns the findings about the interface and its addresses alone.
func JudgeOwn(want inventory.Cluster, link facts.Link) []Finding {
	s := segment{want: want, seen: facts.Network{Link: link}}
	if s.dark() {
		return append(s.darkLink(), s.addresses()...)
	}
	return slices.Concat(s.link(), s.addresses())
}

// about begins a finding of the network as a whole.
func about(requirement, want, where string) Finding {
	return Finding{Requirement: requirement, Host: Provisioner, Verdict: Fail, Want: want, Where: where}
}

// is returns the finding with its verdict.
func (f Finding) is(v Verdict, got string) Finding {
	f.Verdict, f.Got = v, got
	return f
}

// isf is is, with a format.
func (f Finding) isf(v Verdict, format string, args ...any) Finding {
	return f.is(v, fmt.Sprintf(format, args...))
}

// dark reports whether the interface is up and alone: a bridge whose machines
// are off, a cable into a host that has no power. The run that would switch them
// on must not be refused for it.
func (s segment) dark() bool {
	l := s.seen.Link
	return l.Err == "" && l.Exists && l.Up && !l.Carrier && l.Master == ""
}

func (s segment) darkLink() []Finding {
	l := s.seen.Link
	return []Finding{about(NetworkInterface, "provisioning.interface "+l.Name+" up", "ip link show "+l.Name).
		is(Pass, "up, without a carrier: nobody is on it before the hosts have power")}
}

// link judges the interface.
func (s segment) link() []Finding {
	l := s.seen.Link
	f := about(NetworkInterface, "provisioning.interface "+l.Name+" up, with a carrier", "ip link show "+l.Name)
	switch {
	case l.Err != "":
		f = f.is(Unknown, l.Err)
	case !l.Exists:
		f = f.is(Fail, "no such interface; `ip link` lists those of this machine")
	case !l.Up:
		f = f.isf(Fail, "it is down; ip link set %s up", l.Name)
	case !l.Carrier:
		f = f.is(Fail, "no carrier: look at the cable and the switch port")
	case l.Master != "":
		f = f.isf(Fail, "it is a port of %s, which has the address; write provisioning.interface: %s", l.Master, l.Master)
	case s.seen.Deaf != "":
		f.Want = "frames sent and heard on " + l.Name
		f = f.is(Unknown, s.seen.Deaf)
	default:
		f = f.isf(Pass, "up, MTU %d, MAC %s", l.MTU, l.MAC)
	}
	return []Finding{f}
}

// addresses judges whether we have what hosts are told to call.
func (s segment) addresses() []Finding {
	var all []Finding
	l := s.seen.Link
	for _, own := range s.want.Provisioning.Networks {
		f := about(NetworkAddress, own.String()+" on "+l.Name, "ip address show "+l.Name)
		i := slices.IndexFunc(l.Addresses, func(a netip.Prefix) bool { return a.Addr() == own.Addr() })
		switch {
		case l.Err != "":
			f = f.is(Unknown, l.Err)
		case !l.Exists:
			f = f.is(Unknown, notAsked)
		case i < 0:
			f = f.isf(Fail, "%s; ip addr add %s dev %s", list(l.Addresses, "no address"), own, l.Name)
		case slices.Contains(l.Duplicate, own.Addr()):
			f = f.is(Fail, "another machine has it too: the kernel found that and doesn't use it (IFA_F_DADFAILED)")
		case l.Addresses[i].Bits() != own.Bits():
			f = f.isf(Fail, "%s; ip addr del %s dev %s && ip addr add %s dev %s", l.Addresses[i], l.Addresses[i], l.Name, own, l.Name)
		default:
			f = f.is(Pass, l.Addresses[i].String())
		}
		all = append(all, f)
	}
	return all
}

// gateways judges whether routers answer on the link.
func (s segment) gateways() []Finding {
	var all []Finding
	for _, g := range s.want.Provisioning.Gateways {
		f := about(NetworkGateway, "an answer of gateway "+g.String()+" on the link", asked(g))
		n, known := s.seen.Neighbours[g]
		switch {
		case s.own(g):
			f = f.is(Pass, "it is this machine")
		case s.seen.Deaf != "":
			f = f.is(Unknown, notAsked)
		case !known || n.Err != "":
			f = f.isf(Unknown, "it was not asked: %s", or(n.Err, "nobody tried"))
		case len(n.MACs) == 0:
			f = f.is(Fail, "nobody answers: look at the cable, the VLAN of the switch port, and provisioning.gateway")
		case len(n.MACs) > 1:
			f = f.isf(Fail, "%s answer: two machines have the address", strings.Join(n.MACs, " and "))
		default:
			f = f.isf(Pass, "MAC %s", n.MACs[0])
		}
		all = append(all, f)
	}
	return all
}

// paths judges what size of packets comes through. Hosts send what Ethernet
// allows, and pods of theirs less: VXLAN takes 50 bytes over IPv4 and 70 over
// IPv6 (RFC 7348, 4.3). Between hosts nothing can be tried before they run.
func (s segment) paths() []Finding {
	const ethernet = 1500
	link := s.seen.Link
	f := about(NetworkMTU, fmt.Sprintf("packets of %d bytes on %s", ethernet, link.Name), "ip link show "+link.Name)
	switch {
	case link.Err != "" || !link.Exists:
		f = f.is(Unknown, "the interface could not be looked at")
	case link.MTU < ethernet:
		f = f.isf(Fail, "MTU %d: hosts send %d, and what is larger than ours is lost; ip link set %s mtu %d", link.MTU, ethernet, link.Name, ethernet)
	default:
		f = f.isf(Pass, "MTU %d; hosts use %d and pods %d, or %d where hosts have IPv6 addresses only", link.MTU, ethernet, ethernet-50, ethernet-70)
	}
	all := []Finding{f}
	for _, p := range s.seen.Paths {
		f := about(NetworkMTU, fmt.Sprintf("packets of %d bytes to gateway %s and back, whole", ethernet, p.To), "ICMP echo, not to be fragmented")
		switch {
		case s.own(p.To):
			continue
		case s.seen.Deaf != "":
			f = f.is(Unknown, notAsked)
		case p.Err != "":
			f = f.is(Unknown, p.Err)
		case p.Bytes == 0:
			f = f.is(Unknown, "it doesn't answer ICMP, so that nobody can tell")
		case p.Bytes < ethernet && p.Tried >= ethernet:
			f = f.isf(Fail, "%d bytes come through, %d don't: look at the MTU of switches and gateway", p.Bytes, ethernet)
		case p.Bytes < ethernet:
			f = f.isf(Fail, "%d bytes come through, and our MTU allows no more", p.Bytes)
		default:
			f = f.isf(Pass, "%d bytes of %d tried", p.Bytes, p.Tried)
		}
		all = append(all, f)
	}
	return all
}

// own reports whether an address is one of ours.
func (s segment) own(a netip.Addr) bool {
	return slices.ContainsFunc(s.want.Provisioning.Networks, func(p netip.Prefix) bool { return p.Addr() == a })
}

// asked names the protocol that asks for an address on the link.
func asked(a netip.Addr) string {
	if a.Is4() {
		return "ARP probe"
	}
	return "neighbour solicitation"
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// list writes things in words.
func list[T fmt.Stringer](all []T, none string) string {
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return or(strings.Join(out, ", "), none)
}
