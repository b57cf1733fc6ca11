package initramfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Unpack writes all entries below root, as the kernel does into its rootfs: a
// later entry replaces an earlier one. Names that would leave root are refused.
func Unpack(image []byte, root string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	old := unix.Umask(0)
	defer unix.Umask(old)
	u := unpacker{root: r, links: map[uint32]string{}}
	return Walk(image, u.lay)
}

type unpacker struct {
	root  *os.Root
	links map[uint32]string // inode to the name that holds the data
}

func (u *unpacker) lay(f File) error {
	name := strings.TrimPrefix(path.Clean("/"+f.Name), "/")
	if name == "" {
		return nil
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return fmt.Errorf("initramfs: %s: %w", f.Name, err)
	}
	if err := u.one(name, f); err != nil {
		return fmt.Errorf("initramfs: %s: %w", f.Name, err)
	}
	return nil
}

func (u *unpacker) one(name string, f File) error {
	perm := fs.FileMode(f.Mode & 0o777)
	switch f.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := u.root.Mkdir(name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return u.root.Chmod(name, perm|special(f.Mode))
	case unix.S_IFLNK:
		_ = u.root.Remove(name)
		return u.root.Symlink(string(f.Data), name)
	case unix.S_IFREG:
		return u.file(name, f, perm)
	case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO:
		return u.node(name, f)
	}
	return nil // sockets have no meaning here
}

// file writes a regular file; hard links have their data at one of the names.
func (u *unpacker) file(name string, f File, perm fs.FileMode) error {
	_ = u.root.Remove(name)
	if first, ok := u.links[f.Inode]; ok && f.Links > 1 {
		if err := u.root.Link(first, name); err != nil || len(f.Data) == 0 {
			return err
		}
		return u.root.WriteFile(name, f.Data, perm)
	}
	if f.Links > 1 {
		u.links[f.Inode] = name
	}
	if err := u.root.WriteFile(name, f.Data, perm); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := u.root.Chown(name, f.UID, f.GID); err != nil {
			return err
		}
	}
	return u.root.Chmod(name, perm|special(f.Mode))
}

// node makes a device node or a pipe below the directory it belongs to.
func (u *unpacker) node(name string, f File) error {
	_ = u.root.Remove(name)
	dir, err := u.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	err = unix.Mknodat(int(dir.Fd()), path.Base(name), f.Mode, int(unix.Mkdev(f.Major, f.Minor)))
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		return nil // only root can; a test without root goes on
	}
	return err
}

func special(mode uint32) fs.FileMode {
	var m fs.FileMode
	if mode&unix.S_ISUID != 0 {
		m |= fs.ModeSetuid
	}
	if mode&unix.S_ISGID != 0 {
		m |= fs.ModeSetgid
	}
	if mode&unix.S_ISVTX != 0 {
		m |= fs.ModeSticky
	}
	return m
}
