package conform

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// hypervisor says what a node runs on when it is a virtual machine, and from what
// that is known. Processors tell it too: CPUID has a bit for it, which Linux shows as
// a flag.
func (s Snapshot) hypervisor(n corev1.Node) (kind string, seen Evidence, is bool) {
	const label = featurePrefix + "cpu-cpuid.HYPERVISOR"
	told := s.Facts[n.Name]
	switch {
	case n.Labels[label] == "true":
		return "says Node Feature Discovery", s.saw(Nodes, ofNode(n), labelPath(label), "true"), true
	case !s.Has(FactsOf(n.Name)):
		return "", Evidence{}, false
	case told.Virtual != nil && *told.Virtual != "none":
		return *told.Virtual, s.heard(n.Name, "systemd-detect-virt --vm", *told.Virtual), true
	case told.Virtual == nil && slices.Contains(told.CPU.Flags, "hypervisor"):
		return "says its processor", s.heard(n.Name, "grep -o -w -m1 hypervisor /proc/cpuinfo", "hypervisor"), true
	}
	return "", Evidence{}, false
}

// ofPhysical is a row about the physical machine that a node runs on. What a virtual
// one shows of sockets, threads, disks, cards and slots is its hypervisor's choice, and
// neither meets such a row nor breaks it.
func ofPhysical(judge func(Snapshot, corev1.Node) Finding) func(Snapshot, corev1.Node) Finding {
	return func(s Snapshot, n corev1.Node) Finding {
		f := judge(s, n)
		kind, seen, virtual := s.hypervisor(n)
		if !virtual {
			return f
		}
		if f.Verdict == Unknown {
			f.Got = ""
		}
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: f.Want, Got: f.Got, Evidence: append([]Evidence{seen}, f.Evidence...),
			Missing: []string{"the node is a virtual machine (" + kind + "), and what it shows of hardware is its hypervisor's choice: ask the physical machine's controller, or whoever runs it"}}
	}
}

// factsVirtual is a row about nodes that are virtual machines.
func factsVirtual(want string, judge func(Snapshot, corev1.Node) Finding) func(Snapshot, corev1.Node) Finding {
	return func(s Snapshot, n corev1.Node) Finding {
		kind, seen, virtual := s.hypervisor(n)
		switch {
		case !virtual:
			return notVirtual(s, n, want)
		case judge != nil:
			return judge(s, n)
		}
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Evidence: []Evidence{seen},
			Missing: []string{"the node is a virtual machine (" + kind + "), and only its hypervisor knows what backs its vCPUs"}}
	}
}

// notVirtual is the finding of a node of which nothing says that it is virtual.
func notVirtual(s Snapshot, n corev1.Node, want string) Finding {
	told, lack := s.toldBy(n, want)
	switch {
	case lack != nil:
		return *lack
	case told.Virtual == nil:
		return untold(n, want, "whether it is a virtual machine")
	}
	f := notApplicable("the node is no virtual machine", s.heard(n.Name, "systemd-detect-virt --vm", *told.Virtual))
	f.Subject = ofNode(n)
	return f
}
