// Package disk writes a disk image to a disk so that a write that was cut
// short, or that the disk did not keep, never boots: the first MiB, which
// holds the partition table, is written last and only after all else was read
// back.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// UnfitError says that a disk can't take the image, and never will: a person
// chooses another one or makes it fit.
type UnfitError struct {
	Disk, Reason string
}

// Error implements error.
func (e *UnfitError) Error() string { return "disk " + e.Disk + " " + e.Reason }

// Device is an opened disk, or a file that stands for one.
type Device struct {
	f      *os.File
	bytes  int64
	block  bool
	direct bool
}

// Open opens a disk for writing. It fails when the disk is mounted or held:
// the kernel refuses an exclusive open then (open(2), O_EXCL).
func Open(path string) (*Device, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open disk: %w", err)
	}
	block := info.Mode()&os.ModeDevice != 0
	flags := os.O_RDWR
	if block {
		flags |= unix.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, &UnfitError{path, "is mounted or held by another program"}
	}
	if err != nil {
		return nil, fmt.Errorf("open disk: %w", err)
	}
	d := &Device{f: f, block: block}
	if d.bytes, err = f.Seek(0, io.SeekEnd); err != nil {
		f.Close()
		return nil, fmt.Errorf("length of disk %s: %w", path, err)
	}
	if err := d.sectors(); err != nil {
		f.Close()
		return nil, err
	}
	d.setDirect(true)
	return d, nil
}

// Bytes returns the length of the disk.
func (d *Device) Bytes() int64 { return d.bytes }

// Close closes the disk.
func (d *Device) Close() error { return d.f.Close() }

// sectors refuses disks with logical blocks of 4096 bytes: the partition table
// of the image counts blocks of 512.
func (d *Device) sectors() error {
	if !d.block {
		return nil
	}
	size, err := unix.IoctlGetInt(int(d.f.Fd()), unix.BLKSSZGET)
	if err == nil && size != 512 {
		return &UnfitError{d.f.Name(), fmt.Sprintf("has logical blocks of %d bytes and the image is made for 512: format the drive to 512e", size)}
	}
	return nil
}

// setDirect turns the page cache off (O_DIRECT) where the file system allows
// it: what is read back then comes from the disk.
func (d *Device) setDirect(on bool) {
	flags, err := unix.FcntlInt(d.f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return
	}
	want := flags &^ unix.O_DIRECT
	if on {
		want |= unix.O_DIRECT
	}
	if _, err := unix.FcntlInt(d.f.Fd(), unix.F_SETFL, want); err == nil {
		d.direct = on
	}
}

// writeAt writes an aligned buffer; one that isn't goes through the cache.
func (d *Device) writeAt(p []byte, at int64) error {
	_, err := d.f.WriteAt(p, at)
	if errors.Is(err, unix.EINVAL) && d.direct {
		d.setDirect(false)
		_, err = d.f.WriteAt(p, at)
	}
	if err != nil {
		return fmt.Errorf("write %d bytes at %d: %w", len(p), at, err)
	}
	return nil
}

func (d *Device) readAt(p []byte, at int64) error {
	_, err := d.f.ReadAt(p, at)
	if errors.Is(err, unix.EINVAL) && d.direct {
		d.setDirect(false)
		_, err = d.f.ReadAt(p, at)
	}
	if err != nil {
		return fmt.Errorf("read %d bytes at %d: %w", len(p), at, err)
	}
	return nil
}

// zero makes a range read as zeros. BLKZEROOUT promises that, whatever the
// drive does on its own (BLKDISCARD doesn't); where it isn't there, zeros are
// written.
func (d *Device) zero(zeros []byte, at int64) error {
	if d.block {
		where := [2]uint64{uint64(at), uint64(len(zeros))}
		if ioctl(d.f, unix.BLKZEROOUT, &where[0]) == nil {
			return nil
		}
	}
	return d.writeAt(zeros, at)
}

// flush puts everything on the disk and out of the cache.
func (d *Device) flush() error {
	if err := d.f.Sync(); err != nil {
		return fmt.Errorf("flush disk: %w", err)
	}
	if d.block {
		_ = ioctl(d.f, unix.BLKFLSBUF, nil) // O_DIRECT reads past the cache already; this is for when it is off
	}
	_ = unix.Fadvise(int(d.f.Fd()), 0, 0, unix.FADV_DONTNEED)
	return nil
}
