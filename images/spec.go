package images

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/command"
	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/rpm"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
)

// Spec says which image is wanted.
type Spec struct {
	Distribution string // a name of the recipe; "" means "debian-13"
	Kernel       string // "cloud" (virtual machines, small) or "generic" (servers); "" means "cloud"
	Kubernetes   bool   // false: the system and ra2-node only, for tests
	Node         string // file: the static ra2-node program; "" means that of the bundle, and without one nothing can be built
	Mirror       string // of .deb packages, where no bundle is given; "" means the recipe's

	// Repositories are those of an rpm distribution, in the place of the recipe's.
	Repositories []rpm.Repository

	// Bundle is what the image is made of, and all that it is made of: the network
	// isn't asked for anything. nil means that a bundle is made first, in the
	// cache, of the recipe and of what the mirror has today.
	Bundle *bundle.Bundle `json:"-"`

	// Locked are the items of a lock, of which a bundle is made; nil means that the
	// mirrors are asked what they have.
	Locked []bundle.Item `json:"-"`

	SignedBy string             `json:",omitempty"` // fingerprint of the certificate whose key signs what firmware starts; "" for no signature
	Signer   *secureboot.Signer `json:"-"`          // that key; nil where an image is only looked for
}

// Manifest describes a finished image; it is manifest.json beside it.
type Manifest struct {
	Digest            string   `json:"digest"` // sha256 of the raw disk, hex: the image's name
	RawBytes          int64    `json:"rawBytes"`
	CompressedBytes   int64    `json:"compressedBytes"`
	CompressedDigest  string   `json:"compressedDigest"` // sha256 of image.raw.zst
	KernelDigest      string   `json:"kernelDigest"`
	InitrdDigest      string   `json:"initrdDigest"`
	Distribution      string   `json:"distribution"`
	Kernel            string   `json:"kernel"`            // "cloud" or "generic"
	KernelRelease     string   `json:"kernelRelease"`     // as uname -r tells
	KubernetesVersion string   `json:"kubernetesVersion"` // "" for none
	Packages          []string `json:"packages"`          // "name version", installed and unpacked
	Inputs            string   `json:"inputs"`            // digest of all that the image was built from, wherever it came from
	Bundle            string   `json:"bundle"`            // digest of the bundle that has it, "sha256:…"
	Dir               string   `json:"-"`                 // folder of the files

	Parts     map[string]string `json:"parts"`     // name of a partition to the sha256 of its content, in hex
	PartBytes map[string]int64  `json:"partBytes"` // name of a partition to the size of its content

	Units      map[string]string `json:"units"`      // name of a unit to UnitEnabled or UnitMasked; others are not listed
	Sysctls    map[string]string `json:"sysctls"`    // kernel setting to the value that the system sets at its start
	PartPacked map[string]int64  `json:"partPacked"` // name of a partition to what it takes of image.raw.zst, in bytes

	RootHash   string `json:"rootHash"`   // dm-verity root hash of the root partition, hex
	KernelLine string `json:"kernelLine"` // that starts it, see the function KernelLine

	SignedBy string `json:"signedBy,omitempty"` // fingerprint of the certificate whose key signed what firmware starts; "" for none
	Stub     string `json:"stub,omitempty"`     // what firmware starts, as it names itself: "systemd-stub 257.13-1~deb13u1"; "" where nothing is signed
	Room     *Room  `json:"room,omitempty"`     // for the signed words of a class; nil where nothing is signed, or where the stub would read none
}

// Names of the files in an image's folder.
const (
	FileImage    = "image.raw.zst"
	FileKernel   = "kernel"
	FileInitrd   = "initrd"
	FileManifest = "manifest.json"
)

// Progress is one line of what a build does.
type Progress struct {
	Doing string // "build kubelet v1.37.2"
	Takes string // how long it may take on two cores; "" when it is short
}

// String gives the line for people.
func (p Progress) String() string {
	if p.Takes == "" {
		return p.Doing
	}
	return p.Doing + " (about " + p.Takes + ")"
}

// withDefaults fills what the user left out.
func (s Spec) withDefaults() Spec {
	if s.Distribution == "" {
		s.Distribution = "debian-13"
	}
	if s.Kernel == "" {
		s.Kernel = "cloud"
	}
	return s
}

// check says all that is wrong with s.
func (s Spec) check(r Recipe) error {
	var wrong []error
	d, ok := r.Distributions[s.Distribution]
	if !ok {
		wrong = append(wrong, fmt.Errorf("distribution %q is not known: use %s", s.Distribution, list(slices.Sorted(maps.Keys(r.Distributions)))))
	} else if len(d.Kernels[s.Kernel]) == 0 {
		wrong = append(wrong, fmt.Errorf("kernel %q is not known: use %s", s.Kernel, list(slices.Sorted(maps.Keys(d.Kernels)))))
	}
	if len(s.Repositories) > 0 && d.Family == "deb" {
		wrong = append(wrong, fmt.Errorf("distribution %s is made of .deb packages, and rpm repositories are named", s.Distribution))
	} else if len(s.Repositories) > 0 {
		wrong = append(wrong, rpm.Archive{Repositories: s.Repositories}.Check())
	}
	if s.Node != "" {
		wrong = append(wrong, isFile(s.Node))
	}
	return errors.Join(wrong...)
}

// makeable says what is missing to build s; one that was built is found without.
func (s Spec) makeable() error {
	if s.Node == "" && s.Bundle == nil {
		return errors.New("no ra2-node program is named: build it with CGO_ENABLED=0 go build ./cmd/ra2-node")
	}
	return nil
}

// isFile says what is wrong with the ra2-node program.
func isFile(name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err == nil {
		err = isStatic(name)
	}
	if err != nil {
		return fmt.Errorf("ra2-node program: %w", err)
	}
	return nil
}

// isStatic refuses a program that wants a dynamic loader (ELF, PT_INTERP): an
// initramfs has none, and a kernel that can't start /init stops without a word to
// anybody but its console.
func isStatic(name string) error {
	f, err := elf.Open(name)
	if err != nil {
		return nil // no ELF: whatever it is, it isn't linked
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s is linked dynamically, and an initramfs has no libraries: build it with CGO_ENABLED=0 go build ./cmd/ra2-node", name)
	}
	return nil
}

func list(names []string) string { return strings.Join(names, " or ") }

// programs gives the external programs that a build of s runs, and the Debian
// package that holds each.
func programs(s Spec) map[string]string {
	all := map[string]string{"cp": "coreutils"}
	maps.Copy(all, disk.Programs())
	d, _ := distributionOf(s)
	if d.Family == "rpm" {
		maps.Copy(all, rpm.Programs())
	} else {
		maps.Copy(all, deb.Programs())
	}
	if s.Bundle != nil {
		return all
	}
	if d.Family != "rpm" || s.Kubernetes {
		maps.Copy(all, map[string]string{"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"})
	}
	if s.Kubernetes {
		all["go"] = "golang-go"
	}
	return all
}

// Needs gives the Debian packages that must be installed on this host before
// s can be built, sorted; those whose programs or files are here are left out.
func Needs(s Spec) []string {
	from := programs(s)
	packages := map[string]bool{}
	for _, program := range command.Missing(slices.Sorted(maps.Keys(from))) {
		packages[from[program]] = true
	}
	if d, ok := distributionOf(s); ok && s.Bundle == nil {
		if _, err := os.Stat(d.Archive.Keyring); err != nil && d.Archive.Keyring != "" {
			packages[d.Archive.KeyringIn] = true
		}
		if len(d.RPM.MissingKeys()) > 0 {
			packages[rpmKeys] = true
		}
		if _, err := os.Stat(dnfDownload); err != nil && d.Family == "rpm" && isDebian() {
			packages["dnf-plugins-core"] = true
		}
	}
	return slices.Sorted(maps.Keys(packages))
}

// dnfDownload is where Debian has the plugin that downloads packages alone.
const dnfDownload = "/usr/lib/python3/dist-packages/dnf-plugins/download.py"

// isDebian tells whether this host is of Debian's family.
func isDebian() bool {
	_, err := os.Stat("/etc/debian_version")
	return err == nil
}

// rpmKeys is Debian's package with the keys that rpm distributions sign with.
const rpmKeys = "distribution-gpg-keys"

// distributionOf gives the distribution that s wants, with what s has in the
// place of the recipe's.
func distributionOf(s Spec) (Distribution, bool) {
	r, err := ReadRecipe(recipeText)
	if err != nil {
		return Distribution{}, false
	}
	d, ok := r.Distributions[s.withDefaults().Distribution]
	return d.with(s), ok
}

// with puts what s says of packages' places into the distribution.
func (d Distribution) with(s Spec) Distribution {
	if len(s.Repositories) > 0 {
		d.RPM.Repositories = s.Repositories
	}
	return d
}
