package rules

import "fmt"

// sriov is ra2.ch.002: servers behind high-performance nodes have network
// cards that can do SR-IOV.
func (s subject) sriov() Finding {
	const id = "ra2.ch.002"
	if f, other := s.ofProfile(id, highPerformance); other {
		return f
	}
	var t tally
	var from []string
	for _, p := range s.hw.Ports {
		can := p.SRIOV != nil && *p.SRIOV || p.MaxVFs != nil && *p.MaxVFs > 0
		t.add(can, can || p.SRIOV != nil || p.MaxVFs != nil)
		from = append(from, p.From)
	}
	return Finding{
		Requirement: id, Verdict: t.against(1, s.allPorts()), Want: "a network card that can do SR-IOV", Where: where(from, "NetworkAdapters"),
		Got: s.portsGot("%d ports that can, %d that don't tell", t.good, t.untold),
	}
}

// ports is ra2.ch.013: four or more NIC ports.
func (s subject) ports() Finding {
	const id = "ra2.ch.013"
	least := s.number(id, "nic_ports_min")
	t := tally{good: len(s.hw.Ports)}
	var from []string
	for _, p := range s.hw.Ports {
		from = append(from, p.From)
	}
	return Finding{
		Requirement: id, Verdict: t.against(least, s.allPorts()), Where: where(from, "NetworkAdapters"),
		Want: fmt.Sprintf("%.0f network ports", least), Got: s.portsGot("%d", len(s.hw.Ports)),
	}
}

// speed is ra2.ch.014 (basic, 10 Gb/s) and ra2.ch.015 (high-performance,
// 25 Gb/s). "The NIC ports" are read as the four that ra2.ch.013 asks for;
// slower ports beside them do no harm. What counts is what a port can do: a
// link that runs faster than the minimum proves it too.
func (s subject) speed(id, profile string) func() Finding {
	return func() Finding {
		if f, other := s.ofProfile(id, profile); other {
			return f
		}
		least, count := s.number(id, "port_speed_gbps_min"), s.number("ra2.ch.013", "nic_ports_min")
		var t tally
		var from []string
		for _, p := range s.hw.Ports {
			fast := p.SpeedGbps != nil && *p.SpeedGbps >= least || p.LinkGbps != nil && *p.LinkGbps >= least
			t.add(fast, fast || p.SpeedGbps != nil)
			from = append(from, p.From)
		}
		return Finding{
			Requirement: id, Verdict: t.against(count, s.allPorts()), Where: where(from, "NetworkAdapters"),
			Want: fmt.Sprintf("%.0f ports of %.0f Gb/s or more", count, least),
			Got:  s.portsGot("%d ports that fast, %d slower, %d that don't tell", t.good, len(s.hw.Ports)-t.good-t.untold, t.untold),
		}
	}
}

// portsGot tells what was counted of the ports, and whether there may be more.
func (s subject) portsGot(format string, counts ...any) string {
	switch {
	case len(s.hw.Ports) == 0 && !s.allPorts():
		return "nobody tells of network ports"
	case !s.allPorts():
		format += "; not all were told"
	}
	return fmt.Sprintf(format, counts...)
}

// allPorts reports whether all ports were told.
func (s subject) allPorts() bool { return s.hw.Ports != nil && s.hw.Whole("ports") }
