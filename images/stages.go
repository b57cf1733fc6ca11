package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// loaderFiles are the network boot loaders that are offered, by the names of
// iPXE's own build. The last is for virtual media.
func loaderFiles() []string {
	return []string{"undionly.kpxe", "snponly.efi", "ipxe.efi", "ipxe.iso"}
}

// packageList is the file in a folder of unpacked packages that names them.
const packageList = "ra2-packages"

// pieces are the finished results that an image is put together from.
type pieces struct {
	content
	base, kernel, loaders string // folders
	node                  string // file: the package of ra2-node
	data                  string // folder of data.ext4
}

// pieces makes all that an image is put together from. What is installed and
// what the containers need are made at the same time.
func (b *builder) pieces(ctx context.Context) (pieces, error) {
	c, err := b.content(ctx)
	if err != nil {
		return pieces{}, err
	}
	p := pieces{content: c}
	if p.node, err = b.nodeFile(c); err != nil {
		return pieces{}, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { p.base, err = b.tree(ctx, c); return err })
	g.Go(func() (err error) { p.data, err = b.data(ctx, c); return err })
	g.Go(func() (err error) {
		p.kernel, err = b.unpack(ctx, c, "kernel", b.distro.Kernels[b.spec.Kernel])
		return err
	})
	g.Go(func() (err error) {
		if p.loaders, err = b.unpack(ctx, c, "boot loaders", b.distro.Loaders); err != nil {
			return err
		}
		return b.publishLoaders(p.loaders)
	})
	return p, g.Wait()
}

// tree gives the installed system, without ra2-node.
func (b *builder) tree(ctx context.Context, c content) (string, error) {
	names := b.distro.installed(b.spec.Kubernetes)
	from := c.without(append(b.distro.unpacked(), NodePackage))
	k := key([]any{treeEdition, b.distro.Family, b.distro.Archive.Suite, b.distro.Database, identities(from), names})
	if !b.cache.has("tree", k) {
		b.report(Progress{fmt.Sprintf("install %s, %d packages to choose from", b.spec.Distribution, len(from)), "20 s"})
	}
	dir, err := b.cache.make("tree", k, func(dir string) error {
		if err := verified(from); err != nil {
			return err
		}
		f, err := b.distro.family()
		if err != nil {
			return err
		}
		return f.System(ctx, filepath.Join(dir, "root"), from, names)
	})
	return filepath.Join(dir, "root"), err
}

// unpack gives a folder with unpacked packages.
func (b *builder) unpack(ctx context.Context, c content, what string, names []string) (string, error) {
	packages := c.of(c.packages)
	wanted, err := family.Pick(packages, names)
	if err != nil {
		return "", err
	}
	k := key([]any{packageEdition, b.distro.Family, identities(wanted)})
	if !b.cache.has("package", k) {
		b.report(Progress{"unpack " + what + ": " + strings.Join(names, ", "), ""})
	}
	return b.cache.make("package", k, func(dir string) error {
		f, err := b.distro.family()
		if err != nil {
			return err
		}
		unpacked, err := f.Unpack(ctx, dir, packages, names)
		if err != nil {
			return err
		}
		if err := verified(unpacked); err != nil {
			return err
		}
		lines := make([]string, len(unpacked))
		for n, p := range unpacked {
			lines[n] = p.String() + "\n"
		}
		return os.WriteFile(filepath.Join(dir, packageList), []byte(strings.Join(lines, "")), 0o644)
	})
}

// publishLoaders copies the network boot loaders to where they are served from.
func (b *builder) publishLoaders(from string) error {
	to := Loaders(b.cache.dir)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range loaderFiles() {
		if err := publishLoader(filepath.Join(from, b.distro.Boot.network(name)), filepath.Join(to, name)); err != nil {
			return fmt.Errorf("network boot loaders: %w", err)
		}
	}
	return nil
}

// publishLoader copies a loader, which appears whole or not at all.
func publishLoader(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	scratch, err := os.CreateTemp(filepath.Dir(to), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(scratch.Name()) // when it has its name, there is nothing to remove
	_, err = scratch.Write(data)
	if err = errors.Join(err, scratch.Chmod(0o644), scratch.Close()); err != nil {
		return err
	}
	return os.Rename(scratch.Name(), to)
}
