package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/initramfs"
)

// stageDir is where the machine's world is built before it becomes "/".
const stageDir = "/run"

// kernel does what Linux does before /init: rootfs from the initramfs, /proc,
// /sys and /dev of this machine, and then becomes /init.
func (f *firmware) kernel(k payload) error {
	root := stageDir
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	if err := initramfs.Unpack(k.initramfs, root); err != nil {
		return err
	}
	if _, err := os.Stat(root + "/init"); err != nil {
		return fmt.Errorf("the initramfs has no /init: %w", err)
	}
	f.Say("Command line: " + k.line)
	if err := f.worlds(root, k.line); err != nil {
		return err
	}
	if err := pivot(root); err != nil {
		return err
	}
	if err := restrict(); err != nil {
		return err
	}
	f.stage("init")
	f.Say("Run /init as init process")
	err := unix.Exec("/init", []string{"/init"}, []string{
		"container=ra2-lab", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "HOME=/", "TERM=linux", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	})
	return fmt.Errorf("run /init: %w", err)
}

// worlds mounts /proc, /sys and /dev.
func (f *firmware) worlds(root, line string) error {
	for _, dir := range []string{"proc", "sys", "dev", "lab"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []struct {
		kind, at string
		flags    uintptr
		data     string
	}{
		{"proc", "proc", safe, ""}, {"sysfs", "sys", safe, ""}, {"tmpfs", "dev", unix.MS_NOSUID, "mode=0755"}, {"tmpfs", "lab", safe, "mode=0700"},
	} {
		if err := unix.Mount(m.kind, filepath.Join(root, m.at), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := f.cmdline(root, line); err != nil {
		return err
	}
	if err := f.devices(filepath.Join(root, "dev")); err != nil {
		return err
	}
	if err := f.sysfs(root); err != nil {
		return err
	}
	if err := f.mountCgroups(filepath.Join(root, "sys/fs/cgroup")); err != nil {
		return err
	}
	// What was bound from it stays; the place itself is not the machine's.
	if err := unix.Unmount(filepath.Join(root, "lab"), unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove(filepath.Join(root, "lab"))
}

func (f *firmware) cmdline(root, line string) error {
	file := filepath.Join(root, "lab/cmdline")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o444); err != nil {
		return err
	}
	return bind(file, filepath.Join(root, "proc/cmdline"))
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", to, err)
	}
	return nil
}

// mountCgroups mounts the machine's part of each hierarchy, at the places
// where systemd looks.
func (f *firmware) mountCgroups(at string) error {
	v1 := false
	for _, c := range f.spec.Cgroups {
		v1 = v1 || c.Mount != ""
	}
	if v1 {
		if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755"); err != nil {
			return fmt.Errorf("mount %s: %w", at, err)
		}
	}
	for _, c := range f.spec.Cgroups {
		dir := filepath.Join(at, c.Mount)
		if c.Mount != "" {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(c.Kind, dir, c.Kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, c.Options); err != nil {
			return fmt.Errorf("mount cgroup %s: %w", c.Mount, err)
		}
		if names := strings.Split(c.Mount, ","); len(names) > 1 { // "cpu,cpuacct" is also "cpu" and "cpuacct"
			for _, n := range names {
				_ = os.Symlink(c.Mount, filepath.Join(at, n))
			}
		}
	}
	return nil
}

// pivot makes root the root of the machine and drops the host's.
func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	return errors.Join(os.Chdir("/"), unix.Chroot("."))
}
