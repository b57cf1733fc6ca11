// Package disk puts a disk image together without mounting anything: a GPT of
// its own, a FAT system partition with boot loaders for UEFI (systemd-boot)
// and BIOS (syslinux), the empty configuration partition, the read-only root
// (erofs) with its hash tree (dm-verity), and the data partition (ext4).
package disk

import (
	"fmt"
	"io"
	"os"
)

// Names of the partitions, in the order on the disk. The node finds them by
// name (PARTLABEL), so they are part of the contract with ra2-node.
const (
	NameESP    = "ra2-esp"
	NameConfig = "ra2-config"
	NameRoot   = "ra2-root"
	NameVerity = "ra2-verity"
	NameData   = "ra2-data"
)

// configBytes is the size of the configuration partition, which the installer writes.
const configBytes = 1 << 20

// Parts are the files that a disk is made of.
type Parts struct {
	Seed     string // all GUIDs come from it
	BootCode string // gptmbr.bin of syslinux
	ESP      string // FAT file system
	Root     string // erofs
	Verity   string // hash tree of Root, see Verity
	RootHash string // of the tree, hex
	Data     string // ext4; last, so that the installer can grow it

	// Both hear of each partition, and may be nil: Writes before its content comes,
	// after what fills the place before it, and Wrote after it.
	Writes, Wrote func(name string) error
}

type part struct {
	Extent
	file string // "" for zeros
	size int64
}

// Write writes the raw disk to w and gives its size in bytes.
func Write(w io.Writer, p Parts) (int64, error) {
	bootCode, err := os.ReadFile(p.BootCode)
	if err != nil {
		return 0, fmt.Errorf("write disk: %w", err)
	}
	parts, sectors, err := p.layout()
	if err != nil {
		return 0, fmt.Errorf("write disk: %w", err)
	}
	extents := make([]Extent, len(parts))
	for i, part := range parts {
		extents[i] = part.Extent
	}
	head, tail, err := Table(NewGUID(p.Seed, "disk"), sectors, extents, bootCode)
	if err != nil {
		return 0, fmt.Errorf("write disk: %w", err)
	}
	out := &counter{w: w}
	out.Write(head)
	for _, part := range parts {
		out.zeros(int64(part.First)*Sector - out.n)
		if err := p.write(out, part); err != nil {
			return 0, fmt.Errorf("write disk: partition %s: %w", part.Name, err)
		}
	}
	out.zeros(int64(sectors)*Sector - int64(len(tail)) - out.n)
	out.Write(tail)
	if out.err != nil {
		return 0, fmt.Errorf("write disk: %w", out.err)
	}
	return out.n, nil
}

// write writes one partition, and tells of it.
func (p Parts) write(out *counter, part part) error {
	steps := []func() error{
		func() error { return hear(p.Writes, part.Name) },
		func() error { return out.file(part) },
		func() error { return out.err },
		func() error { return hear(p.Wrote, part.Name) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func hear(tell func(string) error, name string) error {
	if tell == nil {
		return nil
	}
	return tell(name)
}

func (p Parts) layout() ([]part, uint64, error) {
	rootID, treeID, err := verityIDs(p.RootHash)
	if err != nil {
		return nil, 0, err
	}
	parts := []part{
		{Extent: Extent{Name: NameESP, Type: typeESP(), Attributes: LegacyBoot}, file: p.ESP},
		{Extent: Extent{Name: NameConfig, Type: typeData()}, size: configBytes},
		{Extent: Extent{Name: NameRoot, Type: typeRoot(), ID: rootID, Attributes: readOnly}, file: p.Root},
		{Extent: Extent{Name: NameVerity, Type: typeVerity(), ID: treeID, Attributes: readOnly}, file: p.Verity},
		{Extent: Extent{Name: NameData, Type: typeData()}, file: p.Data},
	}
	sizes := make([]int64, len(parts))
	for i := range parts {
		if parts[i].file != "" {
			info, err := os.Stat(parts[i].file)
			if err != nil {
				return nil, 0, err
			}
			parts[i].size = info.Size()
		}
		sizes[i] = parts[i].size
	}
	first, sectors := place(sizes)
	for i := range parts {
		if parts[i].ID == (GUID{}) {
			parts[i].ID = NewGUID(p.Seed, parts[i].Name)
		}
		parts[i].First = first[i]
		parts[i].Last = first[i] + roundUp(uint64(sizes[i]), align*Sector)/Sector - 1
	}
	return parts, sectors, nil
}

// counter writes, counts and keeps the first error.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.err = err
	return n, err
}

func (c *counter) zeros(n int64) {
	block := make([]byte, 1<<20)
	for n > 0 && c.err == nil {
		wrote, _ := c.Write(block[:min(n, int64(len(block)))])
		n -= int64(wrote)
	}
}

func (c *counter) file(p part) error {
	if p.file == "" {
		return c.err
	}
	f, err := os.Open(p.file)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(c, f)
	if err == nil && n != p.size {
		err = fmt.Errorf("%s has %d bytes now and had %d", p.file, n, p.size)
	}
	return err
}
