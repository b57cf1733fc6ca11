package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"strings"
)

// Sizes of the work. Head is what is written last.
const (
	Head  = 1 << 20
	chunk = 4 << 20
)

// Want says what the stream must be.
type Want struct {
	Digest string // "sha256:<hex>" of the raw image
	Bytes  int64  // its length; zero is not known
}

// Progress tells how far the work is; total is zero when it isn't known.
type Progress func(doing string, done, total int64)

// Written is an image on a disk that lacks its head and so can't boot yet.
type Written struct {
	Head []byte // the first MiB of the image, to be edited and then sealed
	dev  *Device
	size int64
	sums []sum
	seed maphash.Seed
}

// sum is what one chunk must read back as.
type sum struct {
	at, length int64
	zero       bool
	hash       uint64
}

// Write streams a raw image to the disk. On success the stream had the wanted
// digest and every byte but the head was read back from the disk and is right.
// From its first moment on, and after any failure, the disk doesn't boot.
func Write(ctx context.Context, dev *Device, raw io.Reader, want Want, tell Progress) (*Written, error) {
	if want.Bytes > dev.bytes {
		return nil, &UnfitError{dev.f.Name(), fmt.Sprintf("has %d bytes and the image %d: it doesn't fit", dev.bytes, want.Bytes)}
	}
	if err := dev.blank(); err != nil {
		return nil, err
	}
	w := &Written{dev: dev, seed: maphash.MakeSeed()}
	digest := sha256.New()
	if err := w.stream(ctx, raw, digest, want.Bytes, tell); err != nil {
		return nil, err
	}
	if got := "sha256:" + hex.EncodeToString(digest.Sum(nil)); !strings.EqualFold(got, want.Digest) {
		return nil, fmt.Errorf("the image has the digest %s and should have %s: it was changed on its way or in the cache; nothing bootable was written", got, want.Digest)
	}
	if err := dev.flush(); err != nil {
		return nil, err
	}
	if err := w.readBack(ctx, tell); err != nil {
		return nil, err
	}
	return w, nil
}

// blank takes away what could boot or be taken for a partition table: the
// start of the disk and its end, where the backup table stands.
func (d *Device) blank() error {
	if d.bytes < 2*Head {
		return &UnfitError{d.f.Name(), fmt.Sprintf("has only %d bytes", d.bytes)}
	}
	zeros, err := aligned(Head + 4096)
	if err != nil {
		return err
	}
	end := (d.bytes - Head) / 4096 * 4096
	err = errors.Join(d.writeAt(zeros[:Head], 0), d.writeAt(zeros[:d.bytes-end], end))
	if err != nil {
		return fmt.Errorf("blank the partition table: %w", err)
	}
	return d.flush()
}

// stream writes all but the head. Hashing runs beside writing: on an emulated
// processor each takes as long as the other.
func (w *Written) stream(ctx context.Context, raw io.Reader, digest hash.Hash, total int64, tell Progress) error {
	var bufs [2][]byte
	for i := range bufs {
		buf, err := aligned(chunk)
		if err != nil {
			return err
		}
		bufs[i] = buf
	}
	hashed := make(chan struct{}, 1)
	hashed <- struct{}{}
	defer func() { <-hashed }()
	for turn := 0; ; turn++ {
		buf := bufs[turn%2]
		n, err := io.ReadFull(raw, buf)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return fmt.Errorf("read the image after %d bytes: %w", w.size, err)
		}
		if w.size+int64(n) > w.dev.bytes {
			return &UnfitError{w.dev.f.Name(), fmt.Sprintf("has %d bytes and the image is longer than the disk", w.dev.bytes)}
		}
		<-hashed // of the chunk before: its buffer is free for the next turn
		go func() { digest.Write(buf[:n]); hashed <- struct{}{} }()
		if err := w.put(buf[:n]); err != nil {
			return err
		}
		tell("writing image", w.size, total)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("write the image: stopped after %d bytes: %w", w.size, context.Cause(ctx))
		}
		if end {
			break
		}
	}
	if w.size < Head {
		return fmt.Errorf("the image has only %d bytes", w.size)
	}
	if total > 0 && w.size != total {
		return fmt.Errorf("the image ended after %d bytes of %d", w.size, total)
	}
	return nil
}

// put writes one chunk and remembers what it must read back as.
func (w *Written) put(data []byte) error {
	at := w.size
	w.size += int64(len(data))
	if at == 0 {
		n := min(Head, len(data))
		w.Head = bytes.Clone(data[:n])
		data, at = data[n:], int64(n)
	}
	if len(data) == 0 {
		return nil
	}
	s := sum{at: at, length: int64(len(data)), zero: isZero(data)}
	if s.zero {
		w.sums = append(w.sums, s)
		return w.dev.zero(data, at)
	}
	s.hash = maphash.Bytes(w.seed, data)
	w.sums = append(w.sums, s)
	return w.dev.writeAt(data, at)
}

func isZero(p []byte) bool {
	return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1])
}

// readBack compares the disk with what was written, chunk by chunk. The stream
// had the right SHA-256; against a disk that forgets, a quick 64-bit sum does.
func (w *Written) readBack(ctx context.Context, tell Progress) error {
	buf, err := aligned(chunk)
	if err != nil {
		return err
	}
	for _, s := range w.sums {
		part := buf[:s.length]
		if err := w.dev.readAt(part, s.at); err != nil {
			return fmt.Errorf("read the image back: %w", err)
		}
		if s.zero && !isZero(part) || !s.zero && maphash.Bytes(w.seed, part) != s.hash {
			return fmt.Errorf("read the image back: the disk doesn't hold what was written at bytes %d to %d: it is failing, or its controller is", s.at, s.at+s.length)
		}
		tell("reading image back", s.at+s.length, w.size)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read the image back: stopped at %d: %w", s.at, context.Cause(ctx))
		}
	}
	return nil
}

// Seal writes the head, as it is now, reads it back and so makes the disk
// bootable. Nothing must be written after it.
func (w *Written) Seal() error {
	if err := w.Put(w.Head, 0); err != nil {
		return fmt.Errorf("write the partition table: %w", err)
	}
	return nil
}

// Put writes data at a place of the disk and reads it back.
func (w *Written) Put(data []byte, at int64) error {
	buf, err := aligned(len(data))
	if err != nil {
		return err
	}
	copy(buf, data)
	if err := w.dev.writeAt(buf, at); err != nil {
		return err
	}
	if err := w.dev.flush(); err != nil {
		return err
	}
	clear(buf)
	if err := w.dev.readAt(buf, at); err != nil {
		return err
	}
	if !bytes.Equal(buf, data) {
		return fmt.Errorf("the disk doesn't hold what was written at bytes %d to %d", at, at+int64(len(data)))
	}
	return nil
}

// Bytes returns the length of the disk.
func (w *Written) Bytes() int64 { return w.dev.bytes }
