package secureboot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
)

// Offsets inside the headers of a PE32+ program (Microsoft, "PE Format"). Those
// of the optional header count from its begin.
const (
	peOffset       = 0x3c // of the DOS header: where "PE\0\0" is
	coffBytes      = 24   // "PE\0\0" and the COFF header
	coffSections   = 6    // number of sections
	coffSymbols    = 12   // where the symbols are, and how many
	coffOptional   = 20   // size of the optional header
	optInitialized = 8    // SizeOfInitializedData
	optAlign       = 32   // SectionAlignment
	optFileAlign   = 36
	optImageBytes  = 56 // SizeOfImage
	optHeaders     = 60 // SizeOfHeaders
	optCheckSum    = 64
	optDirectories = 108 // NumberOfRvaAndSizes; the directories follow
	optSecurity    = optDirectories + 4 + 4*8
	sectionBytes   = 40
	magicPE32Plus  = 0x20b
)

// certificateAlign is what certificates and the file before them are padded to.
const certificateAlign = 8

// maxProgram bounds what is taken for a program: sizes in PE are of 32 bits,
// and firmware loads it whole into memory.
const maxProgram = 1 << 30

// section is one part of a program.
type section struct {
	name                       string
	size, address, raw, offset uint32 // in memory, there, in the file, there
}

// program is a PE32+ file with its headers read.
type program struct {
	data     []byte
	coff     int // offset of "PE\0\0"
	opt      int // offset of the optional header
	table    int // offset of the section table
	sections []section
	headers  uint32 // SizeOfHeaders
	align    uint32 // SectionAlignment
	file     uint32 // FileAlignment
	certs    uint32 // offset of the certificate table; 0 for none
	certsLen uint32
}

// parse reads the headers of a 64-bit PE program. data is kept, not copied.
func parse(data []byte) (*program, error) {
	p := &program{data: data}
	if err := p.header(); err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	if err := p.readSections(); err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	return p, nil
}

func (p *program) header() error {
	d := p.data
	if len(d) > maxProgram {
		return fmt.Errorf("it has %d bytes, more than the %d that are sensible", len(d), maxProgram)
	}
	if len(d) < peOffset+4 || d[0] != 'M' || d[1] != 'Z' {
		return errors.New("it doesn't begin with MZ: it is no PE program")
	}
	at := binary.LittleEndian.Uint32(d[peOffset:])
	if uint64(at)+coffBytes+optSecurity+8 > uint64(len(d)) {
		return errors.New("it ends inside its headers")
	}
	p.coff, p.opt = int(at), int(at)+coffBytes
	if string(d[at:at+4]) != "PE\x00\x00" {
		return errors.New("it has no PE header")
	}
	if magic := binary.LittleEndian.Uint16(d[p.opt:]); magic != magicPE32Plus {
		return fmt.Errorf("its optional header is of kind %#x, and 64-bit programs have %#x", magic, magicPE32Plus)
	}
	size := int(binary.LittleEndian.Uint16(d[p.coff+coffOptional:]))
	if size < optSecurity+8 || binary.LittleEndian.Uint32(d[p.opt+optDirectories:]) < 5 {
		return errors.New("it has no room for a signature in its headers")
	}
	p.table = p.opt + size
	p.headers = binary.LittleEndian.Uint32(d[p.opt+optHeaders:])
	p.align, p.file = binary.LittleEndian.Uint32(d[p.opt+optAlign:]), binary.LittleEndian.Uint32(d[p.opt+optFileAlign:])
	if !powerOfTwo(p.align) || !powerOfTwo(p.file) || p.align > 1<<24 || p.file > 1<<16 {
		return fmt.Errorf("its sections are aligned to %d and %d bytes, which are no such sizes", p.align, p.file)
	}
	p.certs, p.certsLen = binary.LittleEndian.Uint32(d[p.opt+optSecurity:]), binary.LittleEndian.Uint32(d[p.opt+optSecurity+4:])
	if p.certsLen == 0 {
		p.certs = 0
	}
	if p.certs != 0 && uint64(p.certs)+uint64(p.certsLen) > uint64(len(d)) {
		return errors.New("its signature lies behind its end")
	}
	return nil
}

func powerOfTwo(n uint32) bool { return n != 0 && n&(n-1) == 0 }

func (p *program) readSections() error {
	n := int(binary.LittleEndian.Uint16(p.data[p.coff+coffSections:]))
	end := p.table + n*sectionBytes
	if end > len(p.data) || uint64(end) > uint64(p.headers) || uint64(p.headers) > uint64(len(p.data)) {
		return fmt.Errorf("its %d sections don't fit into its headers", n)
	}
	for i := range n {
		at := p.data[p.table+i*sectionBytes:]
		s := section{
			name: string(bytes.TrimRight(at[:8], "\x00")),
			size: binary.LittleEndian.Uint32(at[8:]), address: binary.LittleEndian.Uint32(at[12:]), raw: binary.LittleEndian.Uint32(at[16:]), offset: binary.LittleEndian.Uint32(at[20:]),
		}
		if s.raw > 0 && (uint64(s.offset)+uint64(s.raw) > uint64(p.end()) || s.offset < p.headers) {
			return fmt.Errorf("its section %q lies outside of it", s.name)
		}
		p.sections = append(p.sections, s)
	}
	byFile := slices.DeleteFunc(slices.Clone(p.sections), func(s section) bool { return s.raw == 0 })
	slices.SortFunc(byFile, func(a, b section) int { return int(int64(a.offset) - int64(b.offset)) })
	for i := 1; i < len(byFile); i++ {
		if uint64(byFile[i-1].offset)+uint64(byFile[i-1].raw) > uint64(byFile[i].offset) {
			return fmt.Errorf("its sections %q and %q lie over each other", byFile[i-1].name, byFile[i].name)
		}
	}
	return nil
}

// end is where the program ends and its signatures begin.
func (p *program) end() int {
	if p.certs != 0 {
		return int(p.certs)
	}
	return len(p.data)
}

// content gives a section's bytes, without the padding of the file.
func (p *program) content(name string) ([]byte, bool) {
	for _, s := range p.sections {
		if s.name == name {
			return p.data[s.offset : s.offset+min(s.size, s.raw)], true
		}
	}
	return nil, false
}

// digest is the program's hash as Authenticode counts it: all but the
// checksum, the place of the signatures, and the signatures. EDK2 hashes section
// by section; for a program without gaps, which is what linkers write, that
// is the same, and for one with gaps the two would disagree: such a program is
// refused, since what lies in a gap would be verified by nobody.
func (p *program) digest() ([]byte, error) {
	if err := p.gapless(); err != nil {
		return nil, err
	}
	h := sha256.New()
	p.hash(h)
	return h.Sum(nil), nil
}

func (p *program) hash(h hash.Hash) {
	sum, dir, end := p.opt+optCheckSum, p.opt+optSecurity, p.end()
	h.Write(p.data[:sum])
	h.Write(p.data[sum+4 : dir])
	h.Write(p.data[dir+8 : end])
	h.Write(make([]byte, padding(end, certificateAlign)))
}

func (p *program) gapless() error {
	at := uint64(p.headers)
	byFile := slices.DeleteFunc(slices.Clone(p.sections), func(s section) bool { return s.raw == 0 })
	slices.SortFunc(byFile, func(a, b section) int { return int(int64(a.offset) - int64(b.offset)) })
	for _, s := range byFile {
		if uint64(s.offset) != at {
			return fmt.Errorf("hash the program: there are bytes before section %q that belong to nothing", s.name)
		}
		at += uint64(s.raw)
	}
	return nil
}

// padding is what n lacks to a multiple of align.
func padding(n, align int) int { return (align - n%align) % align }

// checkSum is the program's own, of 16-bit words with carry and the length
// (Microsoft, "PE Format": CheckSum). Firmware doesn't look at it; sbsign and
// the linker write it.
func checkSum(data []byte, at int) uint32 {
	var sum uint32
	for i := 0; i < len(data); i += 2 {
		if i == at || i == at+2 {
			continue
		}
		word := uint32(data[i])
		if i+1 < len(data) {
			word |= uint32(data[i+1]) << 8
		}
		sum += word
		sum = sum&0xffff + sum>>16
	}
	return sum + uint32(len(data))
}
