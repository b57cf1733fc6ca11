package rpmrepo

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// table is packages.yaml.
type table struct {
	Never    []string `yaml:"never"`
	Drop     []string `yaml:"drop"`
	Packages []edit   `yaml:"packages"`
}

// edit says how Debian packages become one rpm package.
type edit struct {
	Name     string            `yaml:"name"`
	From     []string          `yaml:"from"`
	Only     []string          `yaml:"only"`
	Drop     []string          `yaml:"drop"`
	Move     map[string]string `yaml:"move"`
	Copy     map[string]string `yaml:"copy"`
	Link     map[string]string `yaml:"link"`
	Write    map[string]string `yaml:"write"`
	Provides []string          `yaml:"provides"`
	Requires []string          `yaml:"requires"`
	Script   string            `yaml:"script"`
}

// kernelPackage stands for the package of the kernel that the metapackage
// names today.
const (
	kernelPackage = "linux-image-amd64-kernel"
	kernelMeta    = "linux-image-cloud-amd64"
)

// sources gives the Debian packages that apt is asked for.
func (t table) sources() []string {
	all := map[string]bool{}
	for _, e := range t.Packages {
		for _, name := range e.From {
			if name == kernelPackage {
				name = kernelMeta
			}
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// pack is one rpm package to be made.
type pack struct {
	edit
	requires []string // from Debian's dependencies
	release  string   // of the kernel
}

// plan says which rpm packages are made of debs: those of the table, and one
// for each Debian package that these depend on.
func (t table) plan(debs map[string]deb) ([]pack, error) {
	kernel, err := kernelOf(debs)
	if err != nil {
		return nil, err
	}
	release := strings.TrimPrefix(kernel, "linux-image-")
	names, packs := map[string]string{}, []pack{} // names: Debian's name to the rpm package
	for _, e := range t.Packages {
		for i, from := range e.From {
			if from == kernelPackage {
				e.From[i] = kernel
			}
			if names[e.From[i]] == "" { // of two packages that one became, the first stands for it
				names[e.From[i]] = e.Name
			}
		}
		packs = append(packs, pack{edit: e, release: release})
	}
	// The slice grows while it is walked: what is needed needs more.
	for i := 0; i < len(packs); i++ {
		for _, from := range packs[i].From {
			d, ok := debs[from]
			if !ok {
				return nil, fmt.Errorf("package %s: apt gave no %s", packs[i].Name, from)
			}
			for _, dep := range d.depends {
				need, found := t.choose(dep, debs)
				if !found {
					continue
				}
				if names[need] == "" {
					names[need] = need
					packs = append(packs, pack{edit: edit{Name: need, From: []string{need}}})
				}
				packs[i].need(dep, need, names[need], debs)
			}
		}
	}
	return packs, nil
}

// choose gives the alternative of a dependency that is here and is packaged.
func (t table) choose(dep dependency, debs map[string]deb) (string, bool) {
	for _, alternative := range dep {
		if slices.Contains(t.Never, alternative.name) {
			return "", false
		}
		if _, ok := debs[alternative.name]; ok {
			return alternative.name, true
		}
		for _, name := range slices.Sorted(maps.Keys(debs)) {
			if slices.Contains(debs[name].provides, alternative.name) && !slices.Contains(t.Never, name) {
				return name, true
			}
		}
	}
	return "", false
}

// need adds a requirement of an rpm package, with the version where Debian has
// one and the package gives its own version to the rpm package.
func (p *pack) need(dep dependency, debName, rpmName string, debs map[string]deb) {
	if rpmName == p.Name {
		return
	}
	line := rpmName
	for _, alternative := range dep {
		if alternative.name == debName && rpmName == debName && alternative.op != "" {
			v := parseVersion(alternative.version)
			line = fmt.Sprintf("%s %s %s", rpmName, alternative.op, v)
		}
	}
	if !slices.Contains(p.requires, line) {
		p.requires = append(p.requires, line)
	}
}

// kernelOf gives the name of the one kernel's package.
func kernelOf(debs map[string]deb) (string, error) {
	pattern := regexp.MustCompile(`^linux-image-\d.*`)
	for _, name := range slices.Sorted(maps.Keys(debs)) {
		if pattern.MatchString(name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("apt gave no kernel for %s", kernelMeta)
}
