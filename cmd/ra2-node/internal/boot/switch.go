package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// switchRoot makes root the root of this process and becomes init. The mounts
// that exist go along, with all that is mounted inside of them. Environment is
// passed on: systemd in a container is told so by it.
func switchRoot(root, init string) error {
	for _, m := range []string{"/proc", "/sys", "/dev", "/run"} {
		at := filepath.Join(root, m)
		if err := unix.Mount(m, at, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s to the new root: %w", m, err)
		}
	}
	old, err := os.Open("/")
	if err != nil {
		return err
	}
	defer old.Close()
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the new root to /: %w", err)
	}
	if err := errors.Join(unix.Chroot("."), unix.Chdir("/")); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	empty(old)
	err = unix.Exec(init, []string{init}, os.Environ())
	return fmt.Errorf("start %s: %w", init, err)
}

// empty gives back the memory of the initramfs. It touches nothing but files
// on the very file system of dir, and that only when it is one in memory.
func empty(dir *os.File) {
	var fs unix.Statfs_t
	var st unix.Stat_t
	const ramfs = 0x858458f6 // linux/magic.h
	if unix.Fstatfs(int(dir.Fd()), &fs) != nil || unix.Fstat(int(dir.Fd()), &st) != nil {
		return
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == ramfs {
		clearDir(int(dir.Fd()), st.Dev)
	}
}

func clearDir(fd int, dev uint64) {
	dir := os.NewFile(uintptr(fd), ".")
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Dev != dev {
			continue
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			_ = unix.Unlinkat(fd, name, 0)
			continue
		}
		if sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
			clearDir(sub, dev)
			_ = unix.Close(sub)
			_ = unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
		}
	}
}
