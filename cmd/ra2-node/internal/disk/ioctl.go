package disk

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl calls a block device request whose argument is a pointer.
func ioctl(f *os.File, request uint, arg *uint64) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(request), uintptr(unsafe.Pointer(arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

// aligned returns a buffer at a page boundary, as O_DIRECT wants it. It is
// never given back: there are three in the life of the installer.
func aligned(size int) ([]byte, error) {
	buf, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("get a buffer of %d bytes: %w", size, err)
	}
	return buf, nil
}
