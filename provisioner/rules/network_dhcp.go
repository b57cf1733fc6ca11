package rules

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// dhcp judges who else gives addresses and boot files. Beside us as the only
// server there may be nobody; beside us as a proxy there is one server that
// gives addresses and no boot file: which of two a host listens to is a matter
// of luck.
func (s segment) dhcp() []Finding {
	proxy := s.want.Provisioning.DHCP == inventory.DHCPProxy
	f := about(NetworkDHCP, "no other DHCP server (provisioning.dhcp: authoritative)", s.heard())
	if proxy {
		f.Want = "one DHCP server that gives addresses (provisioning.dhcp: proxy)"
	}
	givers := s.givers()
	switch {
	case s.seen.Deaf != "":
		return []Finding{f.is(Unknown, notAsked)}
	case s.seen.DHCP.Err != "":
		return []Finding{f.is(Unknown, s.seen.DHCP.Err)}
	case !proxy && len(s.foreign()) == 0:
		return []Finding{f.isf(Pass, "nobody offered anything within %s", s.seen.DHCP.Listened)}
	case !proxy:
		return s.each(f, s.foreign(), "; switch it off on this network, or write provisioning.dhcp: proxy")
	case len(givers) == 0:
		f = f.isf(Fail, "nobody offered an address within %s (a server that knows its machines by MAC would not; let it answer unknown ones to be seen)", s.seen.DHCP.Listened)
	case len(numbers(givers)) > 1:
		f = f.isf(Fail, "%s; switch off all but one", list(givers, ""))
	default:
		f = f.is(Pass, givers[0].String())
	}
	return append([]Finding{f}, s.bootFiles()...)
}

// bootFiles judges whether, beside us as a proxy, anybody else says what to
// boot.
func (s segment) bootFiles() []Finding {
	f := about(NetworkDHCP, "no boot file from any other server (provisioning.dhcp: proxy)", s.heard())
	var others []facts.Offer
	for _, o := range s.foreign() {
		if o.BootFile != "" || o.Class != "" {
			others = append(others, o)
		}
	}
	if len(others) == 0 {
		return []Finding{f.isf(Pass, "none within %s", s.seen.DHCP.Listened)}
	}
	return s.each(f, others, "; take the boot file out of that server, hosts would boot it instead of ours")
}

// each makes one finding for each offer.
func (s segment) each(f Finding, offers []facts.Offer, next string) []Finding {
	var all []Finding
	for _, o := range offers {
		all = append(all, f.is(Fail, o.String()+next))
	}
	return all
}

// foreign returns the servers that aren't ours.
func (s segment) foreign() []facts.Offer {
	return slices.DeleteFunc(slices.Clone(s.seen.DHCP.Offers), func(o facts.Offer) bool {
		return s.own(o.Server) && o.MAC == "" || s.own(o.Server) && o.MAC == s.seen.Link.MAC
	})
}

// givers returns the foreign servers that give addresses.
func (s segment) givers() []facts.Offer {
	return slices.DeleteFunc(s.foreign(), func(o facts.Offer) bool { return !o.Address.IsValid() && o.Type != "REQUEST" })
}

// numbers returns the addresses of different servers: one that is heard by way
// of two relays is one.
func numbers(offers []facts.Offer) []netip.Addr {
	var all []netip.Addr
	for _, o := range offers {
		all = append(all, o.Server)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

func (s segment) heard() string {
	return fmt.Sprintf("DHCPDISCOVER on %s", s.seen.Link.Name)
}
