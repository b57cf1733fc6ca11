// Package stubtest makes the smallest programs that are built like systemd's
// stubs, for tests on hosts whose systemd is older than its add-ons (254).
package stubtest

import "encoding/binary"

// Stub returns a program that names itself as systemd's stubs do ("systemd-addon
// 257"): headers with room for more sections, code, and .sdmagic (Microsoft, "PE
// Format").
func Stub(name string) []byte {
	const file, align, headers, pe = 0x200, 0x1000, 0x400, 0x80
	out := make([]byte, headers+2*file)
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	copy(out, "MZ")
	put32(out[0x3c:], pe)
	copy(out[pe:], "PE\x00\x00\x64\x86")
	put16(out[pe+6:], 2)    // sections
	put16(out[pe+20:], 240) // size of the optional header
	opt := out[pe+24:]
	put16(opt, 0x20b) // PE32+
	// SectionAlignment, FileAlignment, SizeOfImage, SizeOfHeaders, Subsystem (an EFI application), directories
	for at, v := range map[int]uint32{32: align, 36: file, 56: 3 * align, 60: headers, 68: 10, 108: 16} {
		put32(opt[at:], v)
	}
	magic := "#### LoaderInfo: " + name + " ####"
	for i, s := range []struct{ name, text string }{{".text", "\xc3 code"}, {".sdmagic", magic}} {
		entry := opt[240+i*40:]
		copy(entry, s.name)
		for at, v := range map[int]uint32{8: uint32(len(s.text)), 12: uint32(i+1) * align, 16: file, 20: uint32(headers + i*file)} {
			put32(entry[at:], v)
		}
		copy(out[headers+i*file:headers+(i+1)*file], s.text)
	}
	return out
}
