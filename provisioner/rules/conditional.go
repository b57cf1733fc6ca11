package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// highPerformance is the profile that asks for more.
const highPerformance = inventory.HighPerformance

// ofProfile returns the finding of a row that another profile than the host's
// asks for.
func (s subject) ofProfile(id, profile string) (Finding, bool) {
	return Finding{Requirement: id, Verdict: NotApplicable, Want: "asked of the profile " + profile, Got: "profile " + s.class.Profile, Where: "inventory"},
		s.class.Profile != profile
}

// hugePages is what can be judged of ra2.ch.001 before an install: whether the
// pages that the class wants find room beside what the platform uses. The
// row itself asks for what the installed node shows.
func (s subject) hugePages() []Finding {
	const id = "ra2.ch.001"
	if len(s.class.HugePages) == 0 {
		return nil
	}
	bytes := map[string]float64{"2Mi": 2 << 20, "1Gi": 1 << 30}
	total := 0.0
	for _, size := range slices.Sorted(maps.Keys(s.class.HugePages)) {
		total += bytes[size] * float64(s.class.HugePages[size])
	}
	overhead := s.number("ra2.ch.012", "overhead_gb_i_cap_015")
	f := Finding{
		Requirement: id, Verdict: Unknown, Where: s.scalar("memoryGiB", "MemorySummary"), Got: "nobody tells the memory",
		Want: fmt.Sprintf("room for %.1f GB of huge pages beside the platform's %.0f GB", total/1e9, overhead),
	}
	if s.hw.MemoryGiB != nil {
		f.Verdict, f.Got = Pass, fmt.Sprintf("%.1f GB of memory", s.memoryGB())
		if s.memoryGB() < total/1e9+overhead {
			f.Verdict = Fail
		}
	}
	return []Finding{f}
}

// reserved is what can be judged of ra2.k8s.008 before an install: whether the
// host has the processors that its class reserves, and some beside them. A
// kubelet that is told of one that isn't there doesn't start.
func (s subject) reserved() []Finding {
	const id = "ra2.k8s.008"
	if s.class.Reserved == "" {
		return nil
	}
	_, last := s.class.Reserved.Count()
	threads, from := 0, []string{}
	for _, p := range s.hw.Processors {
		threads, from = threads+p.Threads, append(from, p.From)
	}
	f := Finding{
		Requirement: id, Verdict: Unknown, Where: where(from, "Processors"), Got: "nobody tells of threads",
		Want: fmt.Sprintf("CPUs beside the reserved %s: more than %d threads", s.class.Reserved, last+1),
	}
	switch want := s.class.BIOS.SMT; {
	case threads == 0:
	case threads > last+1:
		f.Verdict, f.Got = Pass, plural(threads, "thread")
	case want != nil && *want:
		f.Got = plural(threads, "thread") + ", and the class switches SMT on"
	default:
		f.Verdict, f.Got = Fail, plural(threads, "thread")
	}
	return []Finding{f}
}

// functions is what can be judged of ra2.ch.003 before an install: a class of
// the high-performance profile that switches SR-IOV or the IOMMU off can have
// no virtual functions. That there are some is seen on the installed node.
func (s subject) functions() []Finding {
	off := func(b *bool) bool { return b != nil && !*b }
	if s.class.Profile != highPerformance || !off(s.class.BIOS.SRIOV) && !off(s.class.BIOS.IOMMU) {
		return nil
	}
	return []Finding{{
		Requirement: "ra2.ch.003", Verdict: Fail, Want: "SR-IOV and the IOMMU on, for virtual functions",
		Got: "the class of this node wants one of them disabled", Where: "inventory",
	}}
}

// virtual is ra2.ch.005 and ra2.ch.011, which ask something of nodes that are
// virtual machines. A host with a management controller is a server.
func (s subject) virtual(id string) func() Finding {
	return func() Finding {
		return Finding{Requirement: id, Verdict: NotApplicable, Want: "asked of nodes that are virtual machines", Got: "a server with a management controller", Where: "inventory"}
	}
}

// dualStack is ra2.ch.007 as far as the inventory decides it: "to support dual
// stack" a node has an address of each family that is good beyond its link.
func (s subject) dualStack() Finding {
	f := Finding{Requirement: "ra2.ch.007", Verdict: Pass, Want: "an IPv4 and an IPv6 address that are not link-local", Where: "inventory"}
	var four, six bool
	var got []string
	for _, p := range s.node.Addresses {
		a := p.Addr()
		got = append(got, a.String())
		four, six = four || a.Is4(), six || a.Is6()
		if a.IsLinkLocalUnicast() || a.IsLoopback() {
			f.Verdict = Fail
		}
	}
	f.Got = strings.Join(got, ", ")
	if f.Verdict == Pass && !(four && six) {
		f.Verdict, f.Got = NotApplicable, "the inventory gives addresses of one family: "+f.Got
	}
	return f
}

// afxdp is ra2.ch.019, which asks for drivers where AF_XDP is offered. This
// version has no choice for it.
func (s subject) afxdp() Finding {
	return Finding{Requirement: "ra2.ch.019", Verdict: NotApplicable, Want: "asked where AF_XDP is offered", Got: "the inventory offers none", Where: "inventory"}
}
