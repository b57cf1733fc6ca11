package host

import (
	"fmt"
	"strings"
)

// NoDiskError says that not exactly one disk is the wanted one. Nothing else
// may be written to in its place: a person decides.
type NoDiskError struct {
	Want string // "serial:..." or "wwn:..."
	Same int    // how many disks match
	Have []Disk
}

// Error implements error.
func (e *NoDiskError) Error() string {
	var text strings.Builder
	if e.Same == 0 {
		fmt.Fprintf(&text, "no disk has %s; this host has", e.Want)
	} else {
		fmt.Fprintf(&text, "%d disks have %s, and it must name one; this host has", e.Same, e.Want)
	}
	if len(e.Have) == 0 {
		text.WriteString(" no disks at all")
	}
	for i, d := range e.Have {
		if i > 0 {
			text.WriteString(",")
		}
		text.WriteString(" " + d.String())
	}
	return text.String()
}

// HeldDiskError says that something stands on the disk: a volume group, RAID.
type HeldDiskError struct{ Disk Disk }

// Error implements error.
func (e *HeldDiskError) Error() string {
	return fmt.Sprintf("disk %s is in use by %s", e.Disk, strings.Join(e.Disk.Holders, ", "))
}

// FindDisk returns the one disk with this serial number or WWN ("serial:<s>",
// "wwn:<w>").
func FindDisk(disks []Disk, want string) (Disk, error) {
	kind, value, _ := strings.Cut(want, ":")
	value = strings.TrimSpace(value)
	if value == "" || (kind != "serial" && kind != "wwn") {
		return Disk{}, fmt.Errorf("disk %q is neither serial:<serial number> nor wwn:<world wide name>", want)
	}
	var found []Disk
	for _, d := range disks {
		if kind == "serial" && strings.EqualFold(d.Serial, value) || kind == "wwn" && sameWWN(d.WWN, value) {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return Disk{}, &NoDiskError{Want: want, Same: len(found), Have: disks}
	}
	if len(found[0].Holders) > 0 {
		return Disk{}, &HeldDiskError{found[0]}
	}
	return found[0], nil
}

// sameWWN compares names as firmware, sysfs and people write them:
// "0x5000C500A1B2C3D4", "naa.5000c500a1b2c3d4", "5000c500a1b2c3d4".
func sameWWN(a, b string) bool {
	plain := func(s string) string {
		s = strings.ToLower(s)
		for _, prefix := range []string{"0x", "naa.", "eui."} {
			s = strings.TrimPrefix(s, prefix)
		}
		return strings.NewReplacer(":", "", "-", "", " ", "").Replace(s)
	}
	return plain(a) != "" && plain(a) == plain(b)
}
