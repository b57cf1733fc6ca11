package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"unicode/utf16"
)

// Sector is the logical block size that the table is written for, in bytes.
const Sector = 512

// Sizes of the table (UEFI 2.10, 5.3): 128 entries of 128 bytes are 32
// sectors, after the protective MBR and the header, and again at the end.
const (
	entries     = 128
	entryBytes  = 128
	tableSector = entries * entryBytes / Sector
	headSectors = 2 + tableSector
	tailSectors = 1 + tableSector
	align       = 2048 // sectors: partitions begin at whole MiB
)

// LegacyBoot is the attribute that the boot code of syslinux (gptmbr.bin)
// looks for: "Legacy BIOS Bootable" (UEFI 2.10, table 5.8, bit 2).
const LegacyBoot uint64 = 1 << 2

// readOnly is the attribute of a partition that is never mounted for writing
// (Discoverable Partitions Specification, bit 60).
const readOnly uint64 = 1 << 60

// typeESP is the type of an EFI system partition (UEFI 2.10, table 5.7).
func typeESP() GUID {
	return GUID{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}
}

// typeData is the type of Linux file system data, 0fc63daf-8483-4772-8e79-3d69d8477de4.
func typeData() GUID {
	return GUID{0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4}
}

// typeRoot is the type of the root of x86-64, 4f68bce3-e8cd-4db1-96e7-fbcaf984b709,
// and typeVerity that of its hash tree, 2c7357ed-ebd2-46d9-aec1-23d437ec2bf5
// (UAPI Group, Discoverable Partitions Specification).
func typeRoot() GUID {
	return GUID{0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09}
}

func typeVerity() GUID {
	return GUID{0xed, 0x57, 0x73, 0x2c, 0xd2, 0xeb, 0xd9, 0x46, 0xae, 0xc1, 0x23, 0xd4, 0x37, 0xec, 0x2b, 0xf5}
}

// GUID is a GUID in the byte order of the table: the first three groups are
// little endian (UEFI 2.10, appendix A).
type GUID [16]byte

// NewGUID derives a GUID (version 8, RFC 9562) from a seed and a name, so that
// the same inputs give the same disk.
func NewGUID(seed, name string) GUID {
	sum := sha256.Sum256([]byte(seed + "\x00" + name))
	var g GUID
	copy(g[:], sum[:16])
	g[7] = g[7]&0x0f | 0x80 // version, in the high byte of the third group
	g[8] = g[8]&0x3f | 0x80 // variant
	return g
}

// verityIDs gives the GUIDs of the root partition and of its hash tree: the two
// halves of the root hash, so that whoever knows the hash finds both
// (Discoverable Partitions Specification).
func verityIDs(rootHash string) (root, tree GUID, err error) {
	raw, err := hex.DecodeString(rootHash)
	if err != nil || len(raw) != sha256.Size {
		return root, tree, fmt.Errorf("%q is not a root hash: 64 hexadecimal digits", rootHash)
	}
	return guidOf([16]byte(raw[:16])), guidOf([16]byte(raw[16:])), nil
}

// guidOf puts the bytes of a UUID (RFC 9562, big endian) in the table's order.
func guidOf(b [16]byte) GUID {
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

// String gives the text form, lower case.
func (g GUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[0:]),
		binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:16])
}

// Extent is one partition's place in the table.
type Extent struct {
	Name        string // at most 36 UTF-16 units
	Type, ID    GUID
	First, Last uint64 // sectors, both inside
	Attributes  uint64
}

// place puts partitions of these sizes (bytes) one after the other at whole
// MiB and gives first sectors and the size of the disk in sectors.
func place(sizes []int64) (first []uint64, sectors uint64) {
	at := uint64(align)
	for _, size := range sizes {
		first = append(first, at)
		at += roundUp(uint64(size), align*Sector) / Sector
	}
	return first, at + align // the backup table lives in the last MiB
}

func roundUp(n, to uint64) uint64 { return (n + to - 1) / to * to }

// Table writes the partition table of a disk with this number of sectors: head
// begins the disk (protective MBR with the boot code, header, entries), tail
// ends it (entries, backup header).
func Table(disk GUID, sectors uint64, parts []Extent, bootCode []byte) (head, tail []byte, err error) {
	if len(bootCode) > 440 {
		return nil, nil, fmt.Errorf("partition table: the boot code has %d bytes, an MBR holds 440", len(bootCode))
	}
	list, err := entryList(parts, sectors)
	if err != nil {
		return nil, nil, fmt.Errorf("partition table: %w", err)
	}
	head = append(head, protective(bootCode, sectors)...)
	head = append(head, header(disk, 1, sectors-1, 2, sectors, list)...)
	head = append(head, list...)
	tail = append(tail, list...)
	tail = append(tail, header(disk, sectors-1, 1, sectors-tailSectors, sectors, list)...)
	return head, tail, nil
}

func entryList(parts []Extent, sectors uint64) ([]byte, error) {
	if len(parts) > entries {
		return nil, fmt.Errorf("%d partitions, it holds %d", len(parts), entries)
	}
	var b bytes.Buffer
	end := uint64(headSectors)
	for _, p := range parts {
		name := utf16.Encode([]rune(p.Name))
		switch {
		case len(name) > 36:
			return nil, fmt.Errorf("the name %q is longer than 36 characters", p.Name)
		case p.First < end || p.Last < p.First || p.Last > sectors-tailSectors-1:
			return nil, fmt.Errorf("%s at sectors %d-%d doesn't fit between %d and %d", p.Name, p.First, p.Last, end, sectors-tailSectors-1)
		}
		end = p.Last + 1
		var entry [entryBytes]byte
		copy(entry[0:], p.Type[:])
		copy(entry[16:], p.ID[:])
		binary.LittleEndian.PutUint64(entry[32:], p.First)
		binary.LittleEndian.PutUint64(entry[40:], p.Last)
		binary.LittleEndian.PutUint64(entry[48:], p.Attributes)
		for i, unit := range name {
			binary.LittleEndian.PutUint16(entry[56+2*i:], unit)
		}
		b.Write(entry[:])
	}
	b.Write(make([]byte, entries*entryBytes-b.Len()))
	return b.Bytes(), nil
}

// header is one header sector (UEFI 2.10, table 5.5).
func header(disk GUID, own, other, list, sectors uint64, entryList []byte) []byte {
	h := make([]byte, Sector)
	copy(h, "EFI PART")
	put32, put64 := binary.LittleEndian.PutUint32, binary.LittleEndian.PutUint64
	put32(h[8:], 0x00010000) // revision 1.0
	put32(h[12:], 92)        // header size
	put64(h[24:], own)
	put64(h[32:], other)
	put64(h[40:], headSectors)
	put64(h[48:], sectors-tailSectors-1)
	copy(h[56:], disk[:])
	put64(h[72:], list)
	put32(h[80:], entries)
	put32(h[84:], entryBytes)
	put32(h[88:], crc32.ChecksumIEEE(entryList))
	put32(h[16:], crc32.ChecksumIEEE(h[:92])) // counted over itself as zero
	return h
}

// protective is the MBR that keeps old tools off: one partition of type 0xEE
// over the whole disk (UEFI 2.10, 5.2.3), here with boot code.
func protective(bootCode []byte, sectors uint64) []byte {
	m := make([]byte, Sector)
	copy(m, bootCode)
	p := m[446:]
	copy(p[1:], []byte{0x00, 0x02, 0x00}) // CHS of sector 1
	p[4] = 0xee
	copy(p[5:], []byte{0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(p[8:], 1)
	binary.LittleEndian.PutUint32(p[12:], uint32(min(sectors-1, 0xffffffff)))
	m[510], m[511] = 0x55, 0xaa
	return m
}
