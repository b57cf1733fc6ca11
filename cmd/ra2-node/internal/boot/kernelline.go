package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// obeyKernelLine brings into force what the node's class adds to the kernel
// line, and returns what is not in force, with the reason. The first boot after
// an install has it all: it comes by kexec. A boot from the disk has the image's
// own line, which is the same for all hosts and may be signed: huge pages can
// still be had then, all else needs another start of the kernel. Where a signed
// add-on has the words, none is tried: it would hide that firmware took no add-on.
func obeyKernelLine(sys *pid1.System, disk system, c agent.NodeConfig) (lacks []string) {
	wanted := c.KernelLine
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return []string{fmt.Sprintf("%s (the kernel line can't be read: %v)", wanted, err)}
	}
	early := absent(string(text), wanted)
	switch {
	case len(early) == 0 || pid1.Container() != "" || sys.Line.Kexec:
	case c.Addon != "":
		err = errNoAddon
	default:
		sys.Say("kernel line: starting the kernel once more for %s", strings.Join(early, " "))
		err = restart(sys, disk, withClass(string(text), wanted))
		sys.Say("kernel line: %v; going on without", err)
	}
	for _, word := range early {
		lacks = append(lacks, fmt.Sprintf("%s (%v)", word, orElse(err, "the kernel that was started for it doesn't have it")))
	}
	late, short := reserve(host.Root("/"), string(text), wanted)
	for _, word := range late {
		sys.Say("kernel line: %s is in force from now on", word)
	}
	for _, word := range append(lacks, short...) {
		sys.Say("kernel line: not in force: %s", word)
	}
	return append(lacks, short...)
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

// absent returns the wanted words that line doesn't have and that only the start
// of a kernel brings into force.
func absent(line, wanted string) (words []string) {
	have := strings.Fields(line)
	for word := range strings.FieldsSeq(wanted) {
		if key, _, _ := strings.Cut(word, "="); key != "hugepages" && key != "hugepagesz" && !slices.Contains(have, word) {
			words = append(words, word)
		}
	}
	return words
}

// withClass is the line of the next kernel: the one of now, root hash and all,
// without what a boot loader added for itself, and what the class wants after it.
func withClass(line, wanted string) string {
	class := strings.Fields(wanted)
	words := slices.DeleteFunc(strings.Fields(line), func(word string) bool {
		key, _, _ := strings.Cut(word, "=")
		return key == "BOOT_IMAGE" || key == "initrd" || slices.Contains(class, word)
	})
	return strings.Join(append(append(words, "ra2.kexec=1"), class...), " ")
}

// restart starts the kernel and the initrd of the system partition with another
// line. It returns only with an error.
func restart(sys *pid1.System, disk system, line string) error {
	if disk.esp == "" {
		return errors.New("the disk has no partition ra2-esp")
	}
	const at = "/esp"
	sys.Module("vfat")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(disk.esp, at, "vfat", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount the system partition %s: %w", disk.esp, err)
	}
	err := loadFrom(at, line, sys.Line.Initrd)
	if unmounted := unix.Unmount(at, 0); err != nil || unmounted != nil {
		return errors.Join(err, unmounted)
	}
	return pid1.StartKernel()
}

// loadFrom takes kernel and initrd from the system partition, which nothing
// protects. Under Secure Boot the running kernel verifies the next one, and the
// initrd must have the digest that the signed line names.
func loadFrom(esp, line, digest string) error {
	kernel, err := os.Open(filepath.Join(esp, "ra2/kernel"))
	if err != nil {
		return err
	}
	defer kernel.Close()
	initrd, err := os.Open(filepath.Join(esp, "ra2/initrd"))
	if err != nil {
		return err
	}
	defer initrd.Close()
	if digest != "" {
		checked, err := pid1.InMemory("initrd", initrd, "sha256:"+digest)
		if err != nil {
			return err
		}
		defer checked.Close()
		initrd = checked
	}
	return pid1.LoadKernel(kernel, initrd, line)
}

// reserve asks for the huge pages that line doesn't name already. It returns
// those that are reserved now and those that aren't.
func reserve(root host.Root, line, wanted string) (late, short []string) {
	have, size := strings.Fields(line), "2M"
	for word := range strings.FieldsSeq(wanted) {
		switch key, value, _ := strings.Cut(word, "="); {
		case key == "hugepagesz":
			size = value
		case key != "hugepages" || slices.Contains(have, word):
		default:
			if err := hugepages(root, size, value); err != nil {
				short = append(short, fmt.Sprintf("%s (%v)", word, err))
				continue
			}
			late = append(late, word+" of "+size)
		}
	}
	return late, short
}

// hugepages asks for pages now, while memory is still in large pieces. The
// kernel takes any number and reserves what it finds: what it says afterwards
// counts.
func hugepages(root host.Root, size, count string) error {
	folder := map[string]string{"2M": "hugepages-2048kB", "1G": "hugepages-1048576kB"}[strings.ToUpper(size)]
	path := filepath.Join(string(root), "sys/kernel/mm/hugepages", folder, "nr_hugepages")
	if err := os.WriteFile(path, []byte(count), 0); err != nil {
		return err
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if have := strings.TrimSpace(string(got)); have != count {
		return fmt.Errorf("%s of %s huge pages of %s are reserved", have, count, size)
	}
	return nil
}
