package images

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/rpm"
)

// fedora is the rpm distribution of the recipe, with a site's repository.
func fedora(t *testing.T) Distribution {
	t.Helper()
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Distributions["fedora-44"]
	if got := strings.Join(d.RPM.URLs(), " "); got != "https://dl.fedoraproject.org/pub/fedora/linux/releases/44/Everything/x86_64/os https://dl.fedoraproject.org/pub/fedora/linux/updates/44/Everything/x86_64" {
		t.Errorf("Fedora's repositories are %s", got)
	}
	return d.with(Spec{Repositories: []rpm.Repository{{Name: "site", URL: "https://mirror.example/$releasever/", Keys: []string{"/keys/site"}}}})
}

// A package of a bundle is the distribution's when it came from one of its
// repositories, or is one of our own.
func TestHasOfRPM(t *testing.T) {
	d := fedora(t)
	for source, want := range map[string]bool{
		"rpm:https://mirror.example/44 Packages/b/bash.rpm":          true,
		"rpm:https://mirror.example/43 Packages/b/bash.rpm":          false,
		"go:k8s.io/kubernetes@v1.37.2 h1:abc":                        true,
		"rpm:https://dl.fedoraproject.org/pub/fedora a/bash-1-1.rpm": false,
	} {
		if got := d.has(bundle.Item{Kind: bundle.RPM, Name: "bash", Version: "1-1", Arch: "x86_64", Source: source}); got != want {
			t.Errorf("%s: %t, want %t", source, got, want)
		}
	}
	if d.has(bundle.Item{Kind: bundle.Deb, Name: "bash", Source: "go:x@v1 h1:abc"}) {
		t.Error("a .deb is taken for Fedora's")
	}
}

// What differs on disk between families comes from the recipe.
func TestFedoraIsLaidOut(t *testing.T) {
	d := fedora(t)
	if got := d.Boot.network("snponly.efi") + " " + d.Boot.network("undionly.kpxe"); got != "usr/share/ipxe/ipxe-snponly-x86_64.efi usr/share/ipxe/undionly.kpxe" {
		t.Errorf("the network boot loaders are %s", got)
	}
	all := links(true, d.chrony())
	if all["etc/systemd/system/multi-user.target.wants/chronyd.service"] == "" || all["etc/systemd/system/multi-user.target.wants/chrony.service"] != "" {
		t.Errorf("the clock's unit isn't %s: %v", d.chrony(), all)
	}
	unpacked := d.unpacked()
	for _, name := range []string{"kernel-core", "kernel-modules", "ipxe-bootimgs-x86"} {
		if !slices.Contains(unpacked, name) || slices.Contains(d.installed(true), name) {
			t.Errorf("%s is to be unpacked and not installed: %v", name, unpacked)
		}
	}
}

// A package URL of rpm has the epoch apart.
func TestPackageURLOfRPM(t *testing.T) {
	for version, want := range map[string]string{
		"257.13-1~deb13u1": "pkg:rpm/fedora/x@257.13-1~deb13u1?arch=x86_64",
		"1:2.3.3+git-1":    "pkg:rpm/fedora/x@2.3.3%2Bgit-1?arch=x86_64&epoch=1",
	} {
		if got := fedora(t).component("x", version, false, Manifest{}).purl; got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

// Repositories of one family are no use to the other.
func TestRepositoriesAreChecked(t *testing.T) {
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Spec{
		"made of .deb packages": {Distribution: "debian-13", Repositories: []rpm.Repository{{Name: "x", URL: "https://x", Keys: []string{"/k"}}}},
		"names no keys":         {Distribution: "fedora-44", Repositories: []rpm.Repository{{Name: "x", URL: "https://x"}}},
	} {
		s.Kernel = "cloud"
		if err := s.check(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Fedora's names of the network boot loaders become those that are offered.
func TestFedorasLoadersAreOffered(t *testing.T) {
	from := t.TempDir()
	for _, name := range []string{"undionly.kpxe", "ipxe-snponly-x86_64.efi", "ipxe-x86_64.efi", "ipxe.iso"} {
		if err := put(from, "usr/share/ipxe/"+name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := builder{distro: fedora(t), cache: cache{t.TempDir()}}
	if err := b.publishLoaders(from); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"snponly.efi": "ipxe-snponly-x86_64.efi", "ipxe.efi": "ipxe-x86_64.efi", "undionly.kpxe": "undionly.kpxe", "ipxe.iso": "ipxe.iso"} {
		if got, err := os.ReadFile(filepath.Join(Loaders(b.cache.dir), name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
}
