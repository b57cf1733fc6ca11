package images

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/gomod"
	"github.com/ra2-deploy/ra2-deploy/images/guest"
)

//go:embed recipe.yaml
var recipeText []byte

// Recipe is what images are made of (recipe.yaml): modules with their sums,
// container images, and distributions with the names of their packages.
type Recipe struct {
	Kubernetes    string                  `yaml:"kubernetes"` // "v1.37.2"
	Modules       []gomod.Module          `yaml:"modules"`
	Containers    []Container             `yaml:"containers"`
	Distributions map[string]Distribution `yaml:"distributions"`
}

// Container is one preloaded container image: a single layer of programs.
type Container struct {
	Name       string            `yaml:"name"`             // reference with tag, as manifests name it
	Files      map[string]string `yaml:"files"`            // path in the image to the name of a program
	Debian     []string          `yaml:"debian,omitempty"` // programs of the Debian system, with their libraries
	Entrypoint []string          `yaml:"entrypoint"`
}

// Distribution is one Linux distribution's packages.
type Distribution struct {
	Archive    deb.Archive       `yaml:"archive"`
	Base       []string          `yaml:"base"`       // installed on every node
	Kubernetes []string          `yaml:"kubernetes"` // installed besides for Kubernetes
	Kernels    map[string]string `yaml:"kernels"`    // kind to package; unpacked
	Loaders    []string          `yaml:"loaders"`    // packages of boot loaders; unpacked
}

// ReadRecipe reads a recipe strictly: unknown keys are refused, and so is a
// container that names a program that nothing builds.
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
	var wrong []error
	built := map[string]string{}
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
	return errors.Join(wrong...)
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
