package images

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// bundle.lock is the recipe resolved for servers of the first distribution: it has
// all that the recipe names, and modules of the recipe's versions and sums.
func TestLockFitsTheRecipe(t *testing.T) {
	text, err := os.ReadFile("bundle.lock")
	if err != nil {
		t.Fatal(err)
	}
	lock, err := bundle.ReadLock(text)
	if err != nil {
		t.Fatal(err)
	}
	if lock.String() != string(text) {
		t.Error("it isn't written as `ra2-deploy bundle lock` writes it")
	}
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	const stale = "make it anew: ra2-deploy bundle lock --distribution debian-13 images/bundle.lock"
	has := func(k bundle.Kind, name string) bool {
		return slices.ContainsFunc(lock.Items, func(i bundle.Item) bool { return i.Kind == k && i.Name == name })
	}
	for _, name := range r.Distributions["debian-13"].names("generic", true) {
		if !has(bundle.Deb, name) {
			t.Errorf("it has no package %s; %s", name, stale)
		}
	}
	for _, c := range r.Containers {
		if !has(bundle.Image, c.Name) {
			t.Errorf("it has no container image %s; %s", c.Name, stale)
		}
	}
	known := map[string]bool{}
	for _, m := range r.Modules {
		for _, p := range m.Programs {
			known[r.origin(p.Name)] = true
		}
	}
	for _, p := range r.Packages {
		for _, program := range p.Programs {
			known[r.origin(program)] = true
		}
	}
	for _, c := range r.Containers {
		for _, program := range c.Files {
			known[r.origin(program)] = true
		}
	}
	for _, i := range lock.Items {
		// What is built of a program and of packages names these after a plus sign.
		if origin, _, _ := strings.Cut(i.Source, " +"); i.Scheme() == "go" && !known[origin] {
			t.Errorf("%s is of %s, which the recipe doesn't name; %s", i, origin, stale)
		}
	}
}
