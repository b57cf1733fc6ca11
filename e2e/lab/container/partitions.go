package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"golang.org/x/sys/unix"
)

// table returns the partitions that the GPT of a device names; an empty disk
// has none. The lab reads it itself, since kernels for virtual machines are
// often built without any partition table.
func (l *Loop) table() []Partition {
	dev, err := os.Open(l.Node)
	if err != nil {
		return nil
	}
	defer dev.Close()
	t, err := gpt.Read(file.New(dev, true), 512, 512)
	if err != nil {
		return nil
	}
	var all []Partition
	for i, p := range t.Partitions {
		if p.Type == gpt.Unused || p.End < p.Start || p.Start == 0 {
			continue
		}
		number := i + 1
		if p.Index > 0 {
			number = p.Index
		}
		all = append(all, Partition{Number: number, Name: p.Name, Start: int64(p.Start), Sectors: int64(p.End - p.Start + 1)})
	}
	return all
}

// ensure makes the kernel know a partition, and fills in its device number.
func (l *Loop) ensure(p *Partition) error {
	base := filepath.Base(l.Node)
	dir := filepath.Join("/sys/block", base, base+"p"+strconv.Itoa(p.Number))
	if _, err := os.Stat(dir); err != nil {
		if err := l.add(*p); err != nil {
			return fmt.Errorf("partition %d of %s: %w", p.Number, l.Node, err)
		}
	}
	dev, err := device(dir)
	p.Device = dev
	return err
}

// add tells the kernel of a partition (BLKPG).
func (l *Loop) add(p Partition) error {
	part := unix.BlkpgPartition{Start: p.Start * 512, Length: p.Sectors * 512, Pno: int32(p.Number)}
	arg := unix.BlkpgIoctlArg{Op: unix.BLKPG_ADD_PARTITION, Datalen: int32(unsafe.Sizeof(part)), Data: (*byte)(unsafe.Pointer(&part))}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, l.file.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		return errno
	}
	return nil
}
