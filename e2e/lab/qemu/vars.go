package qemu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
)

// The variables of OVMF lie in its second flash device, in the form that EDK2
// has in MdeModulePkg/Include/Guid/VariableFormat.h: a firmware volume, in it a
// store of authenticated variables, one record behind the other.
const (
	nvDataGUID = "\x8d\x2b\xf1\xff\x96\x76\x8b\x4c\xa9\x85\x27\x47\x07\x5b\x4f\x50" // gEfiSystemNvDataFvGuid
	authGUID   = "\x78\x2c\xf3\xaa\x7b\x94\x9a\x43\xa1\x80\x2e\x14\x4e\xc3\x77\x92" // gEfiAuthenticatedVariableGuid
	recordID   = 0x55aa
	recordHead = 60
	stateAdded = 0x3f // VAR_ADDED; other values are of records that are gone
)

// Owners of the variables of Secure Boot (UEFI 2.10, 3.3 and 32.6.1; EDK2 for
// the switch).
const (
	globalGUID   = "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c" // PK, KEK
	securityGUID = "\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f" // db, dbx
	switchGUID   = "\xc7\x0b\xa3\xf0\x08\xaf\x56\x45\x99\xc4\x00\x10\x09\xc9\x3a\x44" // SecureBootEnable
)

// Attributes of variables (UEFI 2.10, 8.2): kept, seen by the firmware; seen by
// the system too, and written with a signature only.
const (
	attrKept   = 0x03
	attrSigned = 0x27
)

// variable is one record.
type variable struct {
	name       string
	guid       string
	attributes uint32
	middle     []byte // count, time and key of the record, as they are
	data       []byte
}

// vars is a variable store that was read.
type vars struct {
	flash      []byte
	begin, end int // of the records
	list       []variable
}

// readVars reads the flash device of a machine that is off.
func readVars(flash []byte) (*vars, error) {
	if len(flash) < 0x48+28 || string(flash[16:32]) != nvDataGUID {
		return nil, errors.New("read the UEFI variables: it is no volume of variables")
	}
	head := int(binary.LittleEndian.Uint16(flash[0x30:]))
	if head+28 > len(flash) || string(flash[head:head+16]) != authGUID {
		return nil, errors.New("read the UEFI variables: its store is not of authenticated variables")
	}
	size := binary.LittleEndian.Uint32(flash[head+16:])
	if uint64(head)+uint64(size) > uint64(len(flash)) || size < 28 {
		return nil, fmt.Errorf("read the UEFI variables: the store has %d bytes, and the volume %d", size, len(flash))
	}
	v := &vars{flash: flash, begin: head + 28, end: head + int(size)}
	for at := v.begin; at+recordHead <= v.end && binary.LittleEndian.Uint16(flash[at:]) == recordID; {
		next, err := v.record(at)
		if err != nil {
			return nil, err
		}
		at = next
	}
	return v, nil
}

// record reads the record at an offset and returns where the next one is.
func (v *vars) record(at int) (int, error) {
	r := v.flash[at:v.end]
	names, bytes := binary.LittleEndian.Uint32(r[36:]), binary.LittleEndian.Uint32(r[40:])
	size := uint64(recordHead) + uint64(names) + uint64(bytes)
	if size > uint64(len(r)) || names%2 != 0 {
		return 0, fmt.Errorf("read the UEFI variables: the record at %#x is longer than the store", at)
	}
	if r[2] == stateAdded {
		v.list = append(v.list, variable{
			name: fromUTF16(r[recordHead : recordHead+names]), guid: string(r[44:60]), attributes: binary.LittleEndian.Uint32(r[4:]),
			middle: slices.Clone(r[8:36]), data: slices.Clone(r[recordHead+names : size]),
		})
	}
	return at + int(size+3)/4*4, nil
}

// get returns the value of a variable; nil when there is none.
func (v *vars) get(name, guid string) []byte {
	for _, one := range v.list {
		if one.name == name && one.guid == guid {
			return one.data
		}
	}
	return nil
}

// set gives a variable a value, as firmware does for itself: no signature is
// asked for. An empty value removes it.
func (v *vars) set(name, guid string, attributes uint32, data []byte) {
	i := slices.IndexFunc(v.list, func(one variable) bool { return one.name == name && one.guid == guid })
	if i < 0 {
		i = len(v.list)
		v.list = append(v.list, variable{name: name, guid: guid, attributes: attributes, middle: make([]byte, 28)})
	}
	v.list[i].data = data
	if len(data) == 0 {
		v.list = slices.Delete(v.list, i, i+1)
	}
}

// bytes returns the flash device with the variables of now.
func (v *vars) bytes() ([]byte, error) {
	out := slices.Clone(v.flash)
	var records bytes.Buffer
	for _, one := range v.list {
		name := toUTF16(one.name)
		head := binary.LittleEndian.AppendUint16(nil, recordID)
		head = append(head, stateAdded, 0)
		head = binary.LittleEndian.AppendUint32(head, one.attributes)
		head = append(head, one.middle...)
		head = binary.LittleEndian.AppendUint32(head, uint32(len(name)))
		head = binary.LittleEndian.AppendUint32(head, uint32(len(one.data)))
		records.Write(append(head, one.guid...))
		records.Write(name)
		records.Write(one.data)
		records.Write(bytes.Repeat([]byte{0xff}, (4-records.Len()%4)%4))
	}
	if records.Len() > v.end-v.begin {
		return nil, fmt.Errorf("write the UEFI variables: %d bytes don't fit into the store's %d", records.Len(), v.end-v.begin)
	}
	n := copy(out[v.begin:v.end], records.Bytes())
	for i := v.begin + n; i < v.end; i++ {
		out[i] = 0xff // as erased flash is
	}
	return out, nil
}

func toUTF16(s string) []byte {
	var out []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func fromUTF16(raw []byte) string {
	var units []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		if u := binary.LittleEndian.Uint16(raw[i:]); u != 0 {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units))
}
