package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// tally counts parts that are good, and parts of which that can't be told.
type tally struct{ good, untold int }

// add counts one part.
func (t *tally) add(good, known bool) {
	switch {
	case !known:
		t.untold++
	case good:
		t.good++
	}
}

// against judges a tally by a minimum. A list that nobody told, or not to its
// end, may hold any number more.
func (t tally) against(least float64, whole bool) Verdict {
	switch {
	case float64(t.good) >= least:
		return Pass
	case !whole, float64(t.good+t.untold) >= least:
		return Unknown
	}
	return Fail
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

// where names what told some parts: all of a few, and how many more.
func where(from []string, orElse string) string {
	names := slices.Compact(slices.Sorted(slices.Values(from)))
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	const few = 2
	switch {
	case len(names) == 0:
		return orElse
	case len(names) > few+1:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}

// scalar names what told a single value.
func (s subject) scalar(name, orElse string) string { return where([]string{s.hw.From[name]}, orElse) }

// sockets is ra2.ch.008: two or more sockets with 20 or more cores each; one
// with one for hosts of which the inventory says that they are of the edge.
func (s subject) sockets() Finding {
	const id = "ra2.ch.008"
	least := ""
	if s.class.Edge {
		least = "edge_exception."
	}
	sockets, cores := s.number(id, least+"sockets_min"), s.number(id, least+"cores_per_socket_min")
	var t tally
	var got, from []string
	for _, p := range s.hw.Processors {
		t.add(float64(p.Cores) >= cores, p.Cores > 0)
		from = append(from, p.From)
		if p.Cores == 0 {
			got = append(got, "?")
			continue
		}
		got = append(got, fmt.Sprint(p.Cores))
	}
	f := Finding{
		Requirement: id, Verdict: t.against(sockets, s.hw.Processors != nil && s.hw.Whole("processors")), Where: where(from, "Processors"),
		Want: fmt.Sprintf("%s with %.0f or more cores in each", plural(int(sockets), "socket"), cores),
		Got:  fmt.Sprintf("%s (cores: %s)", plural(len(s.hw.Processors), "socket"), strings.Join(got, ", ")),
	}
	switch {
	case s.hw.Processors == nil:
		f.Got = "nobody tells of processors"
	case f.Verdict == Pass && t.good+t.untold < len(s.hw.Processors):
		f.Verdict = Fail // "in each": a third, smaller one counts
	case f.Verdict == Pass && t.untold > 0:
		f.Verdict = Unknown
	}
	if s.class.Edge {
		f.Want += " (the class says edge: true)"
	}
	return f
}

// solidState is ra2.ch.009, a should: the system disk, which holds the
// container images, the kubelet and etcd, is a solid-state drive.
func (s subject) solidState() Finding {
	f := Finding{Requirement: "ra2.ch.009", Verdict: Unknown, Want: "a solid-state drive as system disk", Got: "nobody tells what kind of disk " + s.node.Disk.String() + " is", Where: "Storage Drives"}
	if d, ok := s.systemDrive(); ok && d.Media != "" {
		f.Verdict, f.Got, f.Where = Fail, d.Media, where([]string{d.From}, f.Where)
		if d.Media == "SSD" {
			f.Verdict = Pass
		}
	}
	return f
}

// systemDisk is ra2.ch.010: 320 GB of local filesystem, on the one disk that
// holds the node's file systems. GB is 10^9 bytes. The operating system comes
// on top and takes less than 4 GB of an image.
func (s subject) systemDisk() Finding {
	const id = "ra2.ch.010"
	least := s.number(id, "local_fs_gb_min")
	f := Finding{Requirement: id, Verdict: Unknown, Want: fmt.Sprintf("a system disk of %.0f GB", least), Got: "nobody tells the size of disk " + s.node.Disk.String(), Where: "Storage Drives"}
	d, ok := s.systemDrive()
	if !ok || d.Bytes == 0 {
		return f
	}
	size := float64(d.Bytes) / 1e9
	f.Verdict, f.Got, f.Where = Fail, fmt.Sprintf("%.0f GB", size), where([]string{d.From}, f.Where)
	if size >= least {
		f.Verdict = Pass
	}
	return f
}

// systemDrive is the disk that the inventory names.
func (s subject) systemDrive() (facts.Drive, bool) {
	i := slices.IndexFunc(s.hw.Drives, func(d facts.Drive) bool { return isDisk(s.node.Disk, d) })
	if i < 0 {
		return facts.Drive{}, false
	}
	return s.hw.Drives[i], true
}

// memory is ra2.ch.012: 32 GB or more. Memory is told in GiB and the
// requirement is in GB, so that 31 GiB that firmware left of 32 pass.
func (s subject) memory() Finding {
	const id = "ra2.ch.012"
	least := s.number(id, "ram_gb_min")
	f := Finding{Requirement: id, Verdict: Unknown, Want: fmt.Sprintf("%.0f GB of memory", least), Got: "nobody tells", Where: s.scalar("memoryGiB", "MemorySummary")}
	if s.hw.MemoryGiB == nil {
		return f
	}
	gb := s.memoryGB()
	f.Verdict, f.Got = Fail, fmt.Sprintf("%.1f GB (%.4g GiB)", gb, *s.hw.MemoryGiB)
	if gb >= least {
		f.Verdict = Pass
	}
	return f
}

func (s subject) memoryGB() float64 { return *s.hw.MemoryGiB * (1 << 30) / 1e9 }

// slots is ra2.ch.016: eight or more PCIe slots, Gen3 or newer, eight lanes
// or more, filled or empty.
func (s subject) slots() Finding {
	const id = "ra2.ch.016"
	least, generation, lanes := s.number(id, "pcie_slots_min"), s.number(id, "pcie_gen_min"), s.number(id, "lanes_min")
	var t tally
	var from []string
	for _, slot := range s.hw.Slots {
		large := float64(slot.Generation) >= generation && float64(slot.Lanes) >= lanes
		small := slot.Generation > 0 && float64(slot.Generation) < generation || slot.Lanes > 0 && float64(slot.Lanes) < lanes
		t.add(large, large || small && !slot.AtLeast)
		from = append(from, slot.From)
	}
	f := Finding{
		Requirement: id, Verdict: t.against(least, s.hw.Slots != nil && s.hw.Whole("slots")), Where: where(from, "Chassis PCIeSlots"),
		Want: fmt.Sprintf("%.0f PCIe slots of Gen%.0f or newer with %.0f or more lanes", least, generation, lanes),
		Got:  fmt.Sprintf("%d such slots of %d, %d that don't tell", t.good, len(s.hw.Slots), t.untold),
	}
	switch {
	case s.hw.Slots == nil:
		f.Got = "nobody tells of slots"
	case !s.hw.Whole("slots"):
		f.Got += "; not all were told"
	}
	return f
}

// plural counts things in words: "1 socket", "2 sockets".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
