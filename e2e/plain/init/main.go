// Command init is the initramfs of a machine that somebody else installed: it
// mounts the second partition of the first disk and becomes the init of the
// system there, as any distribution's initramfs does. Nothing of ra2-deploy is in it.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	device = "/dev/vda2"
	root   = "/root"
)

func main() {
	fmt.Fprintf(os.Stderr, "init: %v\n", run())
	for { // a first process that ends is a kernel panic; so the words stay readable
		time.Sleep(time.Hour)
	}
}

// run becomes the system's init. It returns only with an error.
func run() error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(device, root, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", device, err)
	}
	for _, m := range []string{"/proc", "/sys", "/dev"} {
		if err := unix.Mount(m, root+m, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", m, err)
		}
	}
	if err := unix.Mount("tmpfs", root+"/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := errors.Join(unix.Chroot("."), unix.Chdir("/")); err != nil {
		return err
	}
	return fmt.Errorf("start /sbin/init: %w", unix.Exec("/sbin/init", []string{"/sbin/init"}, os.Environ()))
}
