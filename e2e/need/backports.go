package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// backports is where Debian 12 has a newer QEMU: its own 7.2 boots the lab's
// machines three times slower without hardware virtualisation.
const backports = "bookworm-backports"

// backportsList is the file that offers them to apt.
const backportsList = "/etc/apt/sources.list.d/ra2-backports.list"

// newerQEMU takes QEMU and its parts from Debian 12's backports, which it adds
// to apt's sources where they are missing. Other distributions have it already.
func newerQEMU(packages []string) ([]string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(release), "VERSION_CODENAME=bookworm") {
		return packages, nil
	}
	i := -1
	for n, p := range packages {
		if p == "qemu-system-x86" {
			i = n
		}
	}
	if i < 0 {
		return packages, nil
	}
	if !offered() {
		if err := offer(); err != nil {
			return nil, err
		}
	}
	packages = append(packages[:i:i], packages[i+1:]...)
	for _, p := range []string{"qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"} {
		packages = append(packages, p+"/"+backports)
	}
	return packages, nil
}

// offered reports whether apt knows the newer QEMU.
func offered() bool {
	out, err := exec.Command("apt-cache", "madison", "qemu-system-x86").Output()
	return err == nil && strings.Contains(string(out), backports)
}

// offer adds the backports of the mirror that apt uses for the release itself.
func offer() error {
	line := fmt.Sprintf("deb %s %s main\n", mirror(), backports)
	fmt.Printf("Debian 12's QEMU 7.2 is three times slower here than that of its backports, so they are added to apt's sources:\n  %s  (%s; remove that file when you don't want them)\n", line, backportsList)
	if err := os.WriteFile(backportsList, []byte(line), 0o644); err != nil {
		return err
	}
	return apt("update", "-q")
}

// mirror is where apt has the release from.
func mirror() string {
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages").Output()
	if err == nil {
		for line := range strings.Lines(string(out)) {
			if words := strings.Fields(line); len(words) == 2 && words[0] == "bookworm" && strings.HasPrefix(words[1], "http") {
				return words[1]
			}
		}
	}
	return "http://deb.debian.org/debian/"
}
