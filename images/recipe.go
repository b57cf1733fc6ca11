package images

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ra2-deploy/ra2-deploy/images/gomod"
	"github.com/ra2-deploy/ra2-deploy/images/guest"
)

//go:embed recipe.yaml
var recipeText []byte

// Recipe is what images are made of (recipe.yaml): modules with their sums,
// packages and container images made of them, and distributions with the names
// of their packages.
type Recipe struct {
	Kubernetes    string                  `yaml:"kubernetes"` // "v1.37.2"
	Modules       []gomod.Module          `yaml:"modules"`
	Packages      []Package               `yaml:"packages"`
	ContainerBase Base                    `yaml:"containerBase"`
	Containers    []Container             `yaml:"containers"`
	Distributions map[string]Distribution `yaml:"distributions"`
}

// Container is one preloaded container image: a single layer of programs.
type Container struct {
	Name       string            `yaml:"name"`             // reference with tag, as manifests name it
	Files      map[string]string `yaml:"files"`            // path in the image to the name of a program
	Debian     map[string]string `yaml:"debian,omitempty"` // path in the image to a program of ContainerBase, whose libraries come with it
	Entrypoint []string          `yaml:"entrypoint"`
}

// Base says which distribution's packages have the programs of container
// images that are no Go modules.
type Base struct {
	Distribution string   `yaml:"distribution"`
	Packages     []string `yaml:"packages"`
}

// Package says which package is made of which programs.
type Package struct {
	Name     string              `yaml:"name"`
	Module   string              `yaml:"module,omitempty"`  // path of the module that its programs are from
	Version  string              `yaml:"version,omitempty"` // where there is no module
	Summary  string              `yaml:"summary"`
	License  string              `yaml:"license"` // SPDX expression
	Homepage string              `yaml:"homepage,omitempty"`
	Programs map[string]string   `yaml:"programs"`          // path to the name of a program
	Files    []string            `yaml:"files,omitempty"`   // of files/, without its layer
	Depends  map[string][]string `yaml:"depends,omitempty"` // family to names
}

// NodePackage is the package of the ra2-node program, which an image gets from
// its bundle or from a program on this host.
const NodePackage = "ra2-node"

// ReadRecipe reads a recipe strictly: unknown keys are refused, and so is a
// container or a package of a program that nothing builds.
func ReadRecipe(text []byte) (Recipe, error) {
	var r Recipe
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&r); err != nil {
		return Recipe{}, fmt.Errorf("read the recipe: %w", err)
	}
	if err := r.check(); err != nil {
		return Recipe{}, fmt.Errorf("read the recipe: %w", err)
	}
	return r, nil
}

func (r Recipe) check() error {
	built, wrong := r.programs()
	for _, c := range r.Containers {
		if !strings.Contains(c.Name, ":") || len(c.Entrypoint) == 0 {
			wrong = append(wrong, fmt.Errorf("container %q needs a tag and an entrypoint", c.Name))
		}
		for _, path := range slices.Sorted(maps.Keys(c.Files)) {
			if built[c.Files[path]] == "" {
				wrong = append(wrong, fmt.Errorf("container %s: nothing builds the program %q", c.Name, c.Files[path]))
			}
		}
	}
	owner := map[string]string{}
	for _, p := range r.Packages {
		wrong = append(wrong, p.check(built), p.claim(owner))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Distributions)) {
		wrong = append(wrong, r.Distributions[name].check(name))
	}
	return errors.Join(wrong...)
}

// programs gives where each program comes from, and what is wrong with that.
func (r Recipe) programs() (map[string]string, []error) {
	var wrong []error
	built := map[string]string{NodePackage: "this project"}
	for name := range guest.Sources() {
		built[name] = "this project"
	}
	for _, m := range r.Modules {
		if err := m.Check(); err != nil {
			wrong = append(wrong, err)
		}
		for _, p := range m.Programs {
			if other, twice := built[p.Name]; twice {
				wrong = append(wrong, fmt.Errorf("program %s comes from %s and from %s", p.Name, other, m.Path))
			}
			built[p.Name] = m.Path
		}
	}
	return built, wrong
}

// check says what is wrong with a package, given where programs come from.
func (p Package) check(built map[string]string) error {
	var wrong []error
	for _, path := range slices.Sorted(maps.Keys(p.Programs)) {
		switch from := built[p.Programs[path]]; {
		case from == "":
			wrong = append(wrong, fmt.Errorf("package %s: nothing builds the program %q", p.Name, p.Programs[path]))
		case p.Module != "" && from != p.Module:
			wrong = append(wrong, fmt.Errorf("package %s: program %s is from %s, not from %s", p.Name, p.Programs[path], from, p.Module))
		}
	}
	if p.Name != NodePackage && (p.Module == "") == (p.Version == "") {
		wrong = append(wrong, fmt.Errorf("package %s needs a module or a version", p.Name))
	}
	return errors.Join(wrong...)
}

// claim notes that p has its files; each belongs to one package.
func (p Package) claim(owner map[string]string) error {
	var wrong []error
	for _, file := range p.Files {
		if _, err := readLaid(file); err != nil {
			wrong = append(wrong, fmt.Errorf("package %s: %w", p.Name, err))
		}
		if other, twice := owner[file]; twice {
			wrong = append(wrong, fmt.Errorf("file %s is in the packages %s and %s", file, other, p.Name))
		}
		owner[file] = p.Name
	}
	return errors.Join(wrong...)
}

// layerKubernetes is the folder of files that only a node of a cluster has.
const layerKubernetes = "files/kubernetes"

// layers are the folders of files.
func layers() []string { return []string{"files/base", layerKubernetes} }

// readLaid reads a file of files, whichever layer has it.
func readLaid(name string) ([]byte, error) {
	for _, layer := range layers() {
		text, err := files.ReadFile(layer + "/" + name)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return nil, fmt.Errorf("%s is not among the files of an image", name)
}

// packaged gives the files that packages have.
func (r Recipe) packaged() map[string]bool {
	all := map[string]bool{}
	for _, p := range r.Packages {
		for _, file := range p.Files {
			all[file] = true
		}
	}
	return all
}

// pause gives the reference of the sandbox image.
func (r Recipe) pause() (string, error) {
	for _, c := range r.Containers {
		if strings.Contains(c.Name, "/pause:") {
			return c.Name, nil
		}
	}
	return "", errors.New("the recipe has no pause container")
}
