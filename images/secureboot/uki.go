package secureboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Parts are what a unified kernel image is made of.
type Parts struct {
	Linux   []byte
	Initrd  []byte
	Line    string // the kernel line; fixed: under Secure Boot no other is taken
	Release string // "6.12.48+deb13-cloud-amd64", as uname -r tells
	OS      string // os-release(5)
}

// names of the sections (UAPI Group Specification UKI).
const (
	sectionOS      = ".osrel"
	sectionRelease = ".uname"
	sectionLine    = ".cmdline"
	sectionInitrd  = ".initrd"
	sectionLinux   = ".linux"
)

// Characteristics of a section: initialized data that may be read. The kernel
// may be executed where it lies too, as ukify marks it.
const (
	dataSection = 0x40000040
	codeSection = 0x60000020
)

// Unified puts a unified kernel image together on systemd's stub
// (linuxx64.efi.stub). The kernel comes last: it unpacks itself behind its end.
func Unified(stub []byte, parts Parts) ([]byte, error) {
	switch {
	case len(parts.Linux) == 0 || len(parts.Initrd) == 0:
		return nil, errors.New("make a unified kernel image: kernel or initrd is empty")
	case parts.Line == "":
		return nil, errors.New("make a unified kernel image: the kernel line is empty, so any other would be taken")
	case strings.ContainsAny(parts.Line, "\x00\n"):
		return nil, errors.New("make a unified kernel image: the kernel line has a line break or a zero in it")
	}
	b, err := newBuilding(stub)
	if err != nil {
		return nil, fmt.Errorf("make a unified kernel image: %w", err)
	}
	for _, s := range []struct {
		name    string
		content []byte
		kind    uint32
	}{
		{sectionOS, []byte(parts.OS), dataSection},
		{sectionRelease, []byte(parts.Release), dataSection},
		{sectionLine, []byte(parts.Line), dataSection},
		{sectionInitrd, parts.Initrd, dataSection},
		{sectionLinux, parts.Linux, codeSection},
	} {
		if err := b.add(s.name, s.content, s.kind); err != nil {
			return nil, fmt.Errorf("make a unified kernel image: section %s: %w", s.name, err)
		}
	}
	return b.finish(), nil
}

// building is a program that gets more sections.
type building struct {
	p           *program
	initialized uint32
}

func newBuilding(stub []byte) (*building, error) {
	p, err := parse(stub)
	if err != nil {
		return nil, err
	}
	if p.certs != 0 {
		return nil, errors.New("the stub is signed already")
	}
	if _, ok := p.content(".sdmagic"); !ok {
		return nil, errors.New("the program to build on is not systemd's stub: it has no section .sdmagic")
	}
	// What linkers leave behind the last section is a table of symbols, which
	// would become a gap that no hash covers.
	end := int(p.headers)
	for _, s := range p.sections {
		end = max(end, int(s.offset)+int(s.raw))
	}
	p.data = slices.Clone(p.data[:end])
	clear(p.data[p.coff+coffSymbols : p.coff+coffSymbols+8])
	return &building{p, binary.LittleEndian.Uint32(p.data[p.opt+optInitialized:])}, nil
}

// add appends one section; an empty one is left out. The stub's headers have
// room for a number of them.
func (b *building) add(name string, content []byte, kind uint32) error {
	p := b.p
	if len(content) == 0 {
		return nil
	}
	if slices.ContainsFunc(p.sections, func(s section) bool { return s.name == name }) {
		return errors.New("it is there already")
	}
	entry := p.table + len(p.sections)*sectionBytes
	if entry+sectionBytes > int(p.headers) {
		return errors.New("the stub has no room for another section")
	}
	address := uint64(0)
	for _, s := range p.sections {
		address = max(address, uint64(s.address)+uint64(max(s.size, s.raw)))
	}
	address = (address + uint64(p.align) - 1) / uint64(p.align) * uint64(p.align)
	if address+uint64(len(content)) > maxProgram {
		return errors.New("the program becomes larger than 1 GiB")
	}
	p.data = append(p.data, make([]byte, padding(len(p.data), int(p.file)))...)
	s := section{name: name, size: uint32(len(content)), address: uint32(address), offset: uint32(len(p.data))}
	p.data = append(p.data, content...)
	p.data = append(p.data, make([]byte, padding(len(p.data), int(p.file)))...)
	s.raw = uint32(len(p.data)) - s.offset
	header := p.data[entry : entry+sectionBytes]
	clear(header)
	copy(header, s.name)
	for at, v := range map[int]uint32{8: s.size, 12: s.address, 16: s.raw, 20: s.offset, 36: kind} {
		binary.LittleEndian.PutUint32(header[at:], v)
	}
	b.initialized += s.raw
	p.sections = append(p.sections, s)
	return nil
}

// finish writes what the headers say of the whole.
func (b *building) finish() []byte {
	p := b.p
	last := p.sections[len(p.sections)-1]
	binary.LittleEndian.PutUint16(p.data[p.coff+coffSections:], uint16(len(p.sections)))
	size := uint64(last.address) + uint64(last.size)
	binary.LittleEndian.PutUint32(p.data[p.opt+optImageBytes:], uint32((size+uint64(p.align)-1)/uint64(p.align)*uint64(p.align)))
	binary.LittleEndian.PutUint32(p.data[p.opt+optInitialized:], b.initialized)
	binary.LittleEndian.PutUint32(p.data[p.opt+optCheckSum:], checkSum(p.data, p.opt+optCheckSum))
	return p.data
}
