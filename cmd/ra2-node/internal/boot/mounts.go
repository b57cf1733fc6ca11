package boot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// layered are folders of the image that programs write to: what they write is
// in memory and gone at the next boot.
func layered() []string {
	return []string{"etc", "var", "opt", "root", "home", "srv", "mnt", "media", "usr/local"}
}

// bind is a folder that lives on the data partition.
type bind struct {
	data, at string
	mode     os.FileMode
}

// kept are the folders that must outlive a reboot.
func kept() []bind {
	return []bind{
		{"etc-kubernetes", "etc/kubernetes", 0o755},
		{"var-lib-etcd", "var/lib/etcd", 0o700},
		{"var-lib-kubelet", "var/lib/kubelet", 0o750},
		{"var-lib-containerd", "var/lib/containerd", 0o711},
		{"var-log", "var/log", 0o755},
	}
}

// mountAll mounts the root, what lies over it and the data partition.
func mountAll(sys *pid1.System, s system) (facts.Root, error) {
	root, err := mountRoot(sys, s)
	if err != nil {
		return root, err
	}
	if err := layers(newRoot, layersDir); err != nil {
		return root, whole(err)
	}
	if err := growData(sys.Reaper, newRoot, s.data); err != nil {
		sys.Say("grow the data partition: %v; going on with its old size", err)
	}
	data := filepath.Join(newRoot, DataDir)
	if err := unix.Mount(s.data, data, "ext4", unix.MS_NODEV|unix.MS_NOATIME, ""); err != nil {
		return root, fmt.Errorf("mount the data partition %s (ext4): %w", s.data, err)
	}
	return root, whole(binds(newRoot, data))
}

// layers puts a layer in memory over each folder that is written to.
func layers(root, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700"); err != nil {
		return fmt.Errorf("mount memory for the layers: %w", err)
	}
	for i, name := range layered() {
		at := filepath.Join(root, name)
		info, err := os.Stat(at)
		if err != nil {
			continue // this image has no such folder
		}
		up, work := filepath.Join(dir, fmt.Sprint(i), "up"), filepath.Join(dir, fmt.Sprint(i), "work")
		for _, d := range []string{up, work} {
			if err := os.MkdirAll(d, info.Mode().Perm()); err != nil {
				return err
			}
		}
		if err := os.Chmod(up, info.Mode()); err != nil { // the layer's mode is the folder's
			return err
		}
		options := "lowerdir=" + at + ",upperdir=" + up + ",workdir=" + work
		if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount the layer over /%s: %w", name, err)
		}
	}
	return unix.Mount("tmpfs", filepath.Join(root, "tmp"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
}

// binds puts the kept folders where programs look for them.
func binds(root, data string) error {
	for _, b := range kept() {
		from, at := filepath.Join(data, b.data), filepath.Join(root, b.at)
		for _, d := range []string{from, at} {
			if err := os.MkdirAll(d, b.mode); err != nil {
				return fmt.Errorf("make %s: %w", d, err)
			}
		}
		if err := os.Chmod(from, b.mode); err != nil {
			return err
		}
		if err := unix.Mount(from, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /%s to the data partition: %w", b.at, err)
		}
	}
	return nil
}

// growData grows the file system to its partition, which the install made
// larger. The image's own resize2fs does it while nothing is mounted: that
// needs no right that a container machine lacks, and takes a second. On a
// later boot it finds nothing to do.
func growData(reaper *pid1.Reaper, root, device string) error {
	full, err := fills(device)
	if err != nil || full {
		return err
	}
	dev := filepath.Join(root, "dev")
	if err := unix.Mount("/dev", dev, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("show devices to resize2fs: %w", err)
	}
	defer func() { _ = unix.Unmount(dev, unix.MNT_DETACH) }()
	for _, command := range [][]string{
		{"/usr/sbin/e2fsck", "-p", "-f", device}, // resize2fs asks for it; status 1 is "mended"
		{"/usr/sbin/resize2fs", device},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir, cmd.SysProcAttr = "/", &unix.SysProcAttr{Chroot: root}
		out, err := reaper.Output(cmd)
		if err != nil && (cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 || command[0] != "/usr/sbin/e2fsck") {
			return fmt.Errorf("%v: %w: %s", command, err, out)
		}
	}
	return nil
}
