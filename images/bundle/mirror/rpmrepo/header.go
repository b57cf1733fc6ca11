package rpmrepo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sizes of an rpm file's parts (rpm.org, "RPM V4 Package format" and "Package
// header structure").
const (
	leadBytes  = 96
	introBytes = 16
	entryBytes = 16
	// maxEntries and maxData are rpm's own limits (headerVerifyInfo: 64 Ki tags,
	// 256 MiB); 64 MiB of data is more than any package has.
	maxEntries = 0xffff
	maxData    = 64 << 20
)

// Types of a tag's value.
const (
	typeInt16  = 3
	typeInt32  = 4
	typeInt64  = 5
	typeString = 6
	typeArray  = 8
	typeI18N   = 9
)

// header is one of the two headers of an rpm file: values by tag, in network
// byte order.
type header struct {
	entries map[uint32]headerEntry
	data    []byte
}

type headerEntry struct{ kind, offset, count uint32 }

// headers are what an rpm file has before its payload.
type headers struct {
	signature, main header
	begin, end      int64 // where main lies in the file
}

// readHeaders reads lead, signature and header.
func readHeaders(r io.Reader) (h headers, err error) {
	lead := make([]byte, leadBytes)
	if _, err := io.ReadFull(r, lead); err != nil || !bytes.HasPrefix(lead, []byte{0xed, 0xab, 0xee, 0xdb}) {
		return h, errors.New("it doesn't begin as an rpm package")
	}
	var length int64
	if h.signature, length, err = readHeader(r); err != nil {
		return h, fmt.Errorf("its signature: %w", err)
	}
	pad := (8 - length%8) % 8
	if _, err := io.CopyN(io.Discard, r, pad); err != nil {
		return h, fmt.Errorf("it ends after its signature: %w", err)
	}
	h.begin = leadBytes + length + pad
	if h.main, length, err = readHeader(r); err != nil {
		return h, fmt.Errorf("its header: %w", err)
	}
	h.end = h.begin + length
	return h, nil
}

// readHeader reads one header and tells its length.
func readHeader(r io.Reader) (header, int64, error) {
	intro := make([]byte, introBytes)
	if _, err := io.ReadFull(r, intro); err != nil || !bytes.HasPrefix(intro, []byte{0x8e, 0xad, 0xe8, 1}) {
		return header{}, 0, errors.New("it doesn't begin as one")
	}
	entries, size := binary.BigEndian.Uint32(intro[8:]), binary.BigEndian.Uint32(intro[12:])
	if entries > maxEntries || size > maxData {
		return header{}, 0, fmt.Errorf("%d tags with %d bytes are too much", entries, size)
	}
	all, err := io.ReadAll(io.LimitReader(r, int64(entries)*entryBytes+int64(size)))
	if err != nil {
		return header{}, 0, err
	}
	if int64(len(all)) != int64(entries)*entryBytes+int64(size) {
		return header{}, 0, io.ErrUnexpectedEOF
	}
	h := header{map[uint32]headerEntry{}, all[entries*entryBytes:]}
	for at := range entries {
		e := all[at*entryBytes:]
		h.entries[binary.BigEndian.Uint32(e)] = headerEntry{binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])}
	}
	return h, introBytes + int64(len(all)), nil
}

// texts returns the strings of a tag; none when it is absent or something else.
func (h header) texts(tag uint32) []string {
	e := h.entries[tag]
	if e.kind != typeString && e.kind != typeArray && e.kind != typeI18N || uint64(e.offset) > uint64(len(h.data)) {
		return nil
	}
	var out []string
	for rest := h.data[e.offset:]; uint32(len(out)) < e.count; {
		text, after, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return nil
		}
		out, rest = append(out, string(bytes.ToValidUTF8(text, []byte("?")))), after
	}
	return out
}

// text returns the first string of a tag: of a summary in several languages, the
// one in C.
func (h header) text(tag uint32) string {
	if all := h.texts(tag); len(all) > 0 {
		return all[0]
	}
	return ""
}

// numbers returns the integers of a tag.
func (h header) numbers(tag uint32) []uint64 {
	e := h.entries[tag]
	width := map[uint32]uint64{typeInt16: 2, typeInt32: 4, typeInt64: 8}[e.kind]
	if width == 0 || uint64(e.offset)+uint64(e.count)*width > uint64(len(h.data)) {
		return nil
	}
	var out []uint64
	for i := range uint64(e.count) {
		var wide [8]byte
		copy(wide[8-width:], h.data[uint64(e.offset)+i*width:][:width])
		out = append(out, binary.BigEndian.Uint64(wide[:]))
	}
	return out
}

// number returns the first integer of the first tag that has one.
func (h header) number(tags ...uint32) uint64 {
	for _, tag := range tags {
		if all := h.numbers(tag); len(all) > 0 {
			return all[0]
		}
	}
	return 0
}
