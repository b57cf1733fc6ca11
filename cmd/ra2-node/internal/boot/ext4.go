package boot

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// fills reports whether the ext4 file system on device is as long as the
// device, but for less than 16 MiB: a file system doesn't begin a block group
// for a few blocks. The layout is that of Linux'
// Documentation/filesystems/ext4/super.rst.
func fills(device string) (bool, error) {
	f, err := os.Open(device)
	if err != nil {
		return false, fmt.Errorf("open the data partition: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, fmt.Errorf("length of the data partition: %w", err)
	}
	super := make([]byte, 1024)
	if _, err := f.ReadAt(super, 1024); err != nil {
		return false, fmt.Errorf("read the data partition: %w", err)
	}
	if binary.LittleEndian.Uint16(super[0x38:]) != 0xef53 {
		return false, fmt.Errorf("the data partition %s holds no ext4", device)
	}
	blocks := uint64(binary.LittleEndian.Uint32(super[4:]))
	const wide = 0x80 // INCOMPAT_64BIT
	if binary.LittleEndian.Uint32(super[0x60:])&wide != 0 {
		blocks |= uint64(binary.LittleEndian.Uint32(super[0x150:])) << 32
	}
	shift := binary.LittleEndian.Uint32(super[0x18:])
	if shift > 6 {
		return false, fmt.Errorf("the data partition %s has ext4 blocks of 2^%d KiB", device, shift)
	}
	return size-int64(blocks<<(10+shift)) < 16<<20, nil
}
