package deb

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/images/family"
)

const fields = "Package: tool\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nPre-Depends: libc6 (>= 2.36)\n" +
	"Depends: mount | util-linux,\n conntrack (>= 1:1.4), perl:any\nDescription: a tool\n and what it does\n Depends: nothing\n"

// packed makes a .deb with the real dpkg-deb and this compression.
func packed(t *testing.T, compression string) string {
	t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("needs dpkg-deb")
	}
	tree, out := t.TempDir(), filepath.Join(t.TempDir(), "tool.deb")
	if err := os.Mkdir(filepath.Join(tree, "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "DEBIAN/control"), []byte(fields), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "file"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), "dpkg-deb", "--root-owner-group", "--uniform-compression", "-Z"+compression, "--build", tree, out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return out
}

func TestReadControl(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "xz", "zstd"} {
		c, err := ReadControl(packed(t, compression))
		if err != nil {
			t.Fatalf("%s: %v", compression, err)
		}
		if c.Text != fields {
			t.Errorf("%s: %q", compression, c.Text)
		}
		for field, want := range map[string]string{"version": "1:2.0-1", "Description": "a tool\n and what it does\n Depends: nothing", "Homepage": ""} {
			if got := c.Field(field); got != want {
				t.Errorf("%s: %q", field, got)
			}
		}
		if got := strings.Join(c.Depends(), " "); got != "libc6 mount conntrack perl" {
			t.Errorf("it depends on %s", got)
		}
	}
}

func TestReadControlRefuses(t *testing.T) {
	whole, err := os.ReadFile(packed(t, "none"))
	if err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string][]byte{
		"it begins with":   []byte("%PDF-1.4 and more"),
		"has size":         bytes.Replace(whole, []byte("4         `"), []byte("x         `"), 1),
		"control.tar":      whole[:100],
		"look for its con": whole[:72],
	} {
		file := filepath.Join(t.TempDir(), "bad.deb")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadControl(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.deb is no Debian package") {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// FuzzControl: whatever a file holds, reading it ends, without a panic.
func FuzzControl(f *testing.F) {
	f.Add([]byte(arMagic))
	f.Add([]byte(arMagic + "control.tar/    0           0     0     100644  4         `\nabcd"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		text, err := readControl(bytes.NewReader(data))
		if err == nil {
			Control{text}.Depends()
		}
	})
}

// TestRepositoryServesApt: the real apt reads a repository that was made of
// files, and refuses a file that isn't the one of the index.
func TestRepositoryServesApt(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("needs apt-get")
	}
	file := packed(t, "zstd")
	p := family.Package{Name: "tool", Version: "1:2.0-1", Arch: "all", File: file, Size: size(t, file), Digest: sum(t, file)}
	for _, good := range []bool{true, false} {
		dir := t.TempDir()
		if !good {
			p.Digest = strings.Repeat("ab", 32)
		}
		if err := repository(filepath.Join(dir, "repo"), "trixie", []family.Package{p}); err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial"} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		line := "deb [trusted=yes] copy://" + dir + "/repo ./\n"
		for name, text := range map[string]string{"etc/apt/sources.list": line, "status": ""} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		apt := func(args ...string) (string, error) {
			c := exec.CommandContext(t.Context(), "apt-get", append([]string{"-o", "Dir::Etc=" + dir + "/etc/apt", "-o", "Dir::State::lists=" + dir + "/lists", "-o", "Dir::State::status=" + dir + "/status",
				"-o", "Dir::Cache=" + dir + "/cache", "-o", "APT::Sandbox::User=", "-o", "APT::Architecture=amd64"}, args...)...)
			c.Dir = dir
			said, err := c.CombinedOutput()
			return string(said), err
		}
		if said, err := apt("update"); err != nil || strings.Contains(said, "Err:") {
			t.Fatalf("update: %v\n%s", err, said)
		}
		said, err := apt("download", "tool")
		if good && err != nil || !good && (err == nil || !strings.Contains(said, "Hash Sum mismatch")) {
			t.Errorf("a file that is the index's own: %v; download: %v\n%s", good, err, said)
		}
	}
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func sum(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sha256sum", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))[0]
}

func TestFileNameHasNoEpoch(t *testing.T) {
	if got := FileName(family.Package{Name: "tool", Version: "1:2.0-1", Arch: "all"}); got != "tool_2.0-1_all.deb" {
		t.Error(got)
	}
}

// TestKernelStandsFor: a metapackage of a kernel gives the kernel, in Ubuntu
// with its modules; anything else gives only itself.
func TestKernelStandsFor(t *testing.T) {
	dir := t.TempDir()
	var from []family.Package
	for name, depends := range map[string]string{
		"linux-image-generic":           "linux-image-6.8.0-1-generic, linux-modules-extra-6.8.0-1-generic, linux-firmware, intel-microcode",
		"linux-image-6.8.0-1-generic":   "kmod, linux-base (>= 4.5), linux-modules-6.8.0-1-generic",
		"linux-modules-6.8.0-1-generic": "", "linux-modules-extra-6.8.0-1-generic": "linux-modules-6.8.0-1-generic", "systemd-boot-efi": "libc6",
		"linux-image-amd64": "linux-image-6.12.9-amd64 (= 6.12.9-1)",
	} {
		tree := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755); err != nil {
			t.Fatal(err)
		}
		control := "Package: " + name + "\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: x\n"
		if depends != "" {
			control += "Depends: " + depends + "\n"
		}
		if err := os.WriteFile(filepath.Join(tree, "DEBIAN/control"), []byte(control), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath("dpkg-deb"); err != nil {
			t.Skip("needs dpkg-deb")
		}
		if said, err := exec.CommandContext(t.Context(), "dpkg-deb", "--root-owner-group", "--build", tree, tree+".deb").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		from = append(from, family.Package{Name: name, Version: "1", Arch: "all", File: tree + ".deb"})
	}
	got, err := standFor(from, []string{"linux-image-generic", "systemd-boot-efi"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range got {
		names = append(names, p.Name)
	}
	want := []string{"linux-image-6.8.0-1-generic", "linux-image-generic", "linux-modules-6.8.0-1-generic", "linux-modules-extra-6.8.0-1-generic", "systemd-boot-efi"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if _, err := standFor(from, []string{"linux-image-amd64"}); err == nil || err.Error() != "the bundle has no package linux-image-6.12.9-amd64, which linux-image-amd64 needs" {
		t.Errorf("a kernel that isn't there: %v", err)
	}
	if _, err := standFor(from, []string{"ipxe"}); err == nil || err.Error() != "the bundle has no package ipxe" {
		t.Errorf("a package that isn't there: %v", err)
	}
	if !slices.ContainsFunc(from, func(p family.Package) bool { return p.Name == "systemd-boot-efi" }) {
		t.Error("the list was changed")
	}
}
