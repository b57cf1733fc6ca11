package disk

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// Programs gives the external programs that this package runs and the Debian
// packages that hold them.
func Programs() map[string]string {
	return map[string]string{
		"mkfs.vfat": "dosfstools", "mcopy": "mtools", "mmd": "mtools",
		"mkfs.erofs": "erofs-utils", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "syslinux": "syslinux",
	}
}

// Epoch is the time stamp of everything in the image, so that the same content
// gives the same bytes: 2026-01-01T00:00:00Z, in seconds
// since 1970. FAT can't say 1970.
const Epoch = "1767225600"

// ESP makes a FAT32 file system in the file out that holds files (path in the
// file system to file on the host) and boots from BIOS with syslinux as well.
// It will lie at the first partition's place.
func ESP(ctx context.Context, out, seed string, files map[string]string) error {
	size := int64(64 << 20) // below 65525 clusters it would not be FAT32
	content, err := sizeOf(files)
	if err != nil {
		return fmt.Errorf("make system partition: %w", err)
	}
	size = max(size, int64(roundUp(uint64(content+content/8+8<<20), align*Sector)))
	if err := allocate(out, size); err != nil {
		return fmt.Errorf("make system partition: %w", err)
	}
	id := NewGUID(seed, "fat")
	// -h: the sectors before the partition, which a BIOS boot sector counts from.
	steps := [][]string{
		{"mkfs.vfat", "-F", "32", "-s", "1", "--invariant", "-i", fmt.Sprintf("%x", id[:4]), "-n", "RA2-ESP", "-h", fmt.Sprint(align), out},
	}
	for _, dir := range parents(files) {
		steps = append(steps, []string{"mmd", "-i", out, "::" + dir})
	}
	for _, name := range sorted(files) {
		steps = append(steps, []string{"mcopy", "-i", out, files[name], "::" + name})
	}
	steps = append(steps, []string{"syslinux", "--install", out})
	for _, args := range steps {
		if _, err := command.Run(ctx, command.Command{Args: args, Env: []string{"MTOOLS_SKIP_CHECK=1", "SOURCE_DATE_EPOCH=" + Epoch}}); err != nil {
			return fmt.Errorf("make system partition: %w", err)
		}
	}
	return nil
}

// Erofs packs the tree at dir into a read-only file system in the file out.
// lz4: of a Debian tree 153 MB instead of 267 MB are written to each disk and
// read back, at the price of a download 15 MB larger (101 against 86, zstd -3).
func Erofs(ctx context.Context, out, seed, dir string) error {
	_, err := command.Run(ctx, command.Command{Args: []string{"mkfs.erofs", "--quiet", "-zlz4", "-T" + Epoch, "-U", NewGUID(seed, "erofs").String(), out, dir}})
	if err != nil {
		return fmt.Errorf("make root file system: %w", err)
	}
	return nil
}

// slack is the free space of a new data partition, in bytes: enough to mount
// and to start on, since the first boot grows it to the disk's end. Every byte
// is hashed twice by the installer.
const slack = 48 << 20

// Ext4 makes an ext4 file system in the file out that holds the tree at dir.
// Features that the kernels and tools of older hosts lack are left out, since
// the lab mounts it on the host.
func Ext4(ctx context.Context, out, seed, label, dir string) error {
	used, err := treeBytes(dir)
	if err != nil {
		return fmt.Errorf("make data file system: %w", err)
	}
	if err := allocate(out, int64(roundUp(uint64(used+used/16+slack), align*Sector))); err != nil {
		return fmt.Errorf("make data file system: %w", err)
	}
	id := NewGUID(seed, "ext4").String()
	_, err = command.Run(ctx, command.Command{
		Env: []string{"SOURCE_DATE_EPOCH=" + Epoch, "E2FSPROGS_FAKE_TIME=" + Epoch},
		Args: []string{"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-I", "256", "-J", "size=16",
			"-O", "64bit,metadata_csum,^orphan_file,^metadata_csum_seed", "-L", label, "-U", id,
			"-E", "hash_seed=" + id + ",root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard", "-d", dir, out},
	})
	if err == nil {
		err = sameTimes(ctx, out, dir)
	}
	if err != nil {
		return fmt.Errorf("make data file system: %w", err)
	}
	return nil
}

// sameTimes gives everything in an ext4 file system that was made of the tree
// at dir the time of the image. mke2fs before 1.47.1 takes the times of the
// files of the tree, and nobody can set the change time of those.
func sameTimes(ctx context.Context, image, dir string) error {
	script := image + ".debugfs"
	defer os.Remove(script)
	var text strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside := "/" + strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
		if strings.ContainsAny(inside, "\"\n") {
			return fmt.Errorf("%q has a name that debugfs can't read", inside)
		}
		for _, field := range []string{"atime", "ctime", "mtime"} {
			fmt.Fprintf(&text, "set_inode_field \"%s\" %s @%s\n", inside, field, Epoch)
		}
		return nil
	})
	if err == nil {
		err = os.WriteFile(script, []byte(text.String()), 0o600)
	}
	if err != nil {
		return err
	}
	_, err = command.Run(ctx, command.Command{Args: []string{"debugfs", "-w", "-f", script, image}, Env: []string{"E2FSPROGS_FAKE_TIME=" + Epoch}})
	return err
}

func allocate(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func sizeOf(files map[string]string) (int64, error) {
	var sum int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// treeBytes counts what a tree takes in 4 KiB blocks, with a block and an
// inode for every file.
func treeBytes(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		sum += 4096 + 256
		if d.Type().IsRegular() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			sum += int64(roundUp(uint64(info.Size()), 4096))
		}
		return nil
	})
	return sum, err
}

// parents gives the folders that files lie in, parents first.
func parents(files map[string]string) []string {
	dirs := map[string]string{}
	for name := range files {
		for dir := path.Dir(name); dir != "/" && dir != "."; dir = path.Dir(dir) {
			dirs[strings.TrimSuffix(dir, "/")] = ""
		}
	}
	return sorted(dirs)
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
