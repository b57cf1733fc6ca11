package conform

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// factsSRIOV is ra2.ch.002 by what a node tells.
func factsSRIOV(s Snapshot, n corev1.Node) Finding {
	const want = "a network card that can do SR-IOV"
	told, lack := s.toldBy(n, want)
	if lack != nil {
		return *lack
	}
	if told.NICs == nil {
		return untold(n, want, "its network cards")
	}
	var can []string
	for _, nic := range told.NICs {
		if nic.TotalVFs != nil && *nic.TotalVFs > 0 {
			can = append(can, fmt.Sprintf("%s (%d)", nic.Name, *nic.TotalVFs))
		}
	}
	return either(len(can) > 0, ofNode(n), want, orNone(few(can)), "use a card that has SR-IOV, and switch it on in the firmware",
		s.heard(n.Name, "cat /sys/class/net/*/device/sriov_totalvfs", can))
}

// factsSMT is ra2.ch.004 by what a node tells. A kernel that says "not
// supported" says it also of AMD processors whose firmware switched SMT off.
func factsSMT(s Snapshot, n corev1.Node) Finding {
	const want = "SMT on"
	told, lack := s.toldBy(n, want)
	if lack != nil {
		return *lack
	}
	seen := s.heard(n.Name, "cat /sys/devices/system/cpu/smt/active /sys/devices/system/cpu/smt/control", told.CPU.SMTControl)
	switch on := told.CPU.SMTActive; {
	case on != nil && *on:
		return ok(ofNode(n), want, "threads share cores", seen)
	case told.CPU.SMTControl == "notimplemented":
		f := notApplicable("the processors have no SMT, says the kernel", seen)
		f.Subject = ofNode(n)
		return f
	case on != nil && (told.CPU.SMTControl == "off" || told.CPU.SMTControl == "forceoff" || told.CPU.SMTControl == "on"):
		return bad(ofNode(n), want, "off ("+told.CPU.SMTControl+")", "switch SMT on in the firmware, and take nosmt off the kernel line", seen)
	}
	return untold(n, want, "whether its processors have SMT (the kernel says "+orNone(told.CPU.SMTControl)+")")
}

// factsSockets is ra2.ch.008 by what a node tells.
func factsSockets(s Snapshot, n corev1.Node) Finding {
	prefix := ""
	if s.classOf(n.Name).Edge {
		prefix = "edge_exception."
	}
	sockets, cores := s.threshold("ra2.ch.008", prefix+"sockets_min"), s.threshold("ra2.ch.008", prefix+"cores_per_socket_min")
	want := fmt.Sprintf("%.0f sockets or more, %.0f cores or more in each", sockets, cores)
	told, lack := s.toldBy(n, want)
	if lack != nil {
		return *lack
	}
	if told.CPU.Sockets == 0 || len(told.CPU.Cores) != told.CPU.Sockets {
		return untold(n, want, "its sockets and their cores")
	}
	good := float64(told.CPU.Sockets) >= sockets && float64(slices.Min(told.CPU.Cores)) >= cores
	return either(good, ofNode(n), want, fmt.Sprintf("%d sockets, cores %v", told.CPU.Sockets, told.CPU.Cores), "use such a server, or waive the row",
		s.heard(n.Name, "lscpu", told.CPU.Cores))
}

// factsDisks is ra2.ch.009 by what a node tells of the disks that hold
// something of Kubernetes.
func factsDisks(s Snapshot, n corev1.Node) Finding {
	const want = "solid-state drives"
	told, lack := s.toldBy(n, want)
	if lack != nil {
		return *lack
	}
	var turning, solid []string
	for _, d := range told.Disks {
		switch {
		case len(d.Holds) == 0 || d.Rotational == nil:
		case *d.Rotational:
			turning = append(turning, d.Name)
		default:
			solid = append(solid, d.Name)
		}
	}
	if len(turning)+len(solid) == 0 {
		return untold(n, want, "what kind its disks are")
	}
	return either(len(turning) == 0, ofNode(n), want, fmt.Sprintf("solid-state: %s; hard disks: %s", orNone(few(solid)), orNone(few(turning))),
		"use solid-state drives, first of all for etcd", s.heard(n.Name, "lsblk -d -o NAME,ROTA", turning))
}

// factsPorts is ra2.ch.013 to 015 by what a node tells. A port whose link is
// down or slow says nothing of what it can do.
func factsPorts(id string) func(Snapshot, corev1.Node) Finding {
	return func(s Snapshot, n corev1.Node) Finding {
		least, speed := s.threshold("ra2.ch.013", "nic_ports_min"), 0.0
		want := fmt.Sprintf("%.0f ports", least)
		if id != "ra2.ch.013" {
			speed = s.threshold(id, "port_speed_gbps_min")
			want += fmt.Sprintf(" of %.0f Gb/s or more", speed)
		}
		told, lack := s.toldBy(n, want)
		if lack != nil {
			return *lack
		}
		if told.NICs == nil {
			return untold(n, want, "its network cards")
		}
		good, slow := 0, 0
		for _, nic := range told.NICs {
			switch {
			case !nic.Physical:
			case float64(nic.Mbps)/1000 >= speed:
				good++
			default:
				slow++
			}
		}
		f := either(float64(good) >= least, ofNode(n), want, fmt.Sprintf("%d, and %d that don't show it", good, slow), "use a server with more ports, or waive the row",
			s.heard(n.Name, "grep . /sys/class/net/*/speed", good))
		if f.Verdict == Fail && float64(good+slow) >= least {
			return untold(n, want, fmt.Sprintf("what %d of its ports can do", slow))
		}
		return f
	}
}

// factsSlots is ra2.ch.016 by what a node's SMBIOS tells.
func factsSlots(s Snapshot, n corev1.Node) Finding {
	least, generation, lanes := s.threshold("ra2.ch.016", "pcie_slots_min"), s.threshold("ra2.ch.016", "pcie_gen_min"), s.threshold("ra2.ch.016", "lanes_min")
	want := fmt.Sprintf("%.0f PCIe slots of Gen%.0f or newer with %.0f or more lanes", least, generation, lanes)
	told, lack := s.toldBy(n, want)
	if lack != nil {
		return *lack
	}
	if told.Slots == nil {
		return untold(n, want, "its slots")
	}
	good, open := 0, 0
	for _, slot := range told.Slots {
		switch {
		case slot.Generation == 0 || slot.Lanes == 0:
			open++
		case float64(slot.Generation) >= generation && float64(slot.Lanes) >= lanes:
			good++
		}
	}
	if float64(good) < least && float64(good+open) >= least {
		return untold(n, want, fmt.Sprintf("what %d of its slots are", open))
	}
	return either(float64(good) >= least, ofNode(n), want, fmt.Sprintf("%d of %d", good, len(told.Slots)), "waive the row where the chassis has no more",
		s.heard(n.Name, "dmidecode -t 9", good))
}
