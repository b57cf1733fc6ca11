package disk

import (
	"bytes"
	"strings"
	"testing"
)

// The add-on takes the place of the image's own, and nothing else changes; until
// the disk is sealed it doesn't boot, with or without it.
func TestLay(t *testing.T) {
	image := partitioned(t)
	const esp, offset, length = 1 << 20, 3 * 512, 1000 // not whole sectors
	was := image[esp+offset : esp+offset+length]
	addon := bytes.Repeat([]byte("iommu=pt"), length/8)
	dev, path := old(t, 64<<20)
	w, err := Write(t.Context(), dev, bytes.NewReader(image), Want{digestOf(image), 0}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[string]Addon{
		"of another image":                {Program: addon, Offset: offset, Old: digestOf([]byte("other"))},
		"of another image ":               {Program: addon, Offset: offset + 512, Old: digestOf(was)},
		"1000 bytes at 7 of partition":    {Program: addon, Offset: 7, Old: digestOf(was)},
		"1000 bytes at -512 of partition": {Program: addon, Offset: -512, Old: digestOf(was)},
		"1000 bytes at 1048064 of":        {Program: addon, Offset: 1<<20 - 512, Old: digestOf(was)},
		"0 bytes":                         {Offset: offset, Old: digestOf(nil)},
	} {
		if err := w.Lay(a); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if data := content(t, path); !bytes.Equal(data[Head:len(image)], image[Head:]) {
		t.Error("something was written by what was refused")
	}
	if err := w.Lay(Addon{Program: addon, Offset: offset, Old: digestOf(was)}); err != nil {
		t.Fatal(err)
	}
	asleep(t, path)
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(image)
	copy(want[esp+offset:], addon)
	if !bytes.Equal(content(t, path)[:len(image)], want) {
		t.Error("the disk doesn't hold the image with the add-on in its place")
	}
}
