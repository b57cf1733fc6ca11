// Command need installs what a task needs by the distribution's package
// manager. It says what and why first, and does nothing when all is there.
//
//	go run ./e2e/need test|demo|check|up|validate|verify|serve|image
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
	nice bool // the task does without it, and says so
}

// tools returns what a task needs.
func tools(task string) []tool {
	image := []tool{
		{look: "mmdebstrap", deb: "mmdebstrap", why: "makes the root of the image from Debian packages"},
		{look: "mkfs.erofs", deb: "erofs-utils", why: "makes the read-only root"},
		{look: "mkfs.vfat", deb: "dosfstools", why: "makes the EFI system partition"},
		{look: "mcopy", deb: "mtools", why: "fills the EFI system partition"},
		{look: "mke2fs", deb: "e2fsprogs", why: "makes the data partition"},
		{look: "syslinux", deb: "syslinux", why: "boots the disk from BIOS firmware"},
		{look: "/usr/lib/syslinux/mbr/gptmbr.bin", deb: "syslinux-common", why: "boots the disk from BIOS firmware"},
		{look: "/usr/share/keyrings/debian-archive-trixie-stable.gpg", deb: "debian-archive-keyring", why: "checks Debian's signatures"},
	}
	rpms := []tool{
		{look: "dnf", deb: "dnf", why: "makes the root of images of the rpm family"},
		{look: "/usr/lib/python3/dist-packages/dnf-plugins/download.py", deb: "dnf-plugins-core", why: "downloads single rpm packages"},
		{look: "rpmbuild", deb: "rpm", why: "makes the packages of the tests' rpm repository"},
		{look: "createrepo_c", deb: "createrepo-c", why: "lists the packages of the tests' rpm repository"},
		{look: "gpg", deb: "gnupg", why: "signs the tests' rpm repository"},
	}
	lab := []tool{
		{look: "ip", deb: "iproute2", why: "makes the lab's network"},
		{look: "nft", deb: "nftables", why: "lets the lab's network reach nothing else"},
		{look: "kubectl", deb: "kubernetes-client", why: "shows the evidence of reports again, and breaks what they judge", nice: true},
		{look: "/usr/lib/frr/bgpd", deb: "frr", why: "is the router outside in the test of probes", nice: true},
		{look: "/bin/busybox", deb: "busybox-static", why: "is the shell of a storage driver in the test of probes", nice: true},
	}
	qemu := []tool{
		{look: "qemu-system-x86_64", deb: "qemu-system-x86", why: "is the lab's server with real firmware"},
		{look: "/usr/share/OVMF/OVMF_CODE_4M.fd", deb: "ovmf", why: "is the UEFI firmware"},
		{look: "/usr/lib/ipxe/undionly.kpxe", deb: "ipxe", why: "is the boot loader of the netboot tests"},
	}
	peers := []tool{
		{look: "dnsmasq", deb: "dnsmasq-base", why: "is the site's DHCP server in the netboot tests"},
		{look: "udhcpc", deb: "udhcpc", why: "is a DHCP client in the netboot tests"},
		{look: "dhclient", deb: "isc-dhcp-client", why: "is a DHCP client in the netboot tests"},
		{look: "sgdisk", deb: "gdisk", why: "reads our partition tables"},
		{look: "veritysetup", deb: "cryptsetup-bin", why: "verifies our hash trees of the root, and makes those that we read"},
		{look: "cpio", deb: "cpio", why: "reads our initrds"},
		{look: "minisign", deb: "minisign", why: "checks our signatures of bundles, and makes some for us to check"},
		{look: "/usr/lib/python3/dist-packages/junitparser/__init__.py", deb: "python3-junitparser", why: "reads our reports as a CI does", nice: true},
		{look: "curl", deb: "curl", why: "fetches by TFTP and HTTP"},
		{look: "ipmi_sim", deb: "openipmi", why: "is a real IPMI controller, in the tests of the IPMI client and in the lab"},
		{look: "ipmitool", deb: "ipmitool", why: "is a real IPMI client, beside ours and against the lab's controllers"},
		{look: "/usr/lib/python3/dist-packages/sushy/main.py", deb: "python3-sushy", why: "is a real Redfish client, against the lab's controllers", nice: true},
		{look: "sbverify", deb: "sbsigntool", why: "verifies what we sign for Secure Boot, and signs what we verify"},
		{look: "cert-to-efi-sig-list", deb: "efitools", why: "makes the lists of keys that ours are held against"},
		{look: "/usr/lib/systemd/boot/efi/linuxx64.efi.stub", deb: "systemd-boot-efi", why: "is the stub that a unified kernel image is built on"},
	}
	switch task {
	case "test":
		return slices.Concat(image, rpms, lab, qemu, peers)
	case "image":
		return image
	case "demo", "up":
		return slices.Concat(image, lab, qemu)
	case "validate":
		return []tool{{look: "/usr/lib/python3/dist-packages/sushy/main.py", deb: "python3-sushy", why: "is what ra2-deploy is measured beside", nice: true}}
	case "serve":
		return []tool{{look: "nginx", deb: "nginx-light", why: "is what ra2-deploy's serving is measured beside"}}
	case "verify":
		return []tool{{look: "jq", deb: "jq", why: "makes the digest of a report by hand", nice: true}}
	case "check":
		return []tool{
			{look: "gcc", deb: "gcc", why: "links the race detector"},
			{look: "/usr/include/stdlib.h", deb: "libc6-dev", why: "links the race detector"},
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 || tools(os.Args[1]) == nil {
		fmt.Fprintln(os.Stderr, "usage: need test|demo|check|up|validate|verify|serve|image")
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
	if os.Geteuid() != 0 && !slices.ContainsFunc(missing, func(t tool) bool { return !t.nice }) {
		fmt.Println("The task does without. Root could install them.")
		return nil
	}
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
