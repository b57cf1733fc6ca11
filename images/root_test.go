package images

import (
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

func readRecipe(t *testing.T) Recipe {
	t.Helper()
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLaidFiles(t *testing.T) {
	dir := t.TempDir()
	s := system{kubernetes: true, recipe: readRecipe(t)}
	if err := s.layFiles(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.layLinks(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"usr/lib/systemd/system/keepalived.service.d/10-ra2.conf": "ConditionPathExists=/etc/kubernetes/ra2/keepalived.conf",
		"etc/chrony/chrony.conf":                                  "cmdport 0",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q", name, err, want)
		}
	}
	for _, name := range []string{"etc/containerd/config.toml", "usr/lib/systemd/system/ra2-node.service"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is a package's and is laid over it: %v", name, err)
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
	alone := t.TempDir()
	if err := (system{recipe: readRecipe(t)}).layFiles(alone); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(alone, "usr/lib/systemd/system/keepalived.service.d")); !os.IsNotExist(err) {
		t.Errorf("a system without Kubernetes has its files: %v", err)
	}
}

// TestKernelIn: a kernel is found wherever its distribution puts it.
func TestKernelIn(t *testing.T) {
	for name, files := range map[string][]string{
		"Debian 13": {"boot/vmlinuz-6.12.1", "boot/config-6.12.1", "usr/lib/modules/6.12.1/kernel/x.ko"},
		"Debian 12": {"boot/vmlinuz-6.12.1", "boot/config-6.12.1", "lib/modules/6.12.1/kernel/x.ko"},
		"Fedora":    {"lib/modules/6.12.1/vmlinuz", "lib/modules/6.12.1/config", "lib/modules/6.12.1/kernel/x.ko"},
	} {
		dir := t.TempDir()
		for _, file := range files {
			if err := put(dir, file, []byte(file), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		k, err := kernelIn(dir)
		if err != nil || k.release != "6.12.1" || k.image != filepath.Join(dir, files[0]) || k.config != filepath.Join(dir, files[1]) {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
		if err := put(dir, "boot/config-6.13.1", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := put(dir, "usr/lib/modules/6.13.1/vmlinuz", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := kernelIn(dir); err == nil || !strings.Contains(err.Error(), "2 kernels") {
			t.Errorf("%s: of two kernels: %v", name, err)
		}
	}
}

// TestCopyTreeLeavesTheCacheAlone: what is done to a root's files doesn't come
// through to the tree that it is a copy of.
func TestCopyTreeLeavesTheCacheAlone(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	names := []string{"usr/bin/tool", "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/dpkg/status", "etc/passwd"}
	for _, name := range names {
		if err := put(from, name, []byte("as it was"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	if err := put(to, names[0], []byte("another"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names[1:] { // databases are written in place
		f, err := os.OpenFile(filepath.Join(to, name), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("another"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil || string(text) != "as it was" {
			t.Errorf("%s is %q, %v", name, text, err)
		}
		if copied, err := os.ReadFile(filepath.Join(to, name)); err != nil || !strings.HasPrefix(string(copied), "another") {
			t.Errorf("the copy of %s is %q, %v", name, copied, err)
		}
	}
}
