package images

import (
	"os"
	"path/filepath"
)

// KernelLine gives what starts the installed system whose root has this hash
// (dm-verity, hex). It is the only place where the line is composed; it comes to
// a kernel in three ways, which all take it from Manifest.KernelLine:
//
//   - from the disk: the entries of systemd-boot and syslinux, or, with Secure
//     Boot, the .cmdline section of the signed kernel image (UKI). It is the same
//     for all hosts, so the signature covers the root hash and with it each byte
//     of the root; a host can't be given another root without another signature.
//   - by kexec after an install: the line, and after it what the host's class adds
//     (inventory.Class.KernelLine: huge pages, IOMMU, CPUs).
//   - later starts from the disk: what the class adds is not on the image's line.
//     With Secure Boot it comes by a signed add-on, see Addon. Else ra2-node brings
//     into force what a running kernel still takes (huge pages) and starts the
//     same kernel again by kexec for the rest.
//
// What a class adds never begins with "ra2.", and the root hash of the signed line
// must be the one in force: ra2-node refuses a line with two.
//
// A kernel that panics before sysctl.d is read starts again by panic=10. The last console is the one that /init and systemd write to: the serial line,
// which is captured. No secret is ever on it.
func KernelLine(rootHash string) string {
	return "ra2.mode=boot ra2.root=PARTLABEL=ra2-root ra2.verity=" + rootHash + " panic=10 console=tty0 console=ttyS0,115200"
}

// loaderFilesOf writes the configuration of the boot loaders into dir and gives
// their places on the system partition.
func loaderFilesOf(line, dir string) (map[string]string, error) {
	files := map[string]string{}
	for name, text := range map[string]string{
		"/loader/loader.conf":      "default ra2.conf\ntimeout 0\neditor no\n",
		"/loader/entries/ra2.conf": "title ra2\nlinux /ra2/kernel\ninitrd /ra2/initrd\noptions " + line + "\n",
		"/syslinux.cfg":            "SERIAL 0 115200\nPROMPT 0\nTIMEOUT 1\nDEFAULT ra2\nLABEL ra2\n  LINUX /ra2/kernel\n  INITRD /ra2/initrd\n  APPEND " + line + "\n",
	} {
		files[name] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(files[name], []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return files, nil
}
