package initramfs

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	headerLen = 110
	trailer   = "TRAILER!!!"
	maxName   = 4096 // PATH_MAX
)

// archive reads one cpio archive of format newc and returns its length.
func archive(b []byte, visit func(File) error) (int, error) {
	at := 0
	for {
		f, next, err := entry(b, at)
		if err != nil {
			return 0, err
		}
		at = next
		if f.Name == trailer {
			return at, nil
		}
		if err := visit(f); err != nil {
			return 0, err
		}
	}
}

// entry reads the entry at an offset; name and data are padded to four bytes.
func entry(b []byte, at int) (File, int, error) {
	if at+headerLen > len(b) {
		return File{}, 0, errShort
	}
	h := b[at : at+headerLen]
	if !bytes.HasPrefix(h, []byte("070701")) && !bytes.HasPrefix(h, []byte("070702")) {
		return File{}, 0, fmt.Errorf("initramfs: cpio: %q at byte %d is not the magic of newc", h[:6], at)
	}
	var v [13]uint32
	for i := range v {
		n, err := strconv.ParseUint(string(h[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			return File{}, 0, fmt.Errorf("initramfs: cpio: header at byte %d: %w", at, err)
		}
		v[i] = uint32(n)
	}
	size, nameLen := int(v[6]), int(v[11])
	begin := at + headerLen
	if nameLen < 1 || nameLen > maxName || begin+nameLen > len(b) {
		return File{}, 0, errShort
	}
	data := align(begin + nameLen)
	if data > len(b) || size > len(b)-data {
		return File{}, 0, errShort
	}
	f := File{
		Name: string(bytes.TrimRight(b[begin:begin+nameLen], "\x00")), Inode: v[0], Mode: v[1], UID: int(v[2]), GID: int(v[3]),
		Links: v[4], Major: v[9], Minor: v[10], Data: b[data : data+size : data+size],
	}
	return f, min(align(data+size), len(b)), nil
}

func align(n int) int { return (n + 3) &^ 3 }
