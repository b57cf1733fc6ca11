package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// names judges the DNS servers. "There is no such name" is an answer of a
// server that works: nodes know the name of the API by themselves. A name that
// leads elsewhere would lead administrators there.
func (s segment) names() []Finding {
	var all []Finding
	vips := s.want.Kubernetes.Endpoint.VIPs
	for _, n := range s.seen.Names {
		f := about(NetworkDNS, "an answer of DNS server "+n.Server.String(), "DNS query "+n.Question)
		elsewhere := slices.DeleteFunc(slices.Clone(n.Addresses), func(a netip.Addr) bool { return slices.Contains(vips, a) })
		switch {
		case n.Err != "":
			f = f.isf(Unknown, "it was not asked: %s", n.Err)
		case n.Silent != "":
			f = f.is(Fail, n.Silent)
		case n.RCode != "NOERROR" && n.RCode != "NXDOMAIN":
			f = f.isf(Fail, "%s: the server is there and can't or won't answer", n.RCode)
		case len(elsewhere) > 0:
			f = f.isf(Fail, "%s, which is not the virtual address; mend that name, or kubernetes.endpoint.host", list(elsewhere, ""))
		default:
			f = f.isf(Pass, "%s, %s", n.RCode, list(n.Addresses, "no address"))
		}
		all = append(all, f)
	}
	return all
}

// times judges the NTP servers, and this machine's clock by each.
func (s segment) times() []Finding {
	var all []Finding
	for _, t := range s.seen.Times {
		f := about(NetworkNTP, "the time of NTP server "+t.Server.String()+", synchronised", "NTP")
		switch {
		case t.Err != "":
			f = f.isf(Unknown, "it was not asked: %s", t.Err)
		case t.Silent != "":
			f = f.is(Fail, t.Silent)
		case t.Stratum == 0 && t.Reference != "":
			f = f.isf(Fail, "it refuses us: kiss code %q", t.Reference)
		case !synchronised(t):
			f = f.isf(Fail, "it answers, and says that its own clock is not synchronised (leap %d, stratum %d)", t.Leap, t.Stratum)
		default:
			f = f.isf(Pass, "stratum %d, %s", t.Stratum, apart(t.Offset))
		}
		all = append(all, f)
	}
	return all
}

// synchronised reports whether a server's time can be used (RFC 5905, 7.3:
// leap 3 is "unknown (clock unsynchronized)", stratum 16 "unsynchronized").
func synchronised(t facts.TimeServer) bool {
	return t.Err == "" && t.Silent == "" && t.Leap != 3 && t.Stratum > 0 && t.Stratum < 16
}

// clock judges this machine's: hosts get certificates with its time.
func (s segment) clock() []Finding {
	f := about(NetworkClock, fmt.Sprintf("this machine's clock within %s of the NTP servers'", short(wrongClock)), "NTP, adjtimex")
	var good []facts.TimeServer
	var off []facts.TimeServer
	for _, t := range s.seen.Times {
		if synchronised(t) {
			good = append(good, t)
		}
		if synchronised(t) && t.Offset.Abs() > wrongClock {
			off = append(off, t)
		}
	}
	kernel := "the kernel's clock is synchronised"
	if !s.seen.System.Synchronised {
		kernel = "nothing keeps it right, says the kernel: let chrony run here"
	}
	if s.seen.System.Err != "" {
		kernel = s.seen.System.Err
	}
	switch {
	case len(off) > 0:
		f = f.isf(Fail, "%s, says %s; %s", apart(off[0].Offset), off[0].Server, kernel)
	case len(good) > 0:
		f = f.isf(Pass, "%s, says %s; %s", apart(good[0].Offset), good[0].Server, kernel)
	case s.seen.System.Synchronised:
		f.Want = "this machine's clock synchronised"
		f = f.is(Pass, kernel)
	default:
		f = f.isf(Unknown, "no NTP server told the time; %s", kernel)
	}
	return []Finding{f}
}

// bmcClocks judges the controllers' clocks, where they told them. A host takes
// its first time from its own clock, which firmware keeps together with the
// controller's; NTP sets it right unless that is further off than certificates
// are back-dated.
func (s segment) bmcClocks() []Finding {
	var all []Finding
	for _, n := range s.want.Nodes {
		c := s.hosts[n.Name].BMC.Clock
		if c == nil {
			continue
		}
		f := Finding{Requirement: NetworkBMCClock, Host: n.Name, Want: fmt.Sprintf("a clock within %s of ours", short(backDated)), Where: "DateTime of the controller"}
		v := Pass
		if c.Skew.Abs() > backDated {
			v = Fail
		}
		all = append(all, f.is(v, apart(c.Skew)))
	}
	return all
}

// apart says how far somebody else's clock is from ours.
func apart(d time.Duration) string {
	switch {
	case d.Abs() <= worthTelling:
		return fmt.Sprintf("%.0f ms from ours", float64(d)/float64(time.Millisecond))
	case d > 0:
		return "our clock is " + short(d) + " behind"
	}
	return "our clock is " + short(-d) + " ahead"
}

// short writes a duration without what is too fine to matter.
func short(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	case d >= time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
