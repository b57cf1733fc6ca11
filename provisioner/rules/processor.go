package rules

import "fmt"

// smt is ra2.ch.004: SMT is switched on in the BIOS, where the processors have
// it. How many threads they show counts, not what a switch says. A class that
// wants it on has it switched on, and read back, before anything is installed.
func (s subject) smt() Finding {
	const id = "ra2.ch.004"
	each := s.number(id, "threads_per_core")
	cores, threads, from := 0, 0, []string{}
	for _, p := range s.hw.Processors {
		cores, threads, from = cores+p.Cores, threads+p.Threads, append(from, p.From)
	}
	f := Finding{Requirement: id, Verdict: Unknown, Want: fmt.Sprintf("SMT on: %.0f threads for each core", each), Where: where(from, "Processors")}
	f.Got = fmt.Sprintf("%d threads for %d cores", threads, cores)
	wanted, told := s.class.BIOS.SMT, cores > 0 && threads > 0
	if !told {
		f.Got = "nobody tells of threads"
	}
	switch {
	case wanted != nil && !*wanted:
		f.Verdict, f.Got, f.Where = Fail, "the class of this node wants smt: disabled", "inventory"
	case told && float64(threads) >= float64(cores)*each:
		f.Verdict = Pass
	case s.hw.CanSMT != nil && !*s.hw.CanSMT:
		f.Verdict, f.Got, f.Where = NotApplicable, "processors without SMT", s.scalar("canSMT", f.Where)
	case told && s.hw.SMT != nil && *s.hw.SMT:
		f.Got += ", and the firmware says that SMT is on: has the host restarted since, and have its processors SMT?"
		f.Where += ", " + s.scalar("smt", "BIOS")
	case wanted != nil:
		f.Verdict = Planned
		f.Got += "; the class wants smt: enabled"
	case s.hw.SMT != nil && !told:
		f.Verdict, f.Got, f.Where = Fail, "SMT is off; write bios: {smt: enabled} into the class", s.scalar("smt", "BIOS")
		if *s.hw.SMT {
			f.Verdict, f.Got = Pass, "SMT is on"
		}
	case told:
		f.Verdict = Fail
		f.Got += "; write bios: {smt: enabled} into the class, or waive it where the processor has no SMT"
	}
	return f
}

// numa is ra2.k8s.006 as far as hardware decides it: a host of several sockets
// shows the kernel a memory node for each, its memory isn't interleaved.
func (s subject) numa() Finding {
	const id = "ra2.k8s.006"
	if f, other := s.ofProfile(id, highPerformance); other {
		return f
	}
	sockets := len(s.hw.Processors)
	f := Finding{Requirement: id, Verdict: Unknown, Want: fmt.Sprintf("a NUMA node for each of %s", plural(sockets, "socket")), Got: "nobody tells", Where: s.scalar("numaNodes", "ProcessorSummary")}
	switch n := s.hw.NUMANodes; {
	case sockets == 1:
		f.Verdict, f.Got, f.Where = NotApplicable, "one socket", where([]string{s.hw.Processors[0].From}, "Processors")
	case sockets == 0 || n == nil:
	case *n >= sockets:
		f.Verdict, f.Got = Pass, plural(*n, "NUMA node")
	default:
		f.Verdict, f.Got = Fail, plural(*n, "NUMA node")+": switch node interleaving off in the firmware"
	}
	return f
}
