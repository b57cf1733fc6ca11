package images

import (
	"bufio"
	"context"
	"debug/buildinfo"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// moduleList is the file beside data.ext4 that names the Go modules of the
// programs in the container images, "path version" in each line.
const moduleList = "modules"

// dataPacked is data.ext4 compressed: the largest part of an image changes least.
const dataPacked = "data.ext4.zst"

// data gives the folder of the data partition's file system, data.ext4.
func (b *builder) data(ctx context.Context, c content) (string, error) {
	inputs := []any{dataEdition, hostConfig, b.spec.Kubernetes}
	var tools []family.Package
	var images []bundle.Item
	if b.spec.Kubernetes {
		var err error
		if tools, err = family.Pick(c.of(c.packages), []string{"containerd", "containerd-ctr"}); err != nil {
			return "", err
		}
		for _, container := range b.recipe.Containers {
			i, err := c.bundle.Find(bundle.Image, container.Name)
			if err != nil {
				return "", err
			}
			images = append(images, i)
			inputs = append(inputs, i.Name, i.Digest)
		}
		inputs = append(inputs, identities(tools[:1]))
	}
	k := key(inputs)
	if !b.cache.has("data", k) {
		b.report(Progress{"make the data partition", "15 s"})
	}
	return b.cache.make("data", k, func(dir string) error {
		return b.cache.inScratch(func(scratch string) error { return b.fillData(ctx, c, tools, images, scratch, dir, k) })
	})
}

func (b *builder) fillData(ctx context.Context, c content, tools []family.Package, images []bundle.Item, scratch, dir, seed string) error {
	tree := filepath.Join(scratch, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	for name, mode := range dataDirs() {
		if err := os.Mkdir(filepath.Join(tree, name), mode); err != nil {
			return err
		}
	}
	modules := map[string]bool{}
	if len(images) > 0 {
		root := filepath.Join(tree, "var-lib-containerd")
		if err := b.preload(ctx, c, tools, images, filepath.Join(scratch, "tools"), root); err != nil {
			return err
		}
		if err := modulesIn(root, modules); err != nil {
			return err
		}
	}
	text := strings.Join(slices.Sorted(maps.Keys(modules)), "\n")
	if err := os.WriteFile(filepath.Join(dir, moduleList), []byte(text), 0o644); err != nil {
		return err
	}
	file := filepath.Join(dir, "data.ext4")
	if err := disk.Ext4(ctx, file, seed, disk.NameData, tree); err != nil {
		return err
	}
	return packFile(file, filepath.Join(dir, dataPacked))
}

// preload fills the store at root with containerd of the bundle, which runs on
// this host for the moment: its programs are static.
func (b *builder) preload(ctx context.Context, c content, tools []family.Package, images []bundle.Item, unpacked, root string) error {
	if err := verified(tools); err != nil {
		return err
	}
	f, err := b.distro.family()
	if err != nil {
		return err
	}
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		return err
	}
	if _, err := f.Unpack(ctx, unpacked, tools, []string{"containerd", "containerd-ctr"}); err != nil {
		return err
	}
	return fillStore(ctx, filepath.Join(unpacked, "usr/bin/containerd"), filepath.Join(unpacked, "usr/bin/ctr"), root, c.bundle, images)
}

// modulesIn adds the Go modules, "path version", of all programs below dir, as
// each says itself what it was built from.
func modulesIn(dir string, to map[string]bool) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode()&0o111 == 0 || !isELF(name) {
			return err
		}
		built, err := buildinfo.ReadFile(name)
		if err != nil {
			return nil // no Go program
		}
		to["std "+strings.TrimPrefix(built.GoVersion, "go")] = true
		for _, d := range built.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			to[d.Path+" "+d.Version] = true
		}
		return nil
	})
}

// isELF tells whether a file is a program or a library.
func isELF(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	_, err = f.Read(magic)
	return err == nil && string(magic) == "\x7fELF"
}

// readModules reads a list that fillData has written.
func readModules(dir string, to map[string]bool) error {
	f, err := os.Open(filepath.Join(dir, moduleList))
	if err != nil {
		return fmt.Errorf("modules of the container images: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		to[lines.Text()] = true
	}
	return lines.Err()
}
