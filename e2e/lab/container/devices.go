package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// devices fills /dev with what devtmpfs would hold for this machine.
func (f *firmware) devices(dev string) error {
	old := unix.Umask(0)
	defer unix.Umask(old)
	for _, n := range []struct {
		name         string
		mode         uint32
		major, minor uint32
	}{
		{"null", 0o666, 1, 3}, {"zero", 0o666, 1, 5}, {"full", 0o666, 1, 7}, {"random", 0o666, 1, 8}, {"urandom", 0o666, 1, 9},
		{"tty", 0o666, 5, 0}, {"kmsg", 0o644, 1, 11}, {"fuse", 0o666, 10, 229},
	} {
		if err := unix.Mknod(filepath.Join(dev, n.name), unix.S_IFCHR|n.mode, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return fmt.Errorf("make /dev/%s: %w", n.name, err)
		}
	}
	for _, d := range f.spec.Disks {
		if err := block(dev, d.Name, d.Device); err != nil {
			return err
		}
		for _, p := range d.Partitions {
			if err := block(dev, d.Name+strconv.Itoa(p.Number), p.Device); err != nil {
				return err
			}
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return f.terminals(dev)
}

func block(dev, name string, number uint64) error {
	if err := unix.Mknod(filepath.Join(dev, name), unix.S_IFBLK|0o660, int(number)); err != nil {
		return fmt.Errorf("make /dev/%s: %w", name, err)
	}
	return nil
}

func (f *firmware) terminals(dev string) error {
	for _, dir := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dev, dir), 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", dev+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,mode=0620,gid=5,ptmxmode=0666"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	if err := unix.Mount("tmpfs", dev+"/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("mount /dev/shm: %w", err)
	}
	for _, name := range []string{"console", "ttyS0"} {
		at := filepath.Join(dev, name)
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			return err
		}
		if err := bind(f.spec.Console, at); err != nil {
			return err
		}
	}
	return nil
}

// sysfs hides the host's disks and SMBIOS behind the machine's own.
func (f *firmware) sysfs(root string) error {
	sys, own := filepath.Join(root, "sys"), filepath.Join(root, "lab")
	if err := f.layBlock(filepath.Join(own, "block")); err != nil {
		return err
	}
	if err := bind(filepath.Join(own, "block"), filepath.Join(sys, "block")); err != nil {
		return err
	}
	if err := f.layDMI(filepath.Join(own, "dmi")); err != nil {
		return err
	}
	if err := f.classes(sys, own); err != nil {
		return err
	}
	// The kernel below is the host's: what a machine writes here would change it.
	if err := unix.Mount("", sys, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("make /sys read-only: %w", err)
	}
	return nil
}

// classes puts the machine's SMBIOS to /sys/class/dmi/id. Where the host has
// none, sysfs can't be given one: then /sys/class is laid anew from the host's
// own classes.
func (f *firmware) classes(sys, own string) error {
	if _, err := os.Stat(filepath.Join(sys, "class/dmi/id")); err == nil {
		return bind(filepath.Join(own, "dmi"), filepath.Join(sys, "class/dmi/id"))
	}
	entries, err := os.ReadDir(filepath.Join(sys, "class"))
	if err != nil {
		return err
	}
	class := filepath.Join(own, "class")
	for _, e := range entries {
		at := filepath.Join(class, e.Name())
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if e.Name() == "block" {
			continue // the host's disks
		}
		if err := bind(filepath.Join(sys, "class", e.Name()), at); err != nil {
			return err
		}
	}
	id := filepath.Join(class, "dmi/id")
	if err := os.MkdirAll(id, 0o755); err != nil {
		return err
	}
	if err := bind(filepath.Join(own, "dmi"), id); err != nil {
		return err
	}
	if err := unix.Mount(class, filepath.Join(sys, "class"), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("lay /sys/class: %w", err)
	}
	return nil
}

func (f *firmware) layDMI(dir string) error {
	return lay(dir, map[string]string{
		"sys_vendor": "RA2 Lab", "product_name": "Container", "product_serial": f.spec.Serial, "product_uuid": f.spec.UUID,
		"chassis_vendor": "RA2 Lab", "chassis_serial": f.spec.Serial, "chassis_type": "23", "board_vendor": "RA2 Lab",
		"bios_vendor": "RA2 Lab", "bios_version": "1.0.0", "bios_date": "01/01/2026",
	})
}

// layBlock writes /sys/block as the kernel shows virtio disks.
func (f *firmware) layBlock(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range f.spec.Disks {
		at := filepath.Join(dir, d.Name)
		err := lay(at, map[string]string{
			"dev": devText(d.Device), "size": strconv.FormatInt(d.Sectors, 10), "ro": "0", "removable": "0", "serial": d.Serial,
			"uevent":       uevent(d.Device, d.Name, "disk"),
			"device/model": "RA2 Lab SSD", "device/vendor": "0x1af4", "queue/rotational": "0", "queue/logical_block_size": "512", "queue/physical_block_size": "512",
		})
		if err != nil {
			return err
		}
		for _, p := range d.Partitions {
			name := d.Name + strconv.Itoa(p.Number)
			extra := "PARTN=" + strconv.Itoa(p.Number) + "\n"
			if p.Name != "" {
				extra += "PARTNAME=" + p.Name + "\n"
			}
			err := lay(filepath.Join(at, name), map[string]string{
				"dev": devText(p.Device), "size": strconv.FormatInt(p.Sectors, 10), "start": strconv.FormatInt(p.Start, 10), "ro": "0",
				"partition": strconv.Itoa(p.Number), "uevent": uevent(p.Device, name, "partition") + extra,
			})
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Join(at, name, "holders"), 0o755); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Join(at, "holders"), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// lay writes small files below dir, a line each.
func lay(dir string, files map[string]string) error {
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, []byte(strings.TrimSuffix(text, "\n")+"\n"), 0o444); err != nil {
			return err
		}
	}
	return nil
}

func devText(dev uint64) string { return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)) }

func uevent(dev uint64, name, kind string) string {
	return fmt.Sprintf("MAJOR=%d\nMINOR=%d\nDEVNAME=%s\nDEVTYPE=%s\n", unix.Major(dev), unix.Minor(dev), name, kind)
}
