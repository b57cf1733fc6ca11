// Package gomod builds static Linux programs from Go modules that the module
// proxy serves and the checksum database (sum.golang.org) vouches for. It is
// how content is made where no container registry and no release page is in
// reach.
//
// A module is built inside a small module of our own that has the go.mod and
// go.sum of the one asked for, so that every dependency has the version that
// its authors tested, and that requires it by version:
//
//   - replacements that point to folders of the source repository are dropped
//     (the module proxy serves no folders), and
//   - requirements at v0.0.0, which is how k8s.io/kubernetes names its staging
//     repositories, are replaced by their published version.
package gomod

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// edition counts the changes of this package that give other programs from the
// same module; it is part of every key.
const edition = 1

// Module is one Go module and the programs that are built from it.
type Module struct {
	Path     string    `yaml:"path"`              // "k8s.io/kubernetes"
	Version  string    `yaml:"version"`           // "v1.37.2"
	Sum      string    `yaml:"sum"`               // "h1:...", as in go.sum
	Staging  string    `yaml:"staging,omitempty"` // version that replaces requirements at v0.0.0
	Ldflags  []string  `yaml:"ldflags,omitempty"` // link flags besides -s -w
	Tags     []string  `yaml:"tags,omitempty"`
	Main     string    `yaml:"main,omitempty"`    // source of a main package of our own
	Without  []string  `yaml:"without,omitempty"` // imports left out of the module's main.go
	Programs []Program `yaml:"programs"`
}

// Program is one command of a module.
type Program struct {
	Name    string `yaml:"name"`              // file name of the result
	Package string `yaml:"package,omitempty"` // below the module's path; "." is the generated main package
	Takes   string `yaml:"takes,omitempty"`   // time of a cold build on two cores, for people
}

// Check says what is wrong with m as it stands in the recipe.
func (m Module) Check() error {
	switch {
	case module.Check(m.Path, m.Version) != nil:
		return module.Check(m.Path, m.Version)
	case !strings.HasPrefix(m.Sum, "h1:"):
		return fmt.Errorf("module %s: sum %q doesn't begin with h1:", m.Path, m.Sum)
	case m.Staging != "" && !semver.IsValid(m.Staging):
		return fmt.Errorf("module %s: staging %q is no version", m.Path, m.Staging)
	case m.Main != "" && len(m.Without) > 0:
		return fmt.Errorf("module %s: main and without exclude each other", m.Path)
	case len(m.Programs) == 0:
		return fmt.Errorf("module %s: no programs", m.Path)
	}
	for _, p := range m.Programs {
		if p.Name == "" || strings.ContainsAny(p.Name, "/ ") {
			return fmt.Errorf("module %s: %q is no program name", m.Path, p.Name)
		}
		if p.Package == "." && m.Main == "" && len(m.Without) == 0 {
			return fmt.Errorf("module %s: program %s asks for a generated main package, but there is no main and no without", m.Path, p.Name)
		}
	}
	return nil
}

// Key addresses the program by all that determines its bytes: the module and
// how it is built, the program, and the compiler ("go1.26.8").
func (m Module) Key(p Program, compiler string) string {
	m.Programs, p.Takes = nil, ""
	text, err := json.Marshal(struct {
		Recipe   int // the edition
		Module   Module
		Program  Program
		Compiler string
	}{edition, m, p, compiler})
	if err != nil {
		panic("gomod: strings that can't be JSON: " + err.Error()) // no input gives this
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// GoMod rewrites the module's own go.mod into that of the module it is built in.
func (m Module) GoMod(own []byte) ([]byte, error) {
	f, err := modfile.Parse("go.mod of "+m.Path, own, nil)
	if err != nil {
		return nil, err
	}
	steps := []error{f.AddModuleStmt("build.local/" + strings.ReplaceAll(m.Path, ".", "-"))}
	for _, r := range f.Replace {
		if r.New.Version == "" {
			steps = append(steps, f.DropReplace(r.Old.Path, r.Old.Version))
		}
	}
	for _, r := range f.Require {
		if m.Staging != "" && r.Mod.Version == "v0.0.0" {
			steps = append(steps, f.AddReplace(r.Mod.Path, "", r.Mod.Path, m.Staging))
		}
	}
	steps = append(steps, f.AddRequire(m.Path, m.Version))
	for _, err := range steps {
		if err != nil {
			return nil, fmt.Errorf("rewrite go.mod of %s: %w", m.Path, err)
		}
	}
	f.Cleanup()
	return f.Format()
}

// importLine is one import without a name that would be used: `_ "path"`.
var importLine = regexp.MustCompile(`^\s*_\s+"([^"]+)"\s*$`)

// LeaveOut removes blank imports from a Go file: how a program is built
// without the plugins that register themselves. An import that isn't there is
// an error, since the upstream file has changed then.
func LeaveOut(source []byte, imports []string) ([]byte, error) {
	left := map[string]bool{}
	for _, path := range imports {
		left[path] = true
	}
	var b strings.Builder
	for line := range strings.Lines(string(source)) {
		if found := importLine.FindStringSubmatch(line); found != nil && left[found[1]] {
			delete(left, found[1])
			continue
		}
		b.WriteString(line)
	}
	for _, path := range imports {
		if left[path] {
			return nil, fmt.Errorf("main.go has no blank import %q to leave out", path)
		}
	}
	return []byte(b.String()), nil
}
