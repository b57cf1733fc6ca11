package smbios

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// structure writes one structure: fields by offset, of one, two or four bytes.
func structure(kind byte, length int, fields map[int]any, texts ...string) []byte {
	data := make([]byte, length)
	data[0], data[1] = kind, byte(length)
	for at, v := range fields {
		switch v := v.(type) {
		case int:
			data[at] = byte(v)
		case uint16:
			binary.LittleEndian.PutUint16(data[at:], v)
		case uint32:
			binary.LittleEndian.PutUint32(data[at:], v)
		case []byte:
			copy(data[at:], v)
		}
	}
	for _, t := range texts {
		data = append(append(data, t...), 0)
	}
	if len(texts) == 0 {
		data = append(data, 0)
	}
	return append(data, 0)
}

// server is a server with two sockets of three, as its firmware writes it.
func server() []byte {
	cpu := func(socket string, status int, fields map[int]any) []byte {
		all := map[int]any{0x04: 1, 0x05: 3, 0x10: 2, 0x18: status}
		for k, v := range fields {
			all[k] = v
		}
		return structure(TypeProcessor, 0x30, all, socket, "Intel(R) Xeon(R) Gold 6330 ")
	}
	dimm := func(size uint16, fields map[int]any) []byte {
		all := map[int]any{0x0c: size, 0x12: 0x1a, 0x28: 3}
		for k, v := range fields {
			all[k] = v
		}
		return structure(TypeMemory, 0x54, all, "A1")
	}
	slot := func(name string, kind, width, usage int) []byte {
		return structure(TypeSlot, 0x11, map[int]any{0x04: 1, 0x05: kind, 0x06: width, 0x07: usage}, name)
	}
	raw := []byte{0x4c, 0x4c, 0x45, 0x44, 0x00, 0x44, 0x10, 0x30, 0x80, 0x35, 0xb7, 0xc0, 0x4f, 0x4a, 0x4d, 0x32}
	return bytes.Join([][]byte{
		structure(TypeSystem, 0x1b, map[int]any{0x04: 1, 0x05: 2, 0x07: 3, 0x08: raw}, "Dell Inc.", "PowerEdge R750", "ABC1234"),
		cpu("CPU1", 0x41, map[int]any{0x23: 28, 0x24: 28, 0x25: 56, 0x26: uint16(0xfc)}),
		cpu("CPU2", 0x41, map[int]any{0x23: 0xff, 0x25: 0xff, 0x26: uint16(0xec), 0x2a: uint16(288), 0x2e: uint16(288)}),
		cpu("CPU3", 0x00, nil), // an empty socket
		cpu("CPU4", 0x44, nil), // disabled
		structure(TypeProcessor, 0x30, map[int]any{0x05: 6, 0x18: 0x41}, "GPU"),          // no central processor
		structure(TypeProcessor, 0x1a, map[int]any{0x05: 3, 0x18: 0x41, 0x04: 1}, "Old"), // of SMBIOS 2.0, which counts no cores
		slot("PCIe Slot 1", 0xb6, 0x0d, 4),                                               // Gen3 x16, wired x16
		slot("PCIe Slot 2", 0xbd, 0x0b, 3),                                               // Gen4 x16, wired x8
		slot("PCIe Slot 3", 0xbe, 0x0d, 3),                                               // Gen5, width beside
		slot("PCIe Slot 4", 0xb2, 0x02, 3),                                               // Gen3 x1, width unknown
		slot("OCP", 0x26, 0x0d, 4),
		slot("PCIe Slot 9", 0xb6, 0x0d, 5), // its socket is empty
		slot("PCI", 0x06, 0x05, 3),
		dimm(0x7fff, map[int]any{0x1c: uint32(64 << 10)}), // 64 GiB
		dimm(32<<10-1024, nil),                            // 31 GiB
		dimm(0x8000|1024, nil),                            // 1 MiB, in KiB
		dimm(0, nil),                                      // empty
		dimm(16<<10, map[int]any{0x28: 7}),                // Optane
		dimm(16, map[int]any{0x12: 0x09}),                 // flash
		structure(typeEnd, 4, nil),
		structure(TypeSlot, 4, nil), // behind the end
	}, nil)
}

func TestParse(t *testing.T) {
	table, whole := Parse(server())
	if !whole || len(table) != 19+1 {
		t.Fatalf("%d structures, whole %t", len(table), whole)
	}
	system, ok := table.System()
	want := System{"Dell Inc.", "PowerEdge R750", "ABC1234", "44454c4c-4400-3010-8035-b7c04f4a4d32"}
	if d := cmp.Diff(want, system); !ok || d != "" {
		t.Error(d)
	}
	cpus := []Processor{
		{"CPU1", "Intel(R) Xeon(R) Gold 6330", 28, 56, new(true)}, {"CPU2", "Intel(R) Xeon(R) Gold 6330", 288, 288, new(false)}, {Socket: "Old"},
	}
	if d := cmp.Diff(cpus, table.Processors()); d != "" {
		t.Error(d)
	}
	slots := []Slot{
		{"PCIe Slot 1", 3, 16, true}, {"PCIe Slot 2", 4, 8, false}, {"PCIe Slot 3", 5, 16, false}, {"PCIe Slot 4", 3, 1, false}, {"OCP", 0, 16, true},
	}
	if d := cmp.Diff(slots, table.Slots()); d != "" {
		t.Error(d)
	}
	if n, ok := table.MemoryBytes(); !ok || n != 95<<30+1<<20 {
		t.Errorf("%d bytes of memory, %t", n, ok)
	}
}

func TestUntold(t *testing.T) {
	unknown := append(structure(TypeMemory, 0x54, map[int]any{0x0c: uint16(0xffff)}), structure(TypeMemory, 0x54, map[int]any{0x0c: uint16(16)})...)
	table, whole := Parse(unknown)
	if n, ok := table.MemoryBytes(); ok || whole || len(table) != 2 {
		t.Errorf("a device that doesn't tell its size: %d, %t", n, ok)
	}
	none, _ := Parse(structure(TypeSystem, 0x1b, map[int]any{0x08: bytes.Repeat([]byte{0xff}, 16)}))
	if s, ok := none.System(); !ok || s.UUID != "" {
		t.Errorf("a UUID that isn't set is %q", s.UUID)
	}
	if _, ok := Table(nil).System(); ok {
		t.Error("an empty table has a system")
	}
}

// TestHere reads the table of the machine that runs the test.
func TestHere(t *testing.T) {
	data, err := os.ReadFile("/sys/firmware/dmi/tables/DMI")
	if err != nil {
		t.Skip("no SMBIOS table here, or only root may read it: ", err)
	}
	table, whole := Parse(data)
	if _, ok := table.System(); !ok || !whole {
		t.Errorf("%d structures, whole %t, no system", len(table), whole)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(server())
	f.Add(server()[:100])
	f.Add([]byte{4, 4, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		table, _ := Parse(data)
		for _, p := range table.Processors() {
			if p.Cores < 0 || p.Threads < 0 {
				t.Errorf("%+v", p)
			}
		}
		for _, s := range table.Slots() {
			if s.Generation < 0 || s.Generation > 6 || s.Lanes < 0 || s.Lanes > 32 {
				t.Errorf("%+v", s)
			}
		}
		if n, ok := table.MemoryBytes(); ok && n <= 0 {
			t.Errorf("%d bytes", n)
		}
		table.System()
	})
}
