package host

import (
	"bytes"
	"io"
	"os"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/gpt"
)

// signature is what a file system or volume manager leaves at a fixed place.
type signature struct {
	offset int64
	magic  string
	name   string
}

// signatures are those of what servers hold; blkid knows many more.
func signatures() []signature {
	return []signature{
		{0x438, "\x53\xef", "ext2/3/4"},
		{0, "XFSB", "xfs"},
		{0x10040, "_BHRfS_M", "btrfs"},
		{0x400, "\xe2\xe1\xf5\xe0", "erofs"},
		{0, "LUKS\xba\xbe", "LUKS"},
		{0x218, "LVM2 001", "LVM"},
		{0x1000, "\xfc\x4e\x2b\xa9", "Linux RAID"},
		{0, "bluestore block device", "Ceph BlueStore"},
		{0xff6, "SWAPSPACE2", "swap"},
		{3, "NTFS", "NTFS"},
		{0x52, "FAT32", "FAT32"},
	}
}

// holds lists what is found at the beginning of a disk: a partition table with
// the names of its partitions, or the signature of what uses the whole disk.
func holds(node string) []string {
	f, err := os.Open(node)
	if err != nil {
		return nil
	}
	defer f.Close()
	start := make([]byte, 128<<10)
	n, err := io.ReadFull(f, start)
	if err != nil && n == 0 {
		return nil
	}
	start = start[:n]
	if table, err := gpt.Parse(start); err == nil {
		found := []string{"gpt"}
		for _, p := range table.Partitions() {
			found = append(found, "gpt: "+p.Name)
		}
		return found
	}
	for _, s := range signatures() {
		if end := s.offset + int64(len(s.magic)); end <= int64(n) && bytes.Equal(start[s.offset:end], []byte(s.magic)) {
			return []string{s.name}
		}
	}
	if n >= 512 && start[510] == 0x55 && start[511] == 0xaa {
		return []string{"mbr"}
	}
	return nil
}
