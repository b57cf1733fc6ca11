package ipmi

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// made returns an area with these fields behind its head.
func made(head []byte, fields ...[]byte) []byte {
	b := append([]byte{1, 0}, head...)
	for _, f := range fields {
		b = append(b, f...)
	}
	b = append(b, 0xc1)
	for (len(b)+1)%8 != 0 {
		b = append(b, 0)
	}
	b[1] = byte((len(b) + 1) / 8)
	return append(b, checksum(b))
}

// ascii is a field of 8-bit ASCII.
func ascii(text string) []byte { return append([]byte{0xc0 | byte(len(text))}, text...) }

func TestFRU(t *testing.T) {
	board := made([]byte{25, 0, 0, 0}, ascii("Maker"), ascii("Board"), ascii("B-1"), ascii("P-1"))
	product := made([]byte{25}, ascii("Maker Inc."), ascii("Server 1"), ascii("P-2"), ascii("rev"), ascii("S-1"))
	broken := slices.Clone(product)
	broken[8] ^= 1
	for name, c := range map[string]struct {
		areas [3][]byte
		want  fru
	}{
		"all": {[3][]byte{made([]byte{0x17}, ascii("C-P"), ascii("C-S")), board, product}, fru{
			chassis: fruArea{part: "C-P", serial: "C-S"}, board: fruArea{"Maker", "Board", "P-1", "B-1"}, product: fruArea{"Maker Inc.", "Server 1", "P-2", "S-1"},
		}},
		"none":     {[3][]byte{}, fru{}},
		"broken":   {[3][]byte{nil, board, broken}, fru{board: fruArea{"Maker", "Board", "P-1", "B-1"}, wrong: []string{"the FRU product area has a wrong size or checksum"}}},
		"cut":      {[3][]byte{nil, nil, product[:8]}, fru{wrong: []string{"the FRU product area has a wrong size or checksum"}}},
		"few":      {[3][]byte{nil, nil, made([]byte{25}, ascii("Maker"))}, fru{product: fruArea{maker: "Maker"}}},
		"forgot":   {[3][]byte{nil, nil, made([]byte{25}, ascii("Maker"), ascii("To Be Filled By O.E.M."), ascii("N/A"), ascii("xx"), ascii("0000000000"))}, fru{product: fruArea{maker: "Maker"}}},
		"filling":  {[3][]byte{nil, nil, made([]byte{25}, ascii("Maker\x00\x00"), ascii("  Box  "))}, fru{product: fruArea{maker: "Maker", name: "Box"}}},
		"utf-16":   {[3][]byte{nil, nil, made([]byte{9}, append([]byte{0xc4}, 0x42, 0x30, 0x44, 0x30))}, fru{product: fruArea{maker: "あい"}}},
		"not told": {[3][]byte{nil, nil, made([]byte{25}, []byte{0xc0}, []byte{0xc0}, ascii("P-2"))}, fru{product: fruArea{part: "P-2"}}},
	} {
		got := decodeFRU(c.areas)
		if got.chassis != c.want.chassis || got.board != c.want.board || got.product != c.want.product || !slices.Equal(got.wrong, c.want.wrong) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// The kinds of text of the FRU definition, section 13.
func TestFRUText(t *testing.T) {
	for want, field := range map[string][]byte{
		"a0ff":  {0x02, 0xa0, 0xff},
		"12 -.": {0x43, 0x12, 0xab, 0xcf}, // the last digit is none
		"IPMI":  {0x83, 0x29, 0xdc, 0xa6}, // the example of section 13.3
		"é":     {0xc1 + 1, 0xe9, ' '},
	} {
		got := fruFields(field, true)
		if len(got) != 1 || strings.TrimRight(got[0], "? ") != want {
			t.Errorf("% x: %q, want %q", field, got, want)
		}
	}
}

// Headers that lie are refused.
func TestFRUHeader(t *testing.T) {
	good := []byte{1, 0, 1, 0, 5, 0, 0}
	good = append(good, checksum(good))
	if at, err := fruAreas(good); err != nil || at != [3]int{8, 0, 40} {
		t.Errorf("got %v, %v", at, err)
	}
	for want, h := range map[string][]byte{
		"cut short": good[:7], "format 15": append([]byte{0xff}, good[1:]...), "checksum": append(slices.Clone(good[:7]), good[7]+1), "format 0": make([]byte, 8),
	} {
		if _, err := fruAreas(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What a maker wrote in ASCII comes back. (One letter alone can't be written: its
// type and length are the end mark C1h.)
func TestFRURoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[A-Z][A-Za-z0-9]{1,20}`)
		a := fruArea{word.Draw(t, "maker"), word.Draw(t, "name"), word.Draw(t, "part"), word.Draw(t, "serial")}
		got := decodeFRU([3][]byte{nil, nil, made([]byte{25}, ascii(a.maker), ascii(a.name), ascii(a.part), ascii("rev"), ascii(a.serial))})
		for _, pair := range [][2]string{{got.product.maker, a.maker}, {got.product.name, a.name}, {got.product.part, a.part}, {got.product.serial, a.serial}} {
			if pair[0] != pair[1] && meant(pair[1]) != "" {
				t.Errorf("%q came back as %q", pair[1], pair[0])
			}
		}
	})
}

// FuzzFRU gives the decoder what a controller may send: it never panics, and
// what it tells is text.
func FuzzFRU(f *testing.F) {
	product := made([]byte{25}, ascii("Maker"), ascii("Server"), ascii("P"), ascii("v"), ascii("S"))
	head := []byte{1, 0, 0, 0, 1, 0, 0}
	f.Add(append(append(head, checksum(head)), product...), false)
	f.Add([]byte{1, 0, 1, 1, 1, 0, 0, 0xfc, 1, 1, 0x83, 0x29, 0xdc, 0xa6, 0xc1, 0}, true)
	f.Fuzz(func(t *testing.T, data []byte, mend bool) {
		data = slices.Clone(data)
		if mend && len(data) >= fruHeader {
			data[7] = 0
			data[7] = checksum(data[:fruHeader])
		}
		places, err := fruAreas(data)
		if err != nil {
			places = [3]int{0, 0, 0}
		}
		var areas [3][]byte
		for i, at := range places {
			if at == 0 || at+2 > len(data) {
				continue
			}
			area := slices.Clone(data[at:min(len(data), at+8*int(data[at+1]))])
			if mend && len(area) > 0 {
				area[len(area)-1] = 0
				area[len(area)-1] = checksum(area)
			}
			areas[i] = area
		}
		got := decodeFRU(areas)
		for _, a := range []fruArea{got.chassis, got.board, got.product} {
			for _, word := range []string{a.maker, a.name, a.part, a.serial} {
				if !utf8.ValidString(word) || strings.ContainsAny(word, "\n\x00\x1b") {
					t.Errorf("%q is no text", word)
				}
			}
		}
	})
}
