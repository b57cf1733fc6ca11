package smbios

import "fmt"

// System is type 1 (DSP0134, 7.2).
type System struct {
	Manufacturer, Product, Serial string
	UUID                          string // as text, first three fields little-endian (7.2.1); empty when not set
}

// System returns the first structure of type 1.
func (t Table) System() (System, bool) {
	all := t.Of(TypeSystem)
	if len(all) == 0 {
		return System{}, false
	}
	s := all[0]
	out := System{Manufacturer: s.text(0x04), Product: s.text(0x05), Serial: s.text(0x07)}
	if len(s.Data) >= 0x18 {
		out.UUID = uuid(s.Data[0x08:0x18])
	}
	return out, true
}

func uuid(u []byte) string {
	zeros, ones := true, true
	for _, b := range u {
		zeros, ones = zeros && b == 0, ones && b == 0xff
	}
	if zeros || ones { // "not settable" and "not set"
		return ""
	}
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8:10], u[10:16])
}

// Processor is an enabled central processor of type 4 (7.5).
type Processor struct {
	Socket, Model  string
	Cores, Threads int   // 0 is unknown
	HardwareThread *bool // it can run several threads on a core, whether that is on or not; nil is unknown
}

// Processors returns the sockets that hold an enabled central processor.
func (t Table) Processors() []Processor {
	var out []Processor
	for _, s := range t.Of(TypeProcessor) {
		kind, _ := s.byteAt(0x05)
		status, _ := s.byteAt(0x18)
		const central, populated, enabled = 3, 1 << 6, 1
		if kind != central || status&populated == 0 || status&7 != enabled {
			continue
		}
		p := Processor{Socket: s.text(0x04), Model: s.text(0x10), Cores: s.count(0x23, 0x2a), Threads: s.count(0x25, 0x2e)}
		// Bit 1 says that nothing is known, bit 4 is "Hardware Thread".
		if c, ok := s.wordAt(0x26); ok && c != 0 && c&2 == 0 {
			p.HardwareThread = new(c&(1<<4) != 0)
		}
		out = append(out, p)
	}
	return out
}

// count reads a count of one byte; 255 sends to its second field, of two.
func (s Structure) count(small, large int) int {
	n, _ := s.byteAt(small)
	if n != 0xff {
		return n
	}
	if n, ok := s.wordAt(large); ok && n != 0xffff {
		return n
	}
	return 0 // older firmware that can't count so far
}

// Slot is a PCI Express slot of type 9 (7.10).
type Slot struct {
	Name       string
	Generation int // 0 is unknown
	Lanes      int // electrical; 0 is unknown
	Filled     bool
}

// Slots returns the PCI Express slots, filled and empty. Those that can't be
// used now (a socket without its processor) are no slots of this machine.
func (t Table) Slots() []Slot {
	var out []Slot
	for _, s := range t.Of(TypeSlot) {
		kind, _ := s.byteAt(0x05)
		width, _ := s.byteAt(0x06)
		usage, _ := s.byteAt(0x07)
		generation, lanes, express := slotType(kind)
		const inUse, unavailable = 4, 5
		if !express || usage == unavailable {
			continue
		}
		if n, ok := busWidth(width); ok {
			lanes = n // what is wired; the type names the connector
		}
		out = append(out, Slot{Name: s.text(0x04), Generation: generation, Lanes: lanes, Filled: usage == inUse})
	}
	return out
}

// slotType reads table "System Slots: Slot Type": each generation has a value
// for any width, followed by those for x1, x2, x4, x8 and x16.
func slotType(kind int) (generation, lanes int, express bool) {
	for generation, first := range map[int]int{1: 0xa5, 2: 0xab, 3: 0xb1, 4: 0xb8, 5: 0xbe} {
		if n := kind - first; n >= 0 && n <= 5 {
			return generation, [...]int{0, 1, 2, 4, 8, 16}[n], true
		}
	}
	switch kind {
	case 0x26, 0x27, 0x28: // OCP NIC 3.0 small and large, OCP NIC before 3.0
		return 0, 0, true
	case 0xc4: // "PCI Express Gen 6 and Beyond"
		return 6, 0, true
	}
	return 0, 0, false
}

// busWidth reads table "System Slots: Slot Width" as lanes.
func busWidth(width int) (lanes int, ok bool) {
	if width < 0x08 || width > 0x0e {
		return 0, false
	}
	return [...]int{1, 2, 4, 8, 12, 16, 32}[width-0x08], true
}

// MemoryBytes returns the sum of all memory devices of type 17 (7.18). It isn't
// known when one of them doesn't tell its size, or when there is none.
func (t Table) MemoryBytes() (sum int64, ok bool) {
	for _, s := range t.Of(TypeMemory) {
		kind, _ := s.byteAt(0x12)
		technology, _ := s.byteAt(0x28)
		if kind >= 0x08 && kind <= 0x0c || technology >= 5 && technology <= 7 {
			continue // ROM and flash; NVDIMM-F, NVDIMM-P and Optane are no main memory
		}
		n, known := s.memory()
		if !known {
			return 0, false
		}
		sum += n
	}
	return sum, sum > 0
}

func (s Structure) memory() (bytes int64, known bool) {
	size, ok := s.wordAt(0x0c)
	switch {
	case !ok, size == 0xffff:
		return 0, false
	case size == 0x7fff:
		mib, ok := s.longAt(0x1c) // bit 31 is reserved
		return mib & 0x7fffffff << 20, ok
	case size&0x8000 != 0:
		return int64(size&0x7fff) << 10, true
	}
	return int64(size) << 20, true
}
