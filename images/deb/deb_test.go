package deb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstalled(t *testing.T) {
	dir := t.TempDir()
	const status = `Package: systemd
Status: install ok installed
Version: 257.13-1
Architecture: amd64
Description: system and service manager
 Version: not this one

Package: gone
Status: deinstall ok config-files
Version: 1

Package: bash
Status: install ok installed
Version: 5.2
`
	if err := os.MkdirAll(filepath.Join(dir, "var/lib/dpkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "var/lib/dpkg/status"), []byte(status), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Family{}.Installed(t.Context(), dir)
	if err != nil || len(got) != 2 || got[0].String() != "bash 5.2" || got[1].String() != "systemd 257.13-1" || got[1].Arch != "amd64" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := (Family{}).Installed(t.Context(), t.TempDir()); err == nil {
		t.Error("a tree without dpkg has packages")
	}
}

func TestSourcesAreSignedAndHaveSecurity(t *testing.T) {
	debian := Archive{Suite: "trixie", Mirror: "http://m/debian", Security: "http://m/debian-security", Components: []string{"main"}, Keyring: "/k.gpg"}
	lines := debian.Sources()
	all := strings.Join(lines, "\n")
	for _, want := range []string{"http://m/debian trixie main", "http://m/debian trixie-updates main", "http://m/debian-security trixie-security main"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Count(all, "signed-by=/k.gpg") != len(lines) {
		t.Errorf("not all are signed:\n%s", all)
	}
	ubuntu := Archive{Suite: "noble", Mirror: "http://archive.ubuntu.com/ubuntu", Security: "http://security.ubuntu.com/ubuntu", Components: []string{"main", "universe"}, Keyring: "/u.gpg"}
	for want, line := range map[string]string{
		"http://near/deb-security trixie-security main":                            debian.At("http://near/deb/").Sources()[2],
		"http://old/archive/debian-security/20261101T000000Z trixie-security main": debian.At("http://old/archive/debian/20261101T000000Z").Sources()[2],
		"http://old/archive/debian/20261101T000000Z trixie-updates main":           debian.At("http://old/archive/debian/20261101T000000Z").Sources()[1],
		"http://near/ubuntu noble-security main universe":                          ubuntu.At("http://near/ubuntu").Sources()[2],
		"http://near/ubuntu noble-updates main universe":                           ubuntu.At("http://near/ubuntu/").Sources()[1],
		"http://security.ubuntu.com/ubuntu noble-security main":                    ubuntu.Sources()[2],
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%s, want %s", line, want)
		}
	}
}

// TestPrune: manuals and changelogs go, licences stay.
func TestPrune(t *testing.T) {
	root := t.TempDir()
	all := map[string]bool{"usr/share/man/man1/ls.1.gz": false, "usr/share/locale/de/x.mo": false, "usr/share/doc/bash/copyright": true, "usr/share/doc/bash/changelog.gz": false,
		"usr/share/doc/libx/examples/a": false, "usr/bin/ls": true, "usr/share/zoneinfo/UTC": true}
	for name := range all {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(root); err != nil {
		t.Fatal(err)
	}
	for name, stays := range all {
		if _, err := os.Stat(filepath.Join(root, name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}
