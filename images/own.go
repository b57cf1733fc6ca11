package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/gomod"
	"github.com/ra2-deploy/ra2-deploy/images/guest"
	"github.com/ra2-deploy/ra2-deploy/images/pack"
)

// maker makes what is in no repository: packages and container images of
// programs that are built here. Each result is kept in the cache.
type maker struct {
	recipe   Recipe
	format   pack.Format
	node     string // file: the ra2-node program; "" for none
	cache    cache
	compiler string // of the Go tool here, "go1.26.8"
	report   func(Progress)
}

// origin gives where a package's or image's program comes from, as the source
// of a bundle's item: "go:k8s.io/kubernetes@v1.37.2 h1:…". One of our own
// programs has the sum of its text in the place of a module's.
func (r Recipe) origin(program string) string {
	for _, m := range r.Modules {
		if slices.ContainsFunc(m.Programs, func(p gomod.Program) bool { return p.Name == program }) {
			return fmt.Sprintf("go:%s@%s %s", m.Path, m.Version, m.Sum)
		}
	}
	return fmt.Sprintf("go:github.com/ra2-deploy/ra2-deploy/images/guest/%s@v0.0.0 sha256:%s", program, sumOf(guest.Sources()[program]))
}

// sumOf returns the digest of a program's text: of its files, one after the other in
// the order of their names.
func sumOf(files map[string][]byte) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum.Write(files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// version gives a package's version: of its module, or its own.
func (r Recipe) version(p Package) string {
	for _, m := range r.Modules {
		if m.Path == p.Module {
			return m.Version
		}
	}
	return p.Version
}

// fromModules gives the packages that are made of programs built here.
func (r Recipe) fromModules() []Package {
	return slices.DeleteFunc(slices.Clone(r.Packages), func(p Package) bool { return p.Name == NodePackage })
}

// describe turns a package of the recipe into one that can be written, given
// its programs (name to file).
func (m maker) describe(p Package, programs map[string]string) (pack.Package, error) {
	out := pack.Package{
		Name: p.Name, Version: m.recipe.version(p), Summary: p.Summary, License: p.License, Homepage: p.Homepage, Depends: p.Depends[string(m.format)],
	}
	for _, to := range slices.Sorted(maps.Keys(p.Programs)) {
		out.Source = m.recipe.origin(p.Programs[to])
		out.Files = append(out.Files, pack.File{Path: to, Host: programs[p.Programs[to]], Mode: 0o755})
	}
	for _, name := range p.Files {
		text, err := m.recipe.laid(name)
		if err != nil {
			return pack.Package{}, err
		}
		out.Files = append(out.Files, pack.File{Path: "/" + name, Data: text, Mode: 0o644})
	}
	return out, nil
}

// laid gives a file of files/ as an image has it.
func (r Recipe) laid(name string) ([]byte, error) {
	text, err := readLaid(name)
	if err != nil {
		return nil, err
	}
	pause, err := r.pause()
	return []byte(strings.ReplaceAll(string(text), "@PAUSE@", pause)), err
}

// pack gives the package file, made of programs that are there.
func (m maker) pack(p Package, programs map[string]string) (pack.Package, string, error) {
	described, err := m.describe(p, programs)
	if err != nil {
		return pack.Package{}, "", err
	}
	file, err := m.write(described, programs)
	return described, file, err
}

// write writes a package into the cache.
func (m maker) write(p pack.Package, programs map[string]string) (string, error) {
	inputs := []any{ownEdition, m.format, p.Name, p.Version, p.Release, p.Summary, p.License, p.Homepage, p.Source, p.Depends}
	for _, file := range p.Files {
		content := any(file.Data)
		if file.Host != "" {
			sum, err := digestFile(file.Host)
			if err != nil {
				return "", err
			}
			content = sum
		}
		inputs = append(inputs, file.Path, content)
	}
	dir, err := m.cache.make("own", key(inputs), func(dir string) error {
		out, err := os.Create(filepath.Join(dir, p.FileName(m.format)))
		if err != nil {
			return err
		}
		defer out.Close()
		if err := p.Write(out, m.format); err != nil {
			return err
		}
		return out.Close()
	})
	return filepath.Join(dir, p.FileName(m.format)), err
}

// nodePackage packs the ra2-node program of this host. Its version is made of
// its digest: another program is another version.
func (m maker) nodePackage() (pack.Package, string, error) {
	sum, err := digestFile(m.node)
	if err != nil {
		return pack.Package{}, "", err
	}
	i := slices.IndexFunc(m.recipe.Packages, func(p Package) bool { return p.Name == NodePackage })
	if i < 0 {
		return pack.Package{}, "", fmt.Errorf("the recipe has no package %s", NodePackage)
	}
	p := m.recipe.Packages[i]
	p.Version = "0.0+" + sum[:12]
	described, err := m.describe(p, map[string]string{NodePackage: m.node})
	if err != nil {
		return pack.Package{}, "", err
	}
	described.Source = "file:" + path.Base(m.node) + " sha256:" + sum
	file, err := m.write(described, nil)
	return described, file, err
}

// built builds all programs, one after the other: they share the compiled
// packages, and each uses all processors by itself.
func (m maker) built(ctx context.Context) (map[string]string, error) {
	programs := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(guest.Sources())) {
		source := guest.Sources()[name]
		dir, err := m.cache.make("program", key([]any{programEdition, name, source, m.compiler}), func(dir string) error {
			return m.cache.inScratch(func(scratch string) error {
				return gomod.CompileSource(ctx, name, source, scratch, filepath.Join(dir, name))
			})
		})
		if err != nil {
			return nil, err
		}
		programs[name] = filepath.Join(dir, name)
	}
	for _, module := range m.recipe.Modules {
		if err := m.module(ctx, module, programs); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// module builds those programs of one module that aren't there yet.
func (m maker) module(ctx context.Context, module gomod.Module, programs map[string]string) error {
	var missing []gomod.Program
	for _, p := range module.Programs {
		k := module.Key(p, m.compiler)
		programs[p.Name] = filepath.Join(m.cache.path("program", k), p.Name)
		if !m.cache.has("program", k) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return m.cache.inScratch(func(work string) error {
		m.report(Progress{fmt.Sprintf("download module %s@%s", module.Path, module.Version), ""})
		if err := module.Prepare(ctx, work); err != nil {
			return err
		}
		for _, p := range missing {
			m.report(Progress{fmt.Sprintf("build %s %s", p.Name, module.Version), p.Takes})
			_, err := m.cache.make("program", module.Key(p, m.compiler), func(dir string) error {
				return module.Compile(ctx, p, work, filepath.Join(dir, p.Name))
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
