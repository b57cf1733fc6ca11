package images

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No account may be opened by a password, and no login is offered.
func TestNobodyLogsIn(t *testing.T) {
	dir := t.TempDir()
	if err := put(dir, "etc/shadow", []byte("root::20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := lockAccounts(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "etc/shadow"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, ":"); fields[1] != "!*" {
			t.Errorf("open: %s", line)
		}
	}
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(r.Distributions["debian-13"].Base, r.Distributions["debian-13"].Kubernetes...) {
		if strings.Contains(p, "ssh") || p == "apt" {
			t.Errorf("package %s on a node", p)
		}
	}
}

func TestPutReplacesALink(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "host")
	if err := os.WriteFile(outside, []byte("host"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := link(dir, "etc/resolv.conf", outside); err != nil {
		t.Fatal(err)
	}
	if err := put(dir, "etc/resolv.conf", []byte("node"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "host" {
		t.Errorf("the host's file: %q, %v", text, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "etc/resolv.conf")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the node's file: %v, %v", info, err)
	}
}

func TestLaidFiles(t *testing.T) {
	dir := t.TempDir()
	s := system{kubernetes: true, pause: "registry.k8s.io/pause:3.10.2"}
	if err := s.layFiles(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.layLinks(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"etc/containerd/config.toml":              "sandbox = 'registry.k8s.io/pause:3.10.2'",
		"usr/lib/systemd/system/kubelet.service":  "ConditionPathExists=/var/lib/kubelet/config.yaml",
		"usr/lib/systemd/system/ra2-node.service": "ExecStart=/usr/bin/ra2-node serve",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q", name, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "etc/machine-id")); err != nil || info.Size() != 0 {
		t.Errorf("machine-id: %v, %v", info, err)
	}
	for unit, to := range map[string]string{
		"multi-user.target.wants/ra2-node.service": "/usr/lib/systemd/system/ra2-node.service",
		"serial-getty@.service":                    "/dev/null",
	} {
		if got, err := os.Readlink(filepath.Join(dir, "etc/systemd/system", unit)); err != nil || got != to {
			t.Errorf("%s: %q, %v", unit, got, err)
		}
	}
	if err := (system{}).layFiles(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestNoPlaceholderIsLeft(t *testing.T) {
	dir := t.TempDir()
	if err := (system{kubernetes: true, pause: "p:1"}).layFiles(dir); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if strings.Contains(string(text), "@PAUSE@") {
			t.Errorf("%s has a placeholder", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
