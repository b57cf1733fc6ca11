package pack

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kubelet is a package of every kind of thing.
func kubelet(t *testing.T) Package {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kubelet")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Package{
		Name: "kubelet", Version: "v1.37.2-rc.1", Summary: "Kubernetes node agent", Description: "It runs pods.\nAll of them.",
		License: "Apache-2.0", Homepage: "https://kubernetes.io", Source: "go:k8s.io/kubernetes@v1.37.2-rc.1 h1:abc=",
		Files: []File{
			{Path: "/usr/bin/kubelet", Host: program, Mode: 0o755},
			{Path: "/etc/kubelet/config.yaml", Data: []byte("a: b\n"), Mode: 0o600},
			{Path: "/usr/lib/systemd/system/kubelet.service", Data: []byte("[Service]\nExecStart=/usr/bin/kubelet\n"), Mode: 0o644},
			{Path: "/usr/bin/k", Link: "kubelet"},
			{Path: "/var/lib/kubelet", Dir: true, Mode: 0o700},
			{Path: "/usr/bin/set", Data: []byte("x"), Mode: fs.ModeSetuid | 0o755},
		},
		Scripts: Scripts{PostInstall: "#!/bin/sh\nset -e\n: > /var/lib/kubelet/installed\n"},
	}
}

// made writes p and gives the file.
func made(t *testing.T, p Package, f Format) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), p.FileName(f))
	var b bytes.Buffer
	if err := p.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// says runs a real tool, or skips where it isn't installed.
func says(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs %s", name)
	}
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestDebIsReadByDpkg(t *testing.T) {
	p := kubelet(t)
	p.Depends, p.Provides, p.Conflicts = []string{"mount", "conntrack (>= 1:1.4)"}, []string{"node-agent"}, []string{"kubelet-old"}
	file := made(t, p, Deb)
	if got := filepath.Base(file); got != "kubelet_1.37.2~rc.1-1_amd64.deb" {
		t.Errorf("file name %s", got)
	}
	for field, want := range map[string]string{
		"Package": "kubelet", "Version": "1.37.2~rc.1-1", "Architecture": "amd64", "Depends": "mount, conntrack (>= 1:1.4)",
		"Provides": "node-agent", "Conflicts": "kubelet-old", "Homepage": "https://kubernetes.io", "Ra2-Source": p.Source,
		"Description": "Kubernetes node agent\n It runs pods.\n All of them.\n Made from " + p.Source,
	} {
		if got := strings.TrimSpace(says(t, "dpkg-deb", "--field", file, field)); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	control := t.TempDir()
	says(t, "dpkg-deb", "--control", file, control)
	if got := read(t, control, "conffiles"); got != "/etc/kubelet/config.yaml\n" {
		t.Errorf("conffiles: %q", got)
	}
	if got := read(t, control, "postinst"); got != p.Scripts.PostInstall {
		t.Errorf("postinst: %q", got)
	}
	list := says(t, "dpkg-deb", "--contents", file)
	for _, want := range []string{"-rwxr-xr-x root/root", "./usr/bin/k -> kubelet", "drwx------ root/root", "-rwsr-xr-x root/root", "2026-01-01", "./usr/share/doc/kubelet/copyright"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
}

func TestRPMIsReadByRpm(t *testing.T) {
	p := kubelet(t)
	p.Depends, p.Provides, p.Conflicts = []string{"util-linux", "conntrack-tools >= 1.4"}, []string{"node-agent"}, []string{"kubelet-old"}
	file := made(t, p, RPM)
	if got := filepath.Base(file); got != "kubelet-1.37.2~rc.1-1.x86_64.rpm" {
		t.Errorf("file name %s", got)
	}
	for field, want := range map[string]string{
		"%{NVRA}": "kubelet-1.37.2~rc.1-1.x86_64", "%{LICENSE}": "Apache-2.0", "%{SUMMARY}": "Kubernetes node agent", "%{URL}": "https://kubernetes.io",
		"%{DESCRIPTION}": "Kubernetes node agent\nIt runs pods.\nAll of them.\nMade from " + p.Source, "%{BUILDTIME}": "1767225600", "%{BUILDHOST}": "ra2-deploy",
	} {
		if got := says(t, "rpm", "--query", "--package", "--queryformat", field, file); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	for option, wanted := range map[string][]string{
		"--requires": {"util-linux", "conntrack-tools >= 1.4"}, "--provides": {"node-agent"}, "--conflicts": {"kubelet-old"},
		"--configfiles": {"/etc/kubelet/config.yaml"}, "--scripts": {"/var/lib/kubelet/installed"},
		"--list": {"/usr/bin/kubelet", "/usr/bin/k", "/var/lib/kubelet"},
		"--dump": {"/usr/bin/set 1 1767225600 ", " 0104755 root root", " 040700 root root", " root root 0 0 1 kubelet", "/etc/kubelet/config.yaml 5 1767225600"},
	} {
		got := says(t, "rpm", "--query", "--package", option, file)
		for _, want := range wanted {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", option, want, got)
			}
		}
	}
	if got := says(t, "rpm", "--checksig", "--nosignature", file); !strings.Contains(got, "digests OK") {
		t.Errorf("rpm finds the digests: %s", got)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestInstalled: real package managers install into an empty root; the program
// is there, and they know the package.
func TestInstalled(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("package managers install as root")
	}
	p := kubelet(t)
	p.Scripts = Scripts{} // an empty root has no shell
	t.Run("deb", func(t *testing.T) {
		root := t.TempDir()
		for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		says(t, "dpkg", "--root="+root, "--force-script-chrootless", "--force-depends", "--log="+filepath.Join(root, "log"), "--install", made(t, p, Deb))
		if got := says(t, "dpkg-query", "--admindir="+filepath.Join(root, "var/lib/dpkg"), "--show", "--showformat=${db:Status-Abbrev} ${Version}", "kubelet"); got != "ii  1.37.2~rc.1-1" {
			t.Errorf("dpkg says %q", got)
		}
		installed(t, root)
	})
	t.Run("rpm", func(t *testing.T) {
		root := t.TempDir()
		says(t, "rpm", "--root", root, "--nodeps", "--nosignature", "--install", made(t, p, RPM))
		if got := says(t, "rpm", "--root", root, "--query", "--all"); !strings.Contains(got, "kubelet-1.37.2~rc.1-1.x86_64") {
			t.Errorf("rpm says %q", got)
		}
		says(t, "rpm", "--root", root, "--verify", "--nodeps", "kubelet")
		installed(t, root)
	})
}

func installed(t *testing.T, root string) {
	t.Helper()
	if got := read(t, root, "usr/bin/kubelet"); got != "#!/bin/sh\nexit 0\n" {
		t.Errorf("the program is %q", got)
	}
	if info, err := os.Stat(filepath.Join(root, "etc/kubelet/config.yaml")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the configuration: %v, %v", info, err)
	}
	if to, err := os.Readlink(filepath.Join(root, "usr/bin/k")); err != nil || to != "kubelet" {
		t.Errorf("the link: %q, %v", to, err)
	}
}

func TestSamePackageSameBytes(t *testing.T) {
	p := kubelet(t)
	for _, f := range []Format{Deb, RPM} {
		var first, second bytes.Buffer
		if err := p.Write(&first, f); err != nil {
			t.Fatal(err)
		}
		other := p
		other.Files = slices.Clone(p.Files)
		other.Files[0].Host = filepath.Join(t.TempDir(), "elsewhere")
		if err := os.Symlink(p.Files[0].Host, other.Files[0].Host); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(other.Files)
		if err := other.Write(&second, f); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: the bytes differ", f)
		}
	}
}

func TestTree(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"usr/bin", "usr/share/doc/tool"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/bin/tool"), []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tool", filepath.Join(dir, "usr/bin/t")); err != nil {
		t.Fatal(err)
	}
	got, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Owner, got[i].Group = "", "" // whoever runs the test
		if got[i].Link != "" {
			got[i].Mode = 0
		}
	}
	want := []File{{Path: "/usr/bin/t", Link: "tool"}, {Path: "/usr/bin/tool", Host: filepath.Join(dir, "usr/bin/tool"), Mode: 0o755}, {Path: "/usr/share/doc/tool", Dir: true, Mode: 0o755}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRefuses: all that is wrong is said, with the package's name, and nothing
// is written.
func TestRefuses(t *testing.T) {
	for want, change := range map[string]func(*Package){
		`"Kubelet" is no package name`:        func(p *Package) { p.Name = "Kubelet" },
		`version "latest" doesn't begin`:      func(p *Package) { p.Version = "latest" },
		"its licence must be one line":        func(p *Package) { p.License = "" },
		"its summary must be one line":        func(p *Package) { p.Summary = "a\nb" },
		`"usr/bin/x" is no absolute path`:     func(p *Package) { p.Files = []File{{Path: "usr/bin/x"}} },
		"/a is in it twice":                   func(p *Package) { p.Files = []File{{Path: "/a", Dir: true}, {Path: "/a", Dir: true}} },
		"/a is more than one of":              func(p *Package) { p.Files = []File{{Path: "/a", Dir: true, Link: "b"}} },
		"stat /nowhere: no such file":         func(p *Package) { p.Files = []File{{Path: "/a", Host: "/nowhere"}} },
		"make the deb package kubelet: stat ": func(p *Package) { p.Files = []File{{Path: "/a", Host: "/nowhere"}} },
	} {
		p := kubelet(t)
		change(&p)
		var b bytes.Buffer
		if err := p.Write(&b, Deb); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%s: got %v, %d bytes", want, err, b.Len())
		}
	}
	if err := kubelet(t).Write(&bytes.Buffer{}, "apk"); err == nil || !strings.Contains(err.Error(), "use deb or rpm") {
		t.Errorf("another format: %v", err)
	}
}
