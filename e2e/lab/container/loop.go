package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Loop is a disk file as a block device of the host.
type Loop struct {
	Node string // "/dev/loop3"
	file *os.File
}

// Attach makes a loop device with partitions of a file. The kernel detaches it
// by itself when its last user is gone, also after a crash.
func Attach(path string) (*Loop, error) {
	back, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("disk %s: %w", path, err)
	}
	defer back.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("disk %s: container machines need loop devices: %w", path, err)
	}
	defer control.Close()
	for range 32 { // another program may take the free one first
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("disk %s: no loop device is free: %w", path, err)
		}
		loop, err := configure(n, back, path)
		if !errors.Is(err, unix.EBUSY) {
			return loop, err
		}
	}
	return nil, fmt.Errorf("disk %s: other programs take every free loop device first", path)
}

func configure(n int, back *os.File, path string) (*Loop, error) {
	node := "/dev/loop" + strconv.Itoa(n)
	if _, err := os.Stat(node); err != nil {
		_ = unix.Mknod(node, unix.S_IFBLK|0o660, int(unix.Mkdev(7, uint32(n))))
	}
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("disk %s: %w", path, err)
	}
	config := unix.LoopConfig{Fd: uint32(back.Fd())}
	config.Info.Flags = unix.LO_FLAGS_PARTSCAN | unix.LO_FLAGS_AUTOCLEAR
	copy(config.Info.File_name[:], path)
	if err := unix.IoctlLoopConfigure(int(f.Fd()), &config); err != nil {
		f.Close()
		return nil, fmt.Errorf("disk %s on %s: %w", path, node, err)
	}
	return &Loop{Node: node, file: f}, nil
}

// Close flushes the device and lets it go.
func (l *Loop) Close() error {
	return errors.Join(l.file.Sync(), l.file.Close())
}

// Flush writes what the host still caches of the disk.
func (l *Loop) Flush() error { return l.file.Sync() }

// Scan reads the partition table anew and describes the disk. The mounts of
// a machine that was just killed are gone a moment later: until then the device
// is busy, and Scan waits.
func (l *Loop) Scan(ctx context.Context, name, serial string) (Disk, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		// What a partition wrote, the whole disk may still have an older copy of.
		if err := unix.IoctlSetInt(int(l.file.Fd()), unix.BLKFLSBUF, 0); err != nil {
			return Disk{}, fmt.Errorf("flush %s: %w", l.Node, err)
		}
		err := unix.IoctlSetInt(int(l.file.Fd()), unix.BLKRRPART, 0)
		if err == nil || errors.Is(err, unix.EINVAL) {
			return l.describe(name, serial)
		}
		if !errors.Is(err, unix.EBUSY) {
			return Disk{}, fmt.Errorf("read the partition table of %s: %w", l.Node, err)
		}
		select {
		case <-ctx.Done():
			return Disk{}, fmt.Errorf("read the partition table of %s: the disk is still in use by the machine's last boot: %w", l.Node, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *Loop) describe(name, serial string) (Disk, error) {
	dir := filepath.Join("/sys/block", filepath.Base(l.Node))
	dev, err := device(dir)
	if err != nil {
		return Disk{}, err
	}
	d := Disk{Name: name, Serial: serial, Node: l.Node, Device: dev, Sectors: number(dir, "size")}
	for _, p := range l.table() {
		if err := l.ensure(&p); err != nil {
			return Disk{}, err
		}
		d.Partitions = append(d.Partitions, p)
	}
	return d, nil
}

func device(dir string) (uint64, error) {
	text, err := os.ReadFile(dir + "/dev")
	if err != nil {
		return 0, err
	}
	var major, minor uint32
	if _, err := fmt.Sscanf(string(text), "%d:%d", &major, &minor); err != nil {
		return 0, fmt.Errorf("%s/dev: %w", dir, err)
	}
	return unix.Mkdev(major, minor), nil
}

func number(dir, file string) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, file))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
