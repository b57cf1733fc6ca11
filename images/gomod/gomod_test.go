package gomod

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func kubernetes() Module {
	return Module{Path: "k8s.io/kubernetes", Version: "v1.37.2", Sum: "h1:x=", Staging: "v0.37.2",
		Programs: []Program{{Name: "kubelet", Package: "cmd/kubelet", Takes: "2m"}}}
}

func TestGoMod(t *testing.T) {
	const own = "module k8s.io/kubernetes\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/api v0.0.0\n\tk8s.io/klog/v2 v2.140.0\n)\n\n" +
		"replace k8s.io/api => ./staging/src/k8s.io/api\n\nreplace example.com/a => example.com/b v1.0.0\n"
	got, err := kubernetes().GoMod([]byte(own))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"module build.local/k8s-io/kubernetes\n", "go 1.26.0\n", "k8s.io/klog/v2 v2.140.0\n",
		"k8s.io/kubernetes v1.37.2\n", "replace k8s.io/api => k8s.io/api v0.37.2\n", "replace example.com/a => example.com/b v1.0.0\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "./staging") {
		t.Errorf("a replacement by a folder is left:\n%s", got)
	}
	if _, err := kubernetes().GoMod([]byte("modul x")); err == nil {
		t.Error("a broken go.mod is taken")
	}
}

func TestKeyKnowsWhatMatters(t *testing.T) {
	base := kubernetes()
	p := base.Programs[0]
	key := base.Key(p, "go1.26.8")
	if slow := (Program{Name: p.Name, Package: p.Package, Takes: "9m"}); base.Key(slow, "go1.26.8") != key {
		t.Error("the time that a build takes changes the key")
	}
	changed := map[string]string{
		"compiler": base.Key(p, "go1.26.9"),
		"program":  base.Key(Program{Name: "kubelet", Package: "cmd/kubeadm"}, "go1.26.8"),
	}
	for name, change := range map[string]func(*Module){
		"version": func(m *Module) { m.Version = "v1.37.3" },
		"sum":     func(m *Module) { m.Sum = "h1:y=" },
		"staging": func(m *Module) { m.Staging = "v0.37.3" },
		"ldflags": func(m *Module) { m.Ldflags = []string{"-X a.b=c"} },
		"tags":    func(m *Module) { m.Tags = []string{"no_btrfs"} },
		"main":    func(m *Module) { m.Main = "package main" },
		"without": func(m *Module) { m.Without = []string{"x"} },
	} {
		m := kubernetes()
		change(&m)
		changed[name] = m.Key(p, "go1.26.8")
	}
	for what, other := range changed {
		if other == key {
			t.Errorf("another %s gives the same key", what)
		}
	}
}

func TestLeaveOut(t *testing.T) {
	const source = "package main\n\nimport (\n\t\"fmt\"\n\t_ \"example.com/udp\"\n\t_ \"example.com/vxlan\"\n)\n"
	got, err := LeaveOut([]byte(source), []string{"example.com/udp"})
	if err != nil || strings.Contains(string(got), "udp") || !strings.Contains(string(got), "vxlan") || !strings.Contains(string(got), "fmt") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := LeaveOut([]byte(source), []string{"fmt"}); err == nil {
		t.Error("an import that is used was left out")
	}
}

func TestCheck(t *testing.T) {
	if err := kubernetes().Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Module){
		"h1:":       func(m *Module) { m.Sum = "" },
		"version":   func(m *Module) { m.Version = "1.37" },
		"staging":   func(m *Module) { m.Staging = "latest" },
		"programs":  func(m *Module) { m.Programs = nil },
		"name":      func(m *Module) { m.Programs = []Program{{Name: "a/b"}} },
		"generated": func(m *Module) { m.Programs = []Program{{Name: "a", Package: "."}} },
		"exclude":   func(m *Module) { m.Main, m.Without = "x", []string{"y"} },
	} {
		m := kubernetes()
		change(&m)
		if err := m.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestCompileSource(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the Go tool in PATH")
	}
	out := filepath.Join(t.TempDir(), "hello")
	src := map[string][]byte{"main.go": []byte("package main\n\nfunc main() { print(word) }\n"), "word.go": []byte("package main\n\nconst word = \"hello\"\n")}
	if err := CompileSource(t.Context(), "hello", src, t.TempDir(), out); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(out).CombinedOutput()
	if err != nil || string(said) != "hello" {
		t.Errorf("it says %q, %v", said, err)
	}
	err = CompileSource(t.Context(), "broken", map[string][]byte{"main.go": []byte("package main\n\nfunc main() { nothing() }\n")}, t.TempDir(), out+"2")
	if err == nil || !strings.Contains(err.Error(), "undefined: nothing") {
		t.Errorf("a broken program: %v", err)
	}
	if _, err := os.Stat(out + "2"); !os.IsNotExist(err) {
		t.Errorf("a broken program left a file: %v", err)
	}
}
