package gpt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// Grow returns the table for a disk of this many bytes: the backup at the end
// of the disk and the last partition up to it. All else stays as it is, also
// the unique GUIDs.
func (t *Table) Grow(bytes int64) (*Table, error) {
	g := &Table{mbr: slices.Clone(t.mbr), header: slices.Clone(t.header), entries: slices.Clone(t.entries)}
	parts := g.Partitions()
	if len(parts) == 0 {
		return nil, fmt.Errorf("grow GPT: it has no partition")
	}
	last := parts[len(parts)-1]
	sectors := uint64(bytes / Sector)
	table := g.entrySectors() + 1
	if bytes < 0 || sectors < table+last.Last+1 {
		return nil, fmt.Errorf("grow GPT: the disk has %d sectors, partition %q needs %d and the backup table %d", sectors, last.Name, last.Last+1, table)
	}
	usable := sectors - table - 1
	binary.LittleEndian.PutUint64(g.header[atOtherLBA:], sectors-1)
	binary.LittleEndian.PutUint64(g.header[atLastUsable:], usable)
	// A file system counts blocks of 4096 bytes: what is less than one stays free.
	if end := (usable+1)/8*8 - 1; end > last.Last {
		binary.LittleEndian.PutUint64(g.entries[last.index*g.entryWidth()+40:], end)
	}
	g.protect(sectors)
	g.sum()
	return g, nil
}

func (t *Table) entryWidth() int { return int(binary.LittleEndian.Uint32(t.header[atEntrySize:])) }

func (t *Table) entrySectors() uint64 { return uint64((len(t.entries) + Sector - 1) / Sector) }

// protect sets the length of the protective MBR's record (UEFI 2.10, 5.2.3).
func (t *Table) protect(sectors uint64) {
	const record, kind, length = 446, 4, 12
	if t.mbr[record+kind] == 0xee {
		binary.LittleEndian.PutUint32(t.mbr[record+length:], uint32(min(sectors-1, 0xffffffff)))
	}
}

func (t *Table) sum() {
	binary.LittleEndian.PutUint32(t.header[atEntriesCRC:], crc32.ChecksumIEEE(t.entries))
	binary.LittleEndian.PutUint32(t.header[atHeaderCRC:], t.headerSum())
}

// Primary writes the table into start, the first bytes of a disk.
func (t *Table) Primary(start []byte) {
	copy(start, t.mbr)
	copy(start[Sector:], t.header)
	copy(start[binary.LittleEndian.Uint64(t.header[atEntriesLBA:])*Sector:], t.entries)
}

// Backup returns the backup table and where it stands on the disk, in bytes:
// the entries first, then the header in the very last sector.
func (t *Table) Backup() (data []byte, offset int64) {
	b := &Table{header: slices.Clone(t.header), entries: t.entries}
	here, other := binary.LittleEndian.Uint64(t.header[atOtherLBA:]), binary.LittleEndian.Uint64(t.header[atMyLBA:])
	first := here - t.entrySectors()
	binary.LittleEndian.PutUint64(b.header[atMyLBA:], here)
	binary.LittleEndian.PutUint64(b.header[atOtherLBA:], other)
	binary.LittleEndian.PutUint64(b.header[atEntriesLBA:], first)
	b.sum()
	data = make([]byte, t.entrySectors()*Sector+Sector)
	copy(data, b.entries)
	copy(data[t.entrySectors()*Sector:], b.header)
	return data, int64(first) * Sector
}
