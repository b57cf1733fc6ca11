// Package smbios reads the structure table that the firmware leaves in memory
// (DMTF DSP0134, "System Management BIOS"): the few types that say what a
// machine is made of.
package smbios

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A Table is all structures, in the order of the firmware.
type Table []Structure

// A Structure is one entry of the table (DSP0134, 6.1.2): its formatted area
// and the strings behind it.
type Structure struct {
	Type    byte
	Data    []byte // whole formatted area, header included, so that offsets are those of the standard
	Strings []string
}

// The types that are read.
const (
	TypeSystem    = 1
	TypeProcessor = 4
	TypeSlot      = 9
	TypeMemory    = 17
	typeEnd       = 127
)

// Parse reads a table, as /sys/firmware/dmi/tables/DMI has it. It ends at the
// end-of-table structure, or where the table breaks off: whole is false then.
func Parse(data []byte) (t Table, whole bool) {
	for len(data) >= 4 {
		length := int(data[1])
		if length < 4 || length > len(data) {
			return t, false
		}
		s := Structure{Type: data[0], Data: data[:length]}
		var ok bool
		if s.Strings, data, ok = texts(data[length:]); !ok {
			return t, false
		}
		if s.Type == typeEnd {
			return t, true
		}
		t = append(t, s)
	}
	return t, false
}

// texts reads the strings behind a structure: each ends with a NUL, the last
// is followed by one more; none at all are two NULs.
func texts(data []byte) (all []string, rest []byte, ok bool) {
	if len(data) >= 2 && data[0] == 0 && data[1] == 0 {
		return nil, data[2:], true
	}
	for {
		text, rest, found := bytes.Cut(data, []byte{0})
		if !found {
			return nil, nil, false
		}
		if data = rest; len(text) == 0 {
			return all, data, true
		}
		all = append(all, string(text))
	}
}

// Of returns the structures of one type.
func (t Table) Of(kind byte) Table {
	var out Table
	for _, s := range t {
		if s.Type == kind {
			out = append(out, s)
		}
	}
	return out
}

// byteAt, wordAt and longAt return a field; ok is false in a structure of an
// older version, which is shorter.
func (s Structure) byteAt(offset int) (n int, ok bool) {
	if offset >= len(s.Data) {
		return 0, false
	}
	return int(s.Data[offset]), true
}

func (s Structure) wordAt(offset int) (n int, ok bool) {
	if offset+2 > len(s.Data) {
		return 0, false
	}
	return int(binary.LittleEndian.Uint16(s.Data[offset:])), true
}

func (s Structure) longAt(offset int) (n int64, ok bool) {
	if offset+4 > len(s.Data) {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint32(s.Data[offset:])), true
}

// text returns the string that a field numbers, from 1; 0 is none.
func (s Structure) text(offset int) string {
	n, ok := s.byteAt(offset)
	if !ok || n == 0 || n > len(s.Strings) {
		return ""
	}
	return strings.TrimSpace(s.Strings[n-1])
}
