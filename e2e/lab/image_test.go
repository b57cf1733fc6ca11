package lab_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/disk"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// makeImage writes dir/disk.img: GPT, an EFI system partition with a loader
// entry, kernel and initrd, and a second partition.
func makeImage(dir, line string) error {
	const sectors = 96 << 11
	d, err := diskfs.Create(filepath.Join(dir, "disk.img"), sectors*512, diskfs.SectorSizeDefault)
	if err != nil {
		return err
	}
	defer d.Close()
	table := &gpt.Table{LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true, Partitions: []*gpt.Partition{
		{Index: 1, Start: 2048, End: 2048 + 64<<11 - 1, Type: gpt.EFISystemPartition, Name: "ra2-esp"},
		{Index: 2, Start: 2048 + 64<<11, End: 4095 + 64<<11, Type: gpt.LinuxFilesystem, Name: "ra2-config"},
	}}
	if err := d.Partition(table); err != nil {
		return err
	}
	fs, err := d.CreateFilesystem(disk.FilesystemSpec{Partition: 1, FSType: filesystem.TypeFat32, VolumeLabel: "RA2"})
	if err != nil {
		return err
	}
	for _, folder := range []string{"/loader/entries", "/ra2"} {
		if err := fs.Mkdir(folder); err != nil {
			return err
		}
	}
	kernel, err := os.ReadFile(filepath.Join(dir, "kernel"))
	if err != nil {
		return err
	}
	initrd, err := os.ReadFile(filepath.Join(dir, "small"))
	if err != nil {
		return err
	}
	entry := fmt.Sprintf("title RA2\nlinux /ra2/kernel\ninitrd /ra2/initrd\noptions %s\n", line)
	for name, b := range map[string][]byte{"/loader/entries/ra2.conf": []byte(entry), "/ra2/kernel": kernel, "/ra2/initrd": initrd} {
		f, err := fs.OpenFile(name, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return err
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
