package redfish

import (
	"context"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Bounds above which a number is no fact.
const (
	maxSockets = 64
	maxCores   = 4096    // of one socket
	maxGiB     = 1 << 20 // of memory: 1 PiB
)

// processor is what the client needs of a Processor (DSP0268), and what Dell
// and HPE add of SMT.
type processor struct {
	Type    text   `json:"ProcessorType"`
	Model   text   `json:"Model"`
	Version text   `json:"Version"`
	Cores   number `json:"TotalCores"`
	Enabled number `json:"TotalEnabledCores"`
	Threads number `json:"TotalThreads"`
	Status  state  `json:"Status"`
	OEM     struct {
		Dell struct {
			Processor struct {
				Capable text `json:"HyperThreadingCapable"` // "Yes", "No"
			} `json:"DellProcessor"`
		} `json:"Dell"`
		HPE struct {
			Characteristics []text `json:"Characteristics"` // SMBIOS type 4
		} `json:"Hpe"`
	} `json:"Oem"`
}

// here reports whether this is a processor that runs programs of the host: not
// an empty socket, not an accelerator.
func (p processor) here() bool {
	if p.Type != "CPU" && p.Type != "" || p.Status.absent() || p.Status.State == "Disabled" {
		return false
	}
	return p.Cores.count(maxCores) > 0 || p.Model != "" && p.Status.State != ""
}

// smt reports whether threads share cores; nil is unknown. Of cores that are
// switched off it isn't told whether they count among the threads.
func (p processor) smt() *bool {
	cores, threads := p.Cores.count(maxCores), p.Threads.count(4*maxCores)
	enabled := p.Enabled.count(maxCores)
	if enabled == 0 {
		enabled = cores
	}
	yes := threads > max(cores, enabled)
	if cores == 0 || threads == 0 || !yes && enabled < cores && threads > enabled {
		return nil
	}
	return &yes
}

// canSMT reports whether the processor has SMT, on or off. A BIOS attribute is
// no proof: firmwares show it for processors that have none. "HwThread" is
// "Hardware Thread" of SMBIOS type 4, which is of the processor and not of its
// state; the lack of it proves nothing.
func (p processor) canSMT() *bool {
	yes, no := true, false
	on := p.smt()
	switch {
	case on != nil && *on, p.OEM.Dell.Processor.Capable == "Yes", slices.Contains(p.OEM.HPE.Characteristics, "HwThread"):
		return &yes
	case p.OEM.Dell.Processor.Capable == "No":
		return &no
	}
	return nil
}

// processorSummary is ComputerSystem.ProcessorSummary.
type processorSummary struct {
	Count   number `json:"Count"`
	Cores   number `json:"CoreCount"`
	Threads number `json:"LogicalProcessorCount"`
	Model   text   `json:"Model"`
}

// processors reads the processors, or what the system says of them in sum.
func (l *look) processors(ctx context.Context) error {
	var on, can []*bool
	_, err := each(ctx, l, "processors", l.system.Processors.Path, func(p path, cpu processor) error {
		if !cpu.here() {
			return nil
		}
		model := cpu.Model
		if model == "" {
			model = cpu.Version
		}
		l.out.Processors = append(l.out.Processors, facts.Processor{
			Model: string(model), Cores: cpu.Cores.count(maxCores), Threads: cpu.Threads.count(4 * maxCores), From: string(p)})
		on, can = append(on, cpu.smt()), append(can, cpu.canSMT())
		return nil
	})
	if err != nil {
		return err
	}
	if len(l.out.Processors) == 0 && l.out.Whole("processors") {
		l.summary()
		return nil
	}
	l.threading(any3(on), any3(can), string(l.system.Processors.Path))
	return nil
}

// any3 is true when one of them is, false when all are, and else unknown.
func any3(all []*bool) *bool {
	var no *bool
	for _, b := range all {
		if b == nil {
			continue
		}
		if *b {
			return b
		}
		no = b
	}
	if slices.Contains(all, nil) {
		return nil
	}
	return no
}

func (l *look) threading(on, can *bool, from string) {
	if l.out.SMT = on; on != nil {
		l.from("smt", from)
	}
	if l.out.CanSMT = can; can != nil {
		l.from("canSMT", from)
	}
}

// summary takes the processors from the system's own sum, where the cores are
// told and go into the sockets evenly.
func (l *look) summary() {
	s, from := l.system.ProcessorSummary, string(l.system.Path)+"#/ProcessorSummary"
	count, cores, threads := s.Count.count(maxSockets), s.Cores.count(maxSockets*maxCores), s.Threads.count(4*maxSockets*maxCores)
	for range count {
		p := facts.Processor{Model: string(s.Model), From: from}
		if cores%count == 0 && threads%count == 0 {
			p.Cores, p.Threads = cores/count, threads/count
		}
		l.out.Processors = append(l.out.Processors, p)
	}
	if count > 0 && cores > 0 && threads > 0 {
		on, can := threads > cores, (*bool)(nil)
		if on {
			can = &on // off is no proof that it can't be on
		}
		l.threading(&on, can, from)
	}
}

// memory takes the sum that the system tells, or adds up the modules where it
// tells none, or zero (a host that is off).
func (l *look) memory(ctx context.Context) error {
	if gib, ok := l.system.MemorySummary.GiB.within(maxGiB); ok {
		l.out.MemoryGiB = &gib
		l.from("memoryGiB", string(l.system.Path)+"#/MemorySummary")
		return nil
	}
	type module struct {
		Type   text   `json:"MemoryType"`
		MiB    number `json:"CapacityMiB"`
		Status state  `json:"Status"`
	}
	var sum float64
	whole := true
	told, err := each(ctx, l, "", l.system.Memory.Path, func(_ path, m module) error {
		mib, ok := m.MiB.within(maxGiB * 1024)
		switch {
		case m.Status.absent() || m.MiB.known && m.MiB.value == 0 || m.Type != "" && m.Type != "DRAM":
		case ok:
			sum += mib
		default:
			whole = false // a module of which nobody knows the size
		}
		return nil
	})
	if gib := sum / 1024; told && whole && gib > 0 && gib <= maxGiB {
		l.out.MemoryGiB = &gib
		l.from("memoryGiB", string(l.system.Memory.Path))
	}
	return err
}
