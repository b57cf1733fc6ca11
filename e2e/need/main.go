// Command need installs what a task needs by the distribution's package
// manager. It says what and why first, and does nothing when all is there.
//
//	go run ./e2e/need test|demo|check
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A tool is a program or file that a task needs.
type tool struct {
	look string // a program, or a file when it begins with "/"
	deb  string // Debian package that has it
	why  string
}

// tools returns what a task needs.
func tools(task string) []tool {
	image := []tool{
		{"mmdebstrap", "mmdebstrap", "makes the root of the image from Debian packages"},
		{"mkfs.erofs", "erofs-utils", "makes the read-only root"},
		{"mkfs.vfat", "dosfstools", "makes the EFI system partition"},
		{"mcopy", "mtools", "fills the EFI system partition"},
		{"mke2fs", "e2fsprogs", "makes the data partition"},
		{"syslinux", "syslinux", "boots the disk from BIOS firmware"},
		{"/usr/lib/syslinux/mbr/gptmbr.bin", "syslinux-common", "boots the disk from BIOS firmware"},
		{"/usr/share/keyrings/debian-archive-trixie-stable.gpg", "debian-archive-keyring", "checks Debian's signatures"},
	}
	lab := []tool{
		{"ip", "iproute2", "makes the lab's network"},
		{"nft", "nftables", "lets the lab's network reach nothing else"},
	}
	qemu := []tool{
		{"qemu-system-x86_64", "qemu-system-x86", "is the lab's server with real firmware"},
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf", "is the UEFI firmware"},
		{"/usr/lib/ipxe/undionly.kpxe", "ipxe", "is the boot loader of the netboot tests"},
	}
	peers := []tool{
		{"dnsmasq", "dnsmasq-base", "is the site's DHCP server in the netboot tests"},
		{"udhcpc", "udhcpc", "is a DHCP client in the netboot tests"},
		{"dhclient", "isc-dhcp-client", "is a DHCP client in the netboot tests"},
		{"sgdisk", "gdisk", "reads our partition tables"},
		{"cpio", "cpio", "reads our initrds"},
		{"curl", "curl", "fetches by TFTP and HTTP"},
	}
	switch task {
	case "test":
		return slices.Concat(image, lab, qemu, peers)
	case "demo":
		return slices.Concat(image, lab, qemu)
	case "check":
		return []tool{
			{"gcc", "gcc", "links the race detector"},
			{"/usr/include/stdlib.h", "libc6-dev", "links the race detector"},
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 || tools(os.Args[1]) == nil {
		fmt.Fprintln(os.Stderr, "usage: need test|demo|check")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "need: %v\n", err)
		os.Exit(1)
	}
}

func run(task string) error {
	missing := slices.DeleteFunc(tools(task), found)
	if len(missing) == 0 {
		return nil
	}
	var packages []string
	fmt.Println("These packages are missing:")
	for _, m := range missing {
		fmt.Printf("  %-24s %s\n", m.deb, m.why)
		packages = append(packages, m.deb)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if os.Geteuid() != 0 {
		return fmt.Errorf("run as root, or install them: apt-get install %s", strings.Join(packages, " "))
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get here: install the packages above by your distribution's own means, their names may differ")
	}
	fmt.Println("They are installed now by apt-get.")
	if err := apt("update", "-q"); err != nil {
		return err
	}
	packages, err := newerQEMU(packages)
	if err != nil {
		return err
	}
	return apt(append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)...)
}

// found reports whether the tool is there. Programs of system administration
// may be outside of a user's path.
func found(t tool) bool {
	if strings.HasPrefix(t.look, "/") {
		_, err := os.Stat(t.look)
		return err == nil
	}
	for _, dir := range append(strings.Split(os.Getenv("PATH"), ":"), "/usr/sbin", "/sbin") {
		if info, err := os.Stat(dir + "/" + t.look); err == nil && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

func apt(args ...string) error {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
