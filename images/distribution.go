package images

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/source"
	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/family"
	"github.com/ra2-deploy/ra2-deploy/images/pack"
	"github.com/ra2-deploy/ra2-deploy/images/rpm"
)

// Distribution is one Linux distribution: where its packages come from and
// which of them a node has.
type Distribution struct {
	Family     string              `yaml:"family"`             // "deb" or "rpm"
	Vendor     string              `yaml:"vendor"`             // as package URLs name it: "debian"
	Archive    deb.Archive         `yaml:"archive,omitempty"`  // of a deb distribution
	RPM        rpm.Archive         `yaml:"rpm,omitempty"`      // of an rpm distribution
	Database   string              `yaml:"database,omitempty"` // of an rpm distribution: where its rpm keeps it
	Base       []string            `yaml:"base"`               // installed on every node
	Kubernetes []string            `yaml:"kubernetes"`         // installed besides for Kubernetes
	Kernels    map[string][]string `yaml:"kernels"`            // kind to packages; unpacked
	Loaders    []string            `yaml:"loaders"`            // packages of boot loaders; unpacked
	Boot       Boot                `yaml:"boot"`
	Chrony     string              `yaml:"chrony,omitempty"` // its unit of chrony; "" means "chrony.service"
	Links      map[string]string   `yaml:"links,omitempty"`  // symbolic links of a node's root besides
}

// Boot says where the unpacked loaders have what a disk and a network boot need.
type Boot struct {
	EFI     string            `yaml:"efi"`             // file: systemd-boot for x86-64
	BIOS    string            `yaml:"bios"`            // file: syslinux's boot code of a GPT disk
	Network string            `yaml:"network"`         // folder: undionly.kpxe, snponly.efi, ipxe.efi, ipxe.iso
	Names   map[string]string `yaml:"names,omitempty"` // of those that are called otherwise there
}

// network gives where the unpacked loaders have one of the network boot loaders.
func (b Boot) network(loader string) string {
	if name := b.Names[loader]; name != "" {
		loader = name
	}
	return filepath.Join(b.Network, loader)
}

// check says what is wrong with a distribution of the recipe.
func (d Distribution) check(name string) error {
	var wrong []error
	if _, err := d.family(); err != nil {
		wrong = append(wrong, err)
	}
	if d.Family == "rpm" {
		wrong = append(wrong, d.RPM.Check())
		if !filepath.IsAbs(d.Database) {
			wrong = append(wrong, fmt.Errorf("its database %q is no absolute path", d.Database))
		}
	}
	for what, value := range map[string]string{"vendor": d.Vendor, "boot.efi": d.Boot.EFI, "boot.bios": d.Boot.BIOS, "boot.network": d.Boot.Network} {
		if value == "" {
			wrong = append(wrong, fmt.Errorf("it has no %s", what))
		}
	}
	if len(d.Base) == 0 || len(d.Kernels) == 0 {
		wrong = append(wrong, errors.New("it needs packages in base, and kernels"))
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("distribution %s: %w", name, err)
	}
	return nil
}

// family gives who makes trees of its packages.
func (d Distribution) family() (family.Family, error) {
	switch d.Family {
	case "deb":
		return deb.Family{Suite: d.Archive.Suite}, nil
	case "rpm":
		return rpm.Family{Database: d.Database}, nil
	}
	return nil, fmt.Errorf("family %q is not known: use deb or rpm", d.Family)
}

// place says where the packages are looked for, for people.
func (d Distribution) place() string {
	if d.Family == "rpm" {
		return strings.Join(d.RPM.URLs(), " and ")
	}
	return d.Archive.Mirror
}

// chrony gives the name of the unit that sets the clock.
func (d Distribution) chrony() string {
	if d.Chrony == "" {
		return chronyUnit
	}
	return d.Chrony
}

// chronyUnit is what files/ calls it, as Debian does.
const chronyUnit = "chrony.service"

// format is what packages of our own are written as.
func (d Distribution) format() pack.Format { return pack.Format(d.Family) }

// kind is that of its packages in a bundle.
func (d Distribution) kind() bundle.Kind { return bundle.Kind(d.Family) }

// has tells whether an item of a bundle is a package of this distribution. A
// .deb of an archive is known by its suite, wherever its mirror was; an .rpm by
// its repository; packages of our own are for every distribution of their family.
func (d Distribution) has(i bundle.Item) bool {
	if i.Kind != d.kind() {
		return false
	}
	switch i.Scheme() {
	case "rpm":
		return source.RPM{Archive: d.RPM}.Has(i)
	case "apt":
	default:
		return true
	}
	words := strings.Fields(i.Source)
	return len(words) > 1 && slices.Contains([]string{d.Archive.Suite, d.Archive.Suite + "-updates", d.Archive.Suite + "-security"}, words[1])
}

// installed gives the packages that a node's system has by name, but ra2-node.
func (d Distribution) installed(kubernetes bool) []string {
	if !kubernetes {
		return d.Base
	}
	return slices.Concat(d.Base, d.Kubernetes)
}

// unpacked gives the packages that are never installed.
func (d Distribution) unpacked() []string {
	all := slices.Clone(d.Loaders)
	for _, kind := range slices.Sorted(maps.Keys(d.Kernels)) {
		all = append(all, d.Kernels[kind]...)
	}
	return all
}

// names gives all packages of the distribution that an image needs.
func (d Distribution) names(kernel string, kubernetes bool) []string {
	return slices.Concat(d.installed(kubernetes), d.Kernels[kernel], d.Loaders)
}
