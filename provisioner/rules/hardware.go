package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// finding judges a count of things that are good, or that can't be told,
// against a minimum.
func finding(requirement, want, got, where string, good, untold int, minimum float64) Finding {
	f := Finding{Requirement: requirement, Verdict: Fail, Want: want, Got: got, Where: where}
	switch {
	case float64(good) >= minimum:
		f.Verdict = Pass
	case float64(good+untold) >= minimum:
		f.Verdict = Unknown
	}
	return f
}

// number returns a threshold of the catalogue. One that is missing makes a
// rule that nothing passes; a test keeps that from being shipped.
func (s subject) number(id, name string) float64 {
	n, err := s.catalogue.Threshold(id, name)
	if err != nil {
		return 1e18
	}
	return n
}

// sriov is ra2.ch.002: servers behind high-performance nodes have network
// cards that can do SR-IOV.
func (s subject) sriov() Finding {
	const id = "ra2.ch.002"
	can, untold := 0, 0
	for _, p := range s.bmc.Ports {
		if p.SRIOV == nil {
			untold++
		} else if *p.SRIOV {
			can++
		}
	}
	if len(s.bmc.Ports) == 0 {
		untold = 1
	}
	f := finding(id, "a network card that can do SR-IOV", fmt.Sprintf("%d ports that can, %d that don't tell", can, untold), "NetworkAdapter Controllers", can, untold, 1)
	if s.class.Profile != "high-performance" {
		f.Verdict, f.Got = NotApplicable, "profile "+s.class.Profile
	}
	return f
}

// smt is ra2.ch.004: SMT is switched on in the BIOS. A class that wants it on
// has it switched on, and read back, before anything is installed.
func (s subject) smt() Finding {
	f := Finding{Requirement: "ra2.ch.004", Verdict: Unknown, Want: fmt.Sprintf("%.0f threads for each core", s.number("ra2.ch.004", "threads_per_core")), Where: "Processor TotalThreads"}
	cores, threads := 0, 0
	for _, p := range s.bmc.Processors {
		cores, threads = cores+p.Cores, threads+p.Threads
	}
	f.Got = fmt.Sprintf("%d threads for %d cores", threads, cores)
	wanted := s.class.BIOS.SMT
	switch {
	case wanted != nil && !*wanted:
		f.Verdict, f.Got = Fail, "the class of this node wants smt: disabled"
	case cores > 0 && float64(threads) >= float64(cores)*s.number("ra2.ch.004", "threads_per_core"):
		f.Verdict = Pass
	case wanted != nil:
		f.Verdict = Planned
		f.Got += "; the class wants smt: enabled"
	case cores > 0 && threads > 0:
		f.Verdict = Fail
		f.Got += "; write bios: {smt: enabled} into the class, or waive it where the processor has no SMT"
	}
	return f
}

// sockets is ra2.ch.008: two or more sockets with 20 or more cores each.
func (s subject) sockets() Finding {
	const id = "ra2.ch.008"
	sockets, cores := s.number(id, "sockets_min"), s.number(id, "cores_per_socket_min")
	good, untold := 0, 0
	var got []string
	for _, p := range s.bmc.Processors {
		switch {
		case p.Cores == 0:
			untold++
			got = append(got, "?")
		case float64(p.Cores) >= cores:
			good++
			got = append(got, fmt.Sprint(p.Cores))
		default:
			got = append(got, fmt.Sprint(p.Cores))
		}
	}
	if len(s.bmc.Processors) == 0 {
		untold = int(sockets)
	}
	f := finding(id, fmt.Sprintf("%.0f sockets with %.0f cores each", sockets, cores),
		fmt.Sprintf("%s (cores: %s)", plural(len(s.bmc.Processors), "socket"), strings.Join(got, ", ")), "Processors", good, untold, sockets)
	if f.Verdict == Pass && good+untold < len(s.bmc.Processors) {
		f.Verdict = Fail // "in each": a third, smaller one counts
	}
	return f
}

// systemDisk is ra2.ch.010: 320 GB of local filesystem. GB is 10^9 bytes. The
// operating system comes on top and takes less than 4 GB of an image.
func (s subject) systemDisk() Finding {
	const id = "ra2.ch.010"
	least := s.number(id, "local_fs_gb_min")
	f := Finding{Requirement: id, Verdict: Unknown, Want: fmt.Sprintf("a system disk of %.0f GB", least), Got: "the BMC doesn't tell of disk " + s.node.Disk.String(), Where: "Storage Drives"}
	i := slices.IndexFunc(s.bmc.Drives, func(d facts.Drive) bool { return isDisk(s.node.Disk, d) })
	if i < 0 || s.bmc.Drives[i].Bytes == 0 {
		return f
	}
	size := float64(s.bmc.Drives[i].Bytes) / 1e9
	f.Verdict, f.Got = Fail, fmt.Sprintf("%.0f GB", size)
	if size >= least {
		f.Verdict = Pass
	}
	return f
}

// memory is ra2.ch.012: 32 GB or more. Memory is told in GiB and the
// requirement is in GB, so that 31 GiB that firmware left of 32 pass.
func (s subject) memory() Finding {
	const id = "ra2.ch.012"
	least := s.number(id, "ram_gb_min")
	f := Finding{Requirement: id, Verdict: Unknown, Want: fmt.Sprintf("%.0f GB of memory", least), Got: "the BMC doesn't tell", Where: "MemorySummary"}
	if s.bmc.MemoryGiB == nil {
		return f
	}
	gb := *s.bmc.MemoryGiB * (1 << 30) / 1e9
	f.Verdict, f.Got = Fail, fmt.Sprintf("%.1f GB", gb)
	if gb >= least {
		f.Verdict = Pass
	}
	return f
}

// ports is ra2.ch.013: four or more NIC ports.
func (s subject) ports() Finding {
	const id = "ra2.ch.013"
	least, untold := s.number(id, "nic_ports_min"), 0
	if len(s.bmc.Ports) == 0 {
		untold = int(least)
	}
	return finding(id, fmt.Sprintf("%.0f network ports", least), fmt.Sprintf("%d", len(s.bmc.Ports)), "NetworkAdapters", len(s.bmc.Ports), untold, least)
}

// speed is ra2.ch.014 (basic, 10 Gb/s) and ra2.ch.015 (high-performance,
// 25 Gb/s). "The NIC ports" are read as the four that ra2.ch.013 asks for;
// slower ports beside them do no harm.
func (s subject) speed(id, profile string) Finding {
	least, count := s.number(id, "port_speed_gbps_min"), s.number("ra2.ch.013", "nic_ports_min")
	fast, untold := 0, 0
	for _, p := range s.bmc.Ports {
		if p.SpeedGbps == nil {
			untold++
		} else if *p.SpeedGbps >= least {
			fast++
		}
	}
	if len(s.bmc.Ports) == 0 {
		untold = int(count)
	}
	f := finding(id, fmt.Sprintf("%.0f ports of %.0f Gb/s", count, least), fmt.Sprintf("%d ports that fast, %d that don't tell", fast, untold), "NetworkAdapters", fast, untold, count)
	if s.class.Profile != profile {
		f.Verdict, f.Got = NotApplicable, "profile "+s.class.Profile
	}
	return f
}

// slots is ra2.ch.016: eight or more PCIe slots, Gen3 or newer, eight lanes
// or more.
func (s subject) slots() Finding {
	const id = "ra2.ch.016"
	least, generation, lanes := s.number(id, "pcie_slots_min"), s.number(id, "pcie_gen_min"), s.number(id, "lanes_min")
	good, untold := 0, 0
	for _, slot := range s.bmc.Slots {
		small := slot.Generation > 0 && float64(slot.Generation) < generation || slot.Lanes > 0 && float64(slot.Lanes) < lanes
		switch {
		case small:
		case slot.Generation == 0 || slot.Lanes == 0:
			untold++
		default:
			good++
		}
	}
	if s.bmc.Slots == nil {
		untold = int(least)
	}
	return finding(id, fmt.Sprintf("%.0f slots of PCIe Gen%.0f x%.0f", least, generation, lanes),
		fmt.Sprintf("%d such slots of %d, %d that don't tell", good, len(s.bmc.Slots), untold), "Chassis PCIeSlots", good, untold, least)
}

// plural counts things in words: "1 socket", "2 sockets".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
