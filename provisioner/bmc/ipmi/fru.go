package ipmi

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// fru is what the FRU information of a server tells (Platform Management FRU
// Information Storage Definition, revision 1.3).
type fru struct {
	chassis, board, product fruArea
	wrong                   []string // areas that can't be believed
}

// fruArea is one area; a field that an area doesn't have is empty.
type fruArea struct{ maker, name, part, serial string }

// fruHeader is the size of the common header (section 8).
const fruHeader = 8

// fruAreas returns where the chassis, board and product areas begin, in
// bytes; 0 is an area that isn't there.
func fruAreas(header []byte) ([3]int, error) {
	switch {
	case len(header) < fruHeader:
		return [3]int{}, errors.New("the FRU header is cut short")
	case header[0]&0x0f != 1:
		return [3]int{}, fmt.Errorf("the FRU header has format %d and should have 1", header[0]&0x0f)
	case checksum(header[:fruHeader]) != 0:
		return [3]int{}, errors.New("the checksum of the FRU header is wrong")
	}
	return [3]int{8 * int(header[2]), 8 * int(header[3]), 8 * int(header[4])}, nil
}

// decodeFRU reads the chassis, board and product areas. An area whose checksum
// is wrong is not believed: it may hold the serial number of another host.
func decodeFRU(areas [3][]byte) fru {
	var f fru
	for i, a := range []struct {
		name  string
		skip  int // bytes before the first field
		into  *fruArea
		order func(*fruArea) []*string // of the fields
	}{
		{"chassis", 3, &f.chassis, func(a *fruArea) []*string { return []*string{&a.part, &a.serial} }},
		{"board", 6, &f.board, func(a *fruArea) []*string { return []*string{&a.maker, &a.name, &a.serial, &a.part} }},
		{"product", 3, &f.product, func(a *fruArea) []*string {
			var version string
			return []*string{&a.maker, &a.name, &a.part, &version, &a.serial}
		}},
	} {
		area := areas[i]
		if area == nil {
			continue
		}
		if len(area) <= a.skip || 8*int(area[1]) != len(area) || checksum(area) != 0 {
			f.wrong = append(f.wrong, "the FRU "+a.name+" area has a wrong size or checksum")
			continue
		}
		english := i == 0 || area[2] == 0 || area[2] == 25
		fields := fruFields(area[a.skip:], english)
		for n, to := range a.order(a.into) {
			if n < len(fields) {
				*to = meant(fields[n])
			}
		}
	}
	return f
}

// fruFields reads fields until the end mark C1h (section 13).
func fruFields(b []byte, english bool) []string {
	var out []string
	for len(b) > 0 && b[0] != 0xc1 {
		kind, size := b[0]>>6, int(b[0]&0x3f)
		if len(b) < 1+size {
			break
		}
		out = append(out, fruText(kind, b[1:1+size], english))
		b = b[1+size:]
	}
	return out
}

// fruText decodes one field by its type code.
func fruText(kind byte, b []byte, english bool) string {
	switch kind {
	case 0:
		return hex.EncodeToString(b)
	case 1:
		return bcdPlus(b)
	case 2:
		return sixBit(b)
	}
	if english {
		return latin1(b)
	}
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i])|uint16(b[i+1])<<8)
	}
	return string(utf16.Decode(units))
}

func bcdPlus(b []byte) string {
	const digits = "0123456789 -.???"
	var out []byte
	for _, x := range b {
		out = append(out, digits[x>>4], digits[x&0x0f])
	}
	return string(out)
}

// sixBit unpacks 6-bit ASCII: four letters in three bytes, lowest bits first.
func sixBit(b []byte) string {
	var out []byte
	var bits, have uint
	for _, x := range b {
		bits |= uint(x) << have
		for have += 8; have >= 6; have -= 6 {
			out = append(out, byte(bits&0x3f)+' ')
			bits >>= 6
		}
	}
	return string(out)
}

func latin1(b []byte) string {
	var out strings.Builder
	for _, x := range b {
		out.WriteRune(rune(x))
	}
	return out.String()
}

// meant returns a field without what fills it up, or nothing for the words
// that makers leave in a field that they forgot: a rack full of hosts has the
// same ones, so they name no host.
func meant(field string) string {
	field = strings.Join(strings.FieldsFunc(field, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }), "")
	field = strings.TrimSpace(field)
	word := strings.ToLower(strings.Trim(field, ". "))
	if strings.Trim(word, "0x-.*#? ") == "" || slices.Contains([]string{
		"to be filled by o.e.m", "default string", "not specified", "not available", "none", "n/a", "na", "null", "unknown", "empty",
		"system serial number", "chassis serial number", "base board serial number", "oem", "0123456789", "123456789", "1234567890",
	}, word) {
		return ""
	}
	return field
}
