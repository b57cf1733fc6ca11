// Package gpt reads and edits a GUID partition table (UEFI 2.10, 5.3) held in
// memory: a table that was made for an image becomes that of a larger disk.
package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"unicode/utf16"
)

// Sector is the logical block size of the tables that we write. Disks with
// 4096-byte logical blocks need another image.
const Sector = 512

// Places inside the header (UEFI 2.10, table 5.5).
const (
	atHeaderSize  = 12
	atHeaderCRC   = 16
	atMyLBA       = 24
	atOtherLBA    = 32
	atFirstUsable = 40
	atLastUsable  = 48
	atEntriesLBA  = 72
	atEntryCount  = 80
	atEntrySize   = 84
	atEntriesCRC  = 88
)

// ErrNone says that there is no partition table.
var ErrNone = errors.New("no GPT")

// Table is a partition table.
type Table struct {
	mbr     []byte // LBA 0 with boot code
	header  []byte // one sector
	entries []byte
}

// Partition is one used entry. First and Last are LBAs, both inside.
type Partition struct {
	Name        string
	First, Last uint64
	index       int
}

// Offset returns where the partition begins, in bytes.
func (p Partition) Offset() int64 { return int64(p.First) * Sector }

// Bytes returns its length.
func (p Partition) Bytes() int64 { return int64(p.Last-p.First+1) * Sector }

// Parse reads the primary table from the first bytes of a disk (34 sectors at
// least) and checks both sums.
func Parse(start []byte) (*Table, error) {
	if len(start) < 2*Sector || !bytes.Equal(start[Sector:Sector+8], []byte("EFI PART")) {
		return nil, ErrNone
	}
	t := &Table{mbr: slices.Clone(start[:Sector]), header: slices.Clone(start[Sector : 2*Sector])}
	size := binary.LittleEndian.Uint32(t.header[atHeaderSize:])
	if size < 92 || size > Sector {
		return nil, fmt.Errorf("GPT header of %d bytes", size)
	}
	if want, got := binary.LittleEndian.Uint32(t.header[atHeaderCRC:]), t.headerSum(); want != got {
		return nil, fmt.Errorf("GPT header has CRC-32 %08x and should have %08x", got, want)
	}
	count, width := uint64(binary.LittleEndian.Uint32(t.header[atEntryCount:])), uint64(binary.LittleEndian.Uint32(t.header[atEntrySize:]))
	from := binary.LittleEndian.Uint64(t.header[atEntriesLBA:])
	if width < 128 || width > 4096 || count == 0 || count > 1024 || from < 2 || from > uint64(len(start)) {
		return nil, fmt.Errorf("GPT with %d entries of %d bytes at LBA %d", count, width, from)
	}
	from *= Sector
	if from+count*width > uint64(len(start)) {
		return nil, fmt.Errorf("GPT entries end at byte %d, only %d were read", from+count*width, len(start))
	}
	t.entries = slices.Clone(start[from : from+count*width])
	if want, got := binary.LittleEndian.Uint32(t.header[atEntriesCRC:]), crc32.ChecksumIEEE(t.entries); want != got {
		return nil, fmt.Errorf("GPT entries have CRC-32 %08x and should have %08x", got, want)
	}
	return t, nil
}

// headerSum is the CRC-32 of the header with its own field as zero.
func (t *Table) headerSum() uint32 {
	h := slices.Clone(t.header[:binary.LittleEndian.Uint32(t.header[atHeaderSize:])])
	binary.LittleEndian.PutUint32(h[atHeaderCRC:], 0)
	return crc32.ChecksumIEEE(h)
}

// Partitions lists the used entries by their place on the disk.
func (t *Table) Partitions() []Partition {
	var parts []Partition
	width := int(binary.LittleEndian.Uint32(t.header[atEntrySize:]))
	for i := 0; i*width < len(t.entries); i++ {
		e := t.entries[i*width : (i+1)*width]
		if bytes.Equal(e[:16], make([]byte, 16)) { // no type: unused
			continue
		}
		p := Partition{Name: name(e[56:128]), First: binary.LittleEndian.Uint64(e[32:]), Last: binary.LittleEndian.Uint64(e[40:]), index: i}
		if p.Last >= p.First {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b Partition) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	return parts
}

// Find returns the partition with this name.
func (t *Table) Find(want string) (Partition, error) {
	var names []string
	for _, p := range t.Partitions() {
		if p.Name == want {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Partition{}, fmt.Errorf("no partition %q, there are %q", want, names)
}

// name decodes the UTF-16LE name of an entry.
func name(raw []byte) string {
	var units []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		u := binary.LittleEndian.Uint16(raw[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
