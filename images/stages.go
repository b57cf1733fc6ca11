package images

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/gomod"
	"github.com/ra2-deploy/ra2-deploy/images/guest"
	"github.com/ra2-deploy/ra2-deploy/images/oci"
)

// loaderFiles are the network boot loaders that are offered, as Debian's
// package ipxe names them. The last is for virtual media.
func loaderFiles() []string {
	return []string{"undionly.kpxe", "snponly.efi", "ipxe.efi", "ipxe.iso"}
}

// packageList is the file in a folder of unpacked packages that names them.
const packageList = "ra2-packages"

// pieces are the finished results that an image is put together from.
type pieces struct {
	base, kernel, loaders string            // folders
	programs              map[string]string // name to file
	data                  string            // folder of data.ext4
}

// tree gives the installed Debian system.
func (b *builder) tree(ctx context.Context) (string, error) {
	include := slices.Clone(b.distro.Base)
	if b.spec.Kubernetes {
		include = append(include, b.distro.Kubernetes...)
	}
	k := key([]any{treeEdition, b.distro.Archive, include})
	if !b.cache.has("tree", k) {
		b.report(Progress{fmt.Sprintf("install %s from %s", b.spec.Distribution, b.distro.Archive.Mirror), "45 s"})
	}
	dir, err := b.cache.make("tree", k, func(dir string) error {
		return b.distro.Archive.System(ctx, filepath.Join(dir, "root"), include)
	})
	return filepath.Join(dir, "root"), err
}

// packages gives a folder with unpacked Debian packages.
func (b *builder) packages(ctx context.Context, names []string, doing, takes string) (string, error) {
	k := key([]any{packageEdition, b.distro.Archive, names})
	if !b.cache.has("package", k) {
		b.report(Progress{doing + ": " + strings.Join(names, ", "), takes})
	}
	return b.cache.make("package", k, func(dir string) error {
		unpacked, err := b.distro.Archive.Unpack(ctx, dir, names)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, packageList), []byte(strings.Join(unpacked, "\n")+"\n"), 0o644)
	})
}

// publishLoaders copies the network boot loaders to where they are served from.
func (b *builder) publishLoaders(from string) error {
	to := Loaders(b.cache.dir)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range loaderFiles() {
		data, err := os.ReadFile(filepath.Join(from, "usr/lib/ipxe", name))
		if err != nil {
			return fmt.Errorf("network boot loaders: %w", err)
		}
		scratch := filepath.Join(to, "."+name)
		if err := os.WriteFile(scratch, data, 0o644); err != nil {
			return err
		}
		if err := os.Rename(scratch, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// programs builds all programs, one after the other: they share the compiled
// packages, and each uses all processors by itself.
func (b *builder) programs(ctx context.Context) (map[string]string, error) {
	built := map[string]string{}
	for _, name := range sortedNames(guest.Sources()) {
		source := guest.Sources()[name]
		dir, err := b.cache.make("program", key([]any{programEdition, name, source, b.compiler}), func(dir string) error {
			return b.inScratch(func(scratch string) error {
				return gomod.CompileSource(ctx, name, source, scratch, filepath.Join(dir, name))
			})
		})
		if err != nil {
			return nil, err
		}
		built[name] = filepath.Join(dir, name)
	}
	for _, m := range b.recipe.Modules {
		if err := b.module(ctx, m, built); err != nil {
			return nil, err
		}
	}
	return built, nil
}

// module builds those programs of one module that aren't there yet.
func (b *builder) module(ctx context.Context, m gomod.Module, built map[string]string) error {
	var missing []gomod.Program
	for _, p := range m.Programs {
		k := m.Key(p, b.compiler)
		built[p.Name] = filepath.Join(b.cache.path("program", k), p.Name)
		if !b.cache.has("program", k) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return b.inScratch(func(work string) error {
		b.report(Progress{fmt.Sprintf("download module %s@%s", m.Path, m.Version), ""})
		if err := m.Prepare(ctx, work); err != nil {
			return err
		}
		for _, p := range missing {
			b.report(Progress{fmt.Sprintf("build %s %s", p.Name, m.Version), p.Takes})
			_, err := b.cache.make("program", m.Key(p, b.compiler), func(dir string) error {
				return m.Compile(ctx, p, work, filepath.Join(dir, p.Name))
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *builder) inScratch(work func(dir string) error) error {
	dir, err := b.cache.scratch("work")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return work(dir)
}

// container gives the archive of one container image.
func (b *builder) container(c Container, p pieces) (string, error) {
	inputs := []any{containerEdition, c, filepath.Base(filepath.Dir(p.base))}
	files := map[string]string{}
	for _, path := range sortedKeys(c.Files) {
		file := p.programs[c.Files[path]]
		files[path] = file
		inputs = append(inputs, path, filepath.Base(filepath.Dir(file))) // the program's key
	}
	for _, program := range c.Debian {
		closure, err := oci.Closure(p.base, program)
		if err != nil {
			return "", err
		}
		maps.Copy(files, closure)
	}
	k := key(inputs)
	if !b.cache.has("container", k) {
		b.report(Progress{"make container image " + c.Name, ""})
	}
	dir, err := b.cache.make("container", k, func(dir string) error {
		out, err := os.Create(filepath.Join(dir, "image.tar"))
		if err != nil {
			return err
		}
		defer out.Close()
		if err := (oci.Image{Name: c.Name, Files: files, Entrypoint: c.Entrypoint}).Write(out); err != nil {
			return err
		}
		return out.Close()
	})
	return filepath.Join(dir, "image.tar"), err
}

// data gives the folder of the data partition's file system, data.ext4.
func (b *builder) data(ctx context.Context, p pieces) (string, error) {
	archives := map[string]string{}
	inputs := []any{dataEdition, hostConfig, b.spec.Kubernetes}
	if b.spec.Kubernetes {
		inputs = append(inputs, filepath.Base(filepath.Dir(p.programs["containerd"])))
		for _, c := range b.recipe.Containers {
			archive, err := b.container(c, p)
			if err != nil {
				return "", err
			}
			archives[c.Name] = archive
			inputs = append(inputs, c.Name, filepath.Base(filepath.Dir(archive)))
		}
	}
	k := key(inputs)
	if !b.cache.has("data", k) {
		b.report(Progress{"make the data partition", "20 s"})
	}
	return b.cache.make("data", k, func(dir string) error {
		return b.inScratch(func(tree string) error { return b.fillData(ctx, p, tree, dir, k, archives) })
	})
}

func (b *builder) fillData(ctx context.Context, p pieces, tree, dir, seed string, archives map[string]string) error {
	if err := os.Chmod(tree, 0o755); err != nil {
		return err
	}
	for name, mode := range dataDirs() {
		if err := os.Mkdir(filepath.Join(tree, name), mode); err != nil {
			return err
		}
	}
	if len(archives) > 0 {
		root := filepath.Join(tree, "var-lib-containerd")
		if err := fillStore(ctx, p.programs["containerd"], p.programs["ctr"], root, archives); err != nil {
			return err
		}
	}
	return disk.Ext4(ctx, filepath.Join(dir, "data.ext4"), seed, disk.NameData, tree)
}

func sortedNames(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }
