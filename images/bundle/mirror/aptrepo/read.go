package aptrepo

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxControl is how long a control file may be; Debian's longest has 30 kB.
const maxControl = 1 << 20

// Read reads the control file of a Debian package (deb(5)): an ar archive with
// debian-binary, control.tar and data.tar. What comes after the control file is
// not read.
func Read(r io.Reader) (Package, error) {
	name, control, err := member(r, "control.tar")
	if err != nil {
		return Package{}, fmt.Errorf("not a Debian package: %w", err)
	}
	unpacked, closeIt, err := unpack(name, control)
	if err != nil {
		return Package{}, err
	}
	defer closeIt()
	text, err := controlFile(unpacked)
	if err != nil {
		return Package{}, fmt.Errorf("read %s: %w", name, err)
	}
	return parse(text)
}

// Header of an ar member: name 16, time 12, owner 6, group 6, mode 8, size 10,
// magic 2 (ar(5)).
const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

// member returns the content of the first member whose name begins with prefix.
func member(r io.Reader, prefix string) (string, io.Reader, error) {
	head := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != arMagic {
		return "", nil, errors.New("it doesn't begin as an ar archive")
	}
	for {
		head = make([]byte, arHeader)
		if _, err := io.ReadFull(r, head); err != nil {
			return "", nil, fmt.Errorf("it has no %s: %w", prefix, err)
		}
		name := strings.TrimRight(strings.TrimSpace(string(head[:16])), "/")
		size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
		if err != nil || size < 0 || string(head[58:]) != "`\n" {
			return "", nil, fmt.Errorf("the header of its member %q is broken", name)
		}
		if strings.HasPrefix(name, prefix) {
			return name, io.LimitReader(r, size), nil
		}
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return "", nil, fmt.Errorf("it ends in its member %q: %w", name, err)
		}
	}
}

// unpack takes the compression away that a member's name tells of. The function
// gives back what that needs.
func unpack(name string, r io.Reader) (io.Reader, func(), error) {
	switch path.Ext(name) {
	case ".tar":
		return r, func() {}, nil
	case ".gz":
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case ".xz":
		z, err := xz.NewReader(r)
		return z, func() {}, err
	case ".zst": // Ubuntu
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return nil, nil, fmt.Errorf("%s is packed in a way that isn't known here", name)
}

// controlFile returns the file "control" of a control.tar.
func controlFile(r io.Reader) ([]byte, error) {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil, errors.New("it has no file named control")
		}
		if err != nil {
			return nil, err
		}
		if path.Clean(h.Name) == "control" && h.Typeflag == tar.TypeReg {
			text, err := io.ReadAll(io.LimitReader(t, maxControl+1))
			if err == nil && len(text) > maxControl {
				err = fmt.Errorf("its control file is longer than %d bytes", maxControl)
			}
			return text, err
		}
	}
}

// parse reads the fields that name a package (Debian Policy 5.3). The text is one
// paragraph; whatever else is in it goes into the list as it is.
func parse(text []byte) (Package, error) {
	text = bytes.TrimSpace(text)
	if bytes.Contains(text, []byte("\n\n")) {
		return Package{}, errors.New("its control file has two paragraphs")
	}
	p := Package{Control: string(text)}
	for line := range strings.Lines(p.Control) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			continue
		}
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "package":
			p.Name = value
		case "version":
			p.Version = value
		case "architecture":
			p.Arch = value
		case "filename", "size", "sha256":
			return p, fmt.Errorf("its control file has the field %s, which belongs to a repository", name)
		}
	}
	if p.Name == "" || p.Version == "" || p.Arch == "" {
		return p, errors.New("its control file lacks Package, Version or Architecture")
	}
	return p, nil
}
