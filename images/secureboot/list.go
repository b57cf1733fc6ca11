package secureboot

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of entries of a signature list (UEFI 2.10, 32.4.1), and the owner that
// our entries name.
const (
	guidX509   = "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72" // a5c059a1-94e4-4aa7-87b5-ab155c2bf072
	guidSHA256 = "\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28" // c1c41626-504c-4092-aca9-41f936934328
	guidOwner  = "\x04\xd6\x5f\x2b\x3d\x5e\x4b\x47\x9e\x1b\x72\x61\x32\x64\x65\x70" // 2b5fd604-5e3d-474b-9e1b-726132646570
)

// listHeader are the bytes of EFI_SIGNATURE_LIST before its entries.
const listHeader = 28

// List gives certificates as a value of PK, KEK or db: one EFI_SIGNATURE_LIST
// for each, since all entries of a list have one size (UEFI 2.10, 32.4.1).
func List(certificates ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certificates {
		entry := len(guidOwner) + len(c.Raw)
		out = append(out, guidX509...)
		out = binary.LittleEndian.AppendUint32(out, uint32(listHeader+entry))
		out = binary.LittleEndian.AppendUint32(out, 0)
		out = binary.LittleEndian.AppendUint32(out, uint32(entry))
		out = append(out, guidOwner...)
		out = append(out, c.Raw...)
	}
	return out
}

// Listed is what a variable like db holds.
type Listed struct {
	Certificates []*x509.Certificate
	Hashes       [][32]byte // SHA-256 of programs
	Others       int        // entries of kinds that we don't read, and certificates that can't be read
}

// ReadList reads the value of PK, KEK, db or dbx.
func ReadList(value []byte) (Listed, error) {
	var l Listed
	for len(value) > 0 {
		if len(value) < listHeader {
			return l, errors.New("read the signature list: it ends inside its header")
		}
		kind := string(value[:16])
		total, header, entry := binary.LittleEndian.Uint32(value[16:]), binary.LittleEndian.Uint32(value[20:]), binary.LittleEndian.Uint32(value[24:])
		begin := uint64(listHeader) + uint64(header)
		if uint64(total) > uint64(len(value)) || begin > uint64(total) || entry < 16 || (uint64(total)-begin)%uint64(entry) != 0 {
			return l, fmt.Errorf("read the signature list: its sizes %d, %d and %d don't fit", total, header, entry)
		}
		for entries := value[begin:total]; len(entries) > 0; entries = entries[entry:] {
			l.add(kind, entries[16:entry])
		}
		value = value[total:]
	}
	return l, nil
}

func (l *Listed) add(kind string, data []byte) {
	switch {
	case kind == guidX509:
		if c, err := x509.ParseCertificate(data); err == nil {
			l.Certificates = append(l.Certificates, c)
			return
		}
		l.Others++
	case kind == guidSHA256 && len(data) == 32:
		l.Hashes = append(l.Hashes, [32]byte(data))
	default:
		l.Others++
	}
}
