package images

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/gomod"
)

// packed makes a bundle of packages, "name version source", whose content is
// their name.
func packed(t *testing.T, packages ...[3]string) bundle.Bundle {
	t.Helper()
	w, err := bundle.Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, p := range packages {
		if _, err := w.AddFile(bundle.Item{Kind: bundle.Deb, Name: p[0], Version: p[1], Arch: "amd64", Source: p[2]}, strings.NewReader(p[0]+p[1])); err != nil {
			t.Fatal(err)
		}
	}
	b, err := w.Commit(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	trixie   = "apt:http://deb.debian.org/debian trixie pool/x"
	security = "apt:http://deb.debian.org/debian-security trixie-security pool/x"
	bookworm = "apt:http://deb.debian.org/debian bookworm pool/x"
	ours     = "go:k8s.io/kubernetes@v1.37.2 h1:x="
)

// TestChoose: of a bundle for several distributions, an image takes its own
// packages and ours.
func TestChoose(t *testing.T) {
	b := packed(t, [3]string{"bash", "5.2", trixie}, [3]string{"bash", "5.1", bookworm}, [3]string{"curl", "8.14", security}, [3]string{"kubelet", "1.37.2-1", ours})
	c, err := readRecipe(t).Distributions["debian-13"].choose(b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range c.of(c.packages) {
		got = append(got, p.String())
	}
	if strings.Join(got, ", ") != "bash 5.2, curl 8.14, kubelet 1.37.2-1" {
		t.Errorf("got %v", got)
	}
	twice := packed(t, [3]string{"bash", "5.2", trixie}, [3]string{"bash", "5.3", security})
	if _, err := readRecipe(t).Distributions["debian-13"].choose(twice); err == nil || !strings.Contains(err.Error(), "two versions of package bash: 5.2 and 5.3") {
		t.Errorf("two versions: %v", err)
	}
}

// TestLacking: all that a bundle doesn't hold is named at once.
func TestLacking(t *testing.T) {
	c, err := readRecipe(t).Distributions["debian-13"].choose(packed(t, [3]string{"bash", "5.2", trixie}))
	if err != nil {
		t.Fatal(err)
	}
	err = c.lacking([]string{"bash", "chrony", "ipxe"}, []Container{{Name: "registry.k8s.io/pause:3.10.2"}})
	if err == nil || err.Error() != "the bundle lacks 2 packages: [chrony ipxe]\nthe bundle has no container image registry.k8s.io/pause:3.10.2" {
		t.Errorf("got %v", err)
	}
	if err := c.lacking([]string{"bash"}, nil); err != nil {
		t.Error(err)
	}
}

// TestVerifiedNamesTheItem: content that isn't what the bundle says, or is gone.
func TestVerifiedNamesTheItem(t *testing.T) {
	c, err := readRecipe(t).Distributions["debian-13"].choose(packed(t, [3]string{"bash", "5.2", trixie}, [3]string{"curl", "8.14", trixie}))
	if err != nil {
		t.Fatal(err)
	}
	packages := c.of(c.packages)
	if err := verified(packages); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packages[0].File, []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(packages[1].File); err != nil {
		t.Fatal(err)
	}
	err = verified(packages)
	for _, want := range []string{"package bash 5.2: its file " + packages[0].File, "and the bundle says sha256:" + packages[0].Digest, "package curl 8.14: open "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// TestOwnPackages: every package of the recipe can be written in both families,
// with the files that are its own, and no placeholder is left in them.
func TestOwnPackages(t *testing.T) {
	r := readRecipe(t)
	program := node(t, "a program")
	for _, format := range []string{"deb", "rpm"} {
		m := maker{recipe: r, cache: cache{t.TempDir()}, node: program, report: func(Progress) {}}
		m.format = readRecipe(t).Distributions[map[string]string{"deb": "debian-13", "rpm": "fedora-44"}[format]].format()
		for _, p := range r.fromModules() {
			programs := map[string]string{}
			for _, name := range p.Programs {
				programs[name] = program
			}
			described, file, err := m.pack(p, programs)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(file); err != nil || info.Size() == 0 || !strings.HasSuffix(file, "."+format) {
				t.Errorf("%s: %v, %v", file, info, err)
			}
			if !strings.HasPrefix(described.Source, "go:") {
				t.Errorf("%s is made from %q", p.Name, described.Source)
			}
			for _, f := range described.Files {
				if strings.Contains(string(f.Data), "@PAUSE@") {
					t.Errorf("%s of %s has a placeholder", f.Path, p.Name)
				}
				if f.Path == "/etc/containerd/config.toml" && !strings.Contains(string(f.Data), "sandbox = 'registry.k8s.io/pause:3.10.2'") {
					t.Errorf("containerd doesn't know its sandbox image: %s", f.Data)
				}
				if f.Path == "/usr/lib/systemd/system/kubelet.service" && !strings.Contains(string(f.Data), "ConditionPathExists=/var/lib/kubelet/config.yaml") {
					t.Errorf("the kubelet starts without its configuration: %s", f.Data)
				}
			}
		}
		first, _, err := m.nodePackage()
		if err != nil {
			t.Fatal(err)
		}
		m.node = node(t, "another program")
		if second, _, err := m.nodePackage(); err != nil || second.Version == first.Version {
			t.Errorf("another ra2-node is %s too, %v", second.Version, err)
		}
	}
}

// TestModuleSourceHas: what comes from modules, and nothing else.
func TestModuleSourceHas(t *testing.T) {
	s := &moduleSource{maker: maker{recipe: readRecipe(t), format: "deb"}}
	for _, c := range []struct {
		item bundle.Item
		want bool
	}{
		{bundle.Item{Kind: bundle.Deb, Name: "kubelet", Source: ours}, true},
		{bundle.Item{Kind: bundle.RPM, Name: "kubelet", Source: ours}, false},
		{bundle.Item{Kind: bundle.Deb, Name: "bash", Source: trixie}, false},
		{bundle.Item{Kind: bundle.Deb, Name: NodePackage, Source: "file:ra2-node"}, false},
		{bundle.Item{Kind: bundle.Image, Name: "registry.k8s.io/pause:3.10.2", Source: "go:x@v1 h1:x"}, true},
		{bundle.Item{Kind: bundle.Image, Name: "registry.k8s.io/other:1", Source: "go:x@v1 h1:x"}, false},
	} {
		if got := s.Has(c.item); got != c.want {
			t.Errorf("%+v: %v", c.item, got)
		}
	}
	origin := readRecipe(t).origin("kubelet")
	if !strings.HasPrefix(origin, "go:k8s.io/kubernetes@v1.37.2 h1:") {
		t.Errorf("the kubelet is from %q", origin)
	}
	if !slices.ContainsFunc(readRecipe(t).Modules, func(m gomod.Module) bool { return strings.HasSuffix(origin, m.Sum) }) {
		t.Errorf("%q has no sum of the recipe", origin)
	}
	if got := readRecipe(t).origin("pause"); !strings.HasPrefix(got, "go:github.com/ra2-deploy/ra2-deploy/images/guest/pause@") {
		t.Errorf("pause is from %q", got)
	}
}
