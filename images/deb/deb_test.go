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
	got, err := Installed(dir)
	if err != nil || strings.Join(got, ", ") != "bash 5.2, systemd 257.13-1" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Installed(t.TempDir()); err == nil {
		t.Error("a tree without dpkg has packages")
	}
}

func TestSourcesAreSignedAndHaveSecurity(t *testing.T) {
	lines := Archive{Suite: "trixie", Mirror: "http://m/debian", Security: "http://m/debian-security"}.sources()
	all := strings.Join(lines, "\n")
	for _, want := range []string{"http://m/debian trixie main", "http://m/debian trixie-updates main", "http://m/debian-security trixie-security main"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Count(all, "signed-by=") != len(lines) {
		t.Errorf("not all are signed:\n%s", all)
	}
}
