package ipmisim

// encode returns FRU information with a chassis, a board and a product area
// (Platform Management FRU Information Storage Definition, revision 1.3).
func (f FRU) encode() []byte {
	const rackMount, english = 0x17, 0x19
	areas := [][]byte{
		area([]byte{rackMount}, f.Part, f.Serial),
		area([]byte{english, 0, 0, 0}, f.Maker, f.Model, f.BoardSerial, f.Part),
		area([]byte{english}, f.Maker, f.Model, f.Part, "", f.Serial, ""),
	}
	header := []byte{1, 0, 0, 0, 0, 0, 0}
	body := []byte{}
	for i, a := range areas {
		header[2+i] = byte((8 + len(body)) / 8)
		body = append(body, a...)
	}
	return append(sum(header), body...)
}

// area is one area: its version, its size in eights of bytes, head, fields,
// the end mark, filling and checksum.
func area(head []byte, fields ...string) []byte {
	b := append([]byte{1, 0}, head...)
	for _, f := range fields {
		b = append(append(b, 0xc0|byte(len(f))), f...)
	}
	b = append(b, 0xc1)
	for (len(b)+1)%8 != 0 {
		b = append(b, 0)
	}
	b[1] = byte((len(b) + 1) / 8)
	return sum(b)
}

// sum adds the checksum, which makes the sum of all bytes zero.
func sum(b []byte) []byte {
	var n byte
	for _, x := range b {
		n += x
	}
	return append(b, -n)
}
