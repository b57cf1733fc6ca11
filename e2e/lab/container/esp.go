package container

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// espName is the GPT name of the partition that holds the loader.
const espName = "ra2-esp"

// disk boots as systemd-boot does: the first partition with a loader entry
// (Boot Loader Specification, type 1).
func (f *firmware) disk(context.Context) (payload, error) {
	f.stage("disk")
	for _, d := range f.spec.Disks {
		for _, p := range d.Partitions {
			if p.Name != espName {
				continue
			}
			k, err := fromESP(d.Node, p)
			if err == nil {
				f.Say(fmt.Sprintf("boot from %s%d (%s): %d bytes of initramfs", d.Name, p.Number, p.Name, len(k.initramfs)))
			}
			return k, err
		}
	}
	return payload{}, errNoLoader
}

func fromESP(disk string, p Partition) (payload, error) {
	dev, err := os.Open(disk)
	if err != nil {
		return payload{}, err
	}
	defer dev.Close()
	fs, err := fat32.Read(file.New(dev, true), p.Sectors*512, p.Start*512, 512)
	if err != nil {
		return payload{}, fmt.Errorf("read the file system of %s: %w", p.Name, err)
	}
	read := func(name string) ([]byte, error) {
		f, err := fs.OpenFile(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), os.O_RDONLY)
		if err != nil {
			return nil, fmt.Errorf("%s on %s: %w", name, p.Name, err)
		}
		defer f.Close()
		return io.ReadAll(f)
	}
	text, err := read("/loader/entries/ra2.conf")
	if err != nil {
		return payload{}, err
	}
	e := ParseEntry(string(text))
	if e.Linux == "" || len(e.Initrds) == 0 {
		return payload{}, fmt.Errorf("/loader/entries/ra2.conf on %s names no linux or no initrd", p.Name)
	}
	if kernel, err := read(e.Linux); err != nil {
		return payload{}, err
	} else if !isKernel(kernel) {
		return payload{}, fmt.Errorf("%s on %s is not a Linux kernel", e.Linux, p.Name)
	}
	k := payload{line: e.Options}
	for _, name := range e.Initrds {
		b, err := read(name)
		if err != nil {
			return payload{}, err
		}
		k.initramfs = append(pad(k.initramfs), b...)
	}
	return k, nil
}

// isKernel looks for what boot loaders look for: the x86 setup header
// (Documentation/arch/x86/boot.rst, offset 0x202) or a PE image.
func isKernel(b []byte) bool {
	return len(b) > 0x210 && (string(b[0x202:0x206]) == "HdrS" || string(b[:2]) == "MZ")
}

// pad fills up to four bytes, where the kernel expects the next archive.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// Entry is one entry of the boot loader (Boot Loader Specification, type 1).
type Entry struct {
	Linux   string
	Initrds []string
	Options string
}

// ParseEntry reads an entry; keys that it doesn't know are skipped, as the
// specification wants.
func ParseEntry(text string) Entry {
	var e Entry
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.TrimSpace(value)
		switch key {
		case "linux":
			e.Linux = value
		case "initrd":
			e.Initrds = append(e.Initrds, value)
		case "options":
			e.Options = joinLine(e.Options, value)
		}
	}
	return e
}
