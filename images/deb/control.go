package deb

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A .deb is an ar archive of debian-binary, control.tar and data.tar (deb(5)).
const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // bytes: name 16, date 12, owner 6, group 6, mode 8, size 10, end 2
)

// mostControl is how long a control file may be: those of kernels have some KiB.
const mostControl = 1 << 20

// Control is the control file of a package: its fields in the order written.
type Control struct {
	Text string // ends with one line feed
}

// ReadControl reads the control file of a .deb.
func ReadControl(file string) (Control, error) {
	f, err := os.Open(file)
	if err != nil {
		return Control{}, err
	}
	defer f.Close()
	text, err := readControl(bufio.NewReader(f))
	if err != nil {
		return Control{}, fmt.Errorf("%s is no Debian package: %w", file, err)
	}
	return Control{text}, nil
}

func readControl(r io.Reader) (string, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != arMagic {
		return "", fmt.Errorf("it begins with %q", magic)
	}
	for {
		head := make([]byte, arHeader)
		if _, err := io.ReadFull(r, head); err != nil {
			return "", fmt.Errorf("look for its control.tar: %w", err)
		}
		name := strings.TrimRight(string(head[:16]), " /")
		size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
		if err != nil || size < 0 {
			return "", fmt.Errorf("its part %q has size %q", name, head[48:58])
		}
		if strings.HasPrefix(name, "control.tar") {
			return controlIn(name, io.LimitReader(r, size))
		}
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil { // parts begin at even places
			return "", fmt.Errorf("its part %s: %w", name, err)
		}
	}
}

// controlIn reads the file control of a control.tar.
func controlIn(name string, r io.Reader) (string, error) {
	plain, err := unpacked(name, r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	all := tar.NewReader(plain)
	for {
		head, err := all.Next()
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("%s has no file control", name)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if path.Clean(head.Name) != "control" {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(all, mostControl+1))
		if err == nil && len(text) > mostControl {
			err = fmt.Errorf("its control is larger than %d bytes", mostControl)
		}
		return strings.TrimRight(string(text), "\n") + "\n", err
	}
}

// unpacked undoes what a part's name says that it is packed with.
func unpacked(name string, r io.Reader) (io.Reader, error) {
	switch path.Ext(name) {
	case ".tar":
		return r, nil
	case ".gz":
		return gzip.NewReader(r)
	case ".xz":
		return xz.NewReader(r)
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, errors.New("this compression is not known")
}

// Field gives a field's value, continued lines and all; "" when it isn't there.
func (c Control) Field(name string) string {
	var value strings.Builder
	inside := false
	for line := range strings.Lines(c.Text) {
		if line[0] == ' ' || line[0] == '\t' {
			if inside {
				value.WriteString(line)
			}
			continue
		}
		key, rest, _ := strings.Cut(line, ":")
		if inside = strings.EqualFold(key, name); inside {
			value.Reset()
			value.WriteString(rest)
		}
	}
	return strings.TrimSpace(value.String())
}

// Depends gives the names of packages that this one needs to be installed
// (Depends and Pre-Depends), the first of each choice, without versions.
func (c Control) Depends() []string {
	var names []string
	for _, field := range []string{"Pre-Depends", "Depends"} {
		for choice := range strings.SplitSeq(c.Field(field), ",") {
			first, _, _ := strings.Cut(choice, "|")
			first = strings.TrimSpace(first)
			if end := strings.IndexAny(first, " (:["); end >= 0 {
				first = first[:end]
			}
			if first != "" {
				names = append(names, first)
			}
		}
	}
	return names
}
