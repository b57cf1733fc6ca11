// Package initramfs unpacks an initramfs as Linux does (Documentation/
// driver-api/early-userspace/buffer-format.rst): any number of cpio archives
// of format newc, each plain, gzip or zstd, with zeros between them.
package initramfs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A File is one entry of an archive.
type File struct {
	Name         string
	Mode         uint32 // type and permission bits, as in stat(2)
	UID, GID     int
	Major, Minor uint32 // of a device node
	Inode        uint32
	Links        uint32
	Data         []byte
}

// maxUnpacked bounds what one compressed archive can become.
const maxUnpacked = 2 << 30

// Walk calls visit for every entry of all archives.
func Walk(image []byte, visit func(File) error) error {
	for len(image) > 0 {
		if image[0] == 0 {
			image = image[1:]
			continue
		}
		used, err := piece(image, visit)
		if err != nil {
			return err
		}
		image = image[used:]
	}
	return nil
}

// piece reads one archive at the beginning of image and returns its length.
func piece(image []byte, visit func(File) error) (int, error) {
	switch {
	case bytes.HasPrefix(image, []byte("0707")):
		return archive(image, visit)
	case bytes.HasPrefix(image, []byte{0x1f, 0x8b}):
		return gunzip(image, visit)
	case bytes.HasPrefix(image, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return unzstd(image, visit)
	}
	return 0, fmt.Errorf("initramfs: no archive begins with %x (cpio, gzip and zstd are known)", image[:min(6, len(image))])
}

func gunzip(image []byte, visit func(File) error) (int, error) {
	from := bytes.NewReader(image) // an io.ByteReader: gzip reads no byte too many
	z, err := gzip.NewReader(from)
	if err != nil {
		return 0, fmt.Errorf("initramfs: gzip: %w", err)
	}
	z.Multistream(false)
	plain, err := io.ReadAll(io.LimitReader(z, maxUnpacked))
	if err != nil {
		return 0, fmt.Errorf("initramfs: gzip: %w", err)
	}
	return len(image) - from.Len(), Walk(plain, visit)
}

func unzstd(image []byte, visit func(File) error) (int, error) {
	n, err := frame(image)
	if err != nil {
		return 0, err
	}
	d, err := zstd.NewReader(bytes.NewReader(image[:n]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<30))
	if err != nil {
		return 0, fmt.Errorf("initramfs: zstd: %w", err)
	}
	defer d.Close()
	plain, err := io.ReadAll(io.LimitReader(d, maxUnpacked))
	if err != nil {
		return 0, fmt.Errorf("initramfs: zstd: %w", err)
	}
	return n, Walk(plain, visit)
}

var errShort = errors.New("initramfs: the archive is cut short")

// frame returns the length of the zstd frame at the beginning of b (RFC 8878,
// section 3.1.1): header, blocks up to the last, checksum.
func frame(b []byte) (int, error) {
	if len(b) < 6 {
		return 0, errShort
	}
	desc := b[4]
	at := 5
	single := desc&0x20 != 0
	if !single {
		at++ // window descriptor
	}
	at += []int{0, 1, 2, 4}[desc&3] // dictionary ID
	sizes := []int{0, 2, 4, 8}
	if single {
		sizes[0] = 1
	}
	at += sizes[desc>>6] // frame content size
	for last := false; !last; {
		if at+3 > len(b) {
			return 0, errShort
		}
		h := int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16
		last = h&1 != 0
		size := h >> 3
		if h>>1&3 == 1 { // one byte, repeated
			size = 1
		}
		at += 3 + size
	}
	if desc&4 != 0 {
		at += 4
	}
	if at > len(b) {
		return 0, errShort
	}
	return at, nil
}
