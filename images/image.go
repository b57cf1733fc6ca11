package images

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/initrd"
)

// image puts the disk together and publishes it under its digest.
func (b *builder) image(ctx context.Context, p pieces) (_ Manifest, err error) {
	scratch, err := b.cache.scratch("image")
	if err != nil {
		return Manifest{}, err
	}
	defer func() { err = discard(scratch, err) }()
	work, out := filepath.Join(scratch, "work"), filepath.Join(scratch, "out")
	for _, dir := range []string{work, out, filepath.Join(work, "root")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return Manifest{}, err
		}
	}
	m := Manifest{Distribution: b.spec.Distribution, Kernel: b.spec.Kernel, Bundle: string(p.bundle.Digest())}
	if m.Inputs, err = b.identity(p); err != nil {
		return Manifest{}, err
	}
	if b.spec.Kubernetes {
		m.KubernetesVersion = b.recipe.Kubernetes
	}
	root := filepath.Join(work, "root")
	b.report(Progress{"assemble the root file system", "5 s"})
	k, err := b.root(ctx, p, root)
	if err != nil {
		return Manifest{}, err
	}
	m.KernelRelease = k.release
	if m.Packages, err = b.packageNames(ctx, p, root); err != nil {
		return Manifest{}, err
	}
	if m.Units, err = unitsOf(root); err != nil {
		return Manifest{}, err
	}
	if m.Sysctls, err = sysctlsOf(root); err != nil {
		return Manifest{}, err
	}
	if err := b.writeSBOM(p, root, out, m); err != nil {
		return Manifest{}, err
	}
	b.report(Progress{"write and compress the disk image", "10 s"})
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.boot(k, root, out, &m) })
	g.Go(func() error { return disk.Erofs(gctx, filepath.Join(work, rootFile), m.Inputs, root) })
	if err := g.Wait(); err != nil {
		return Manifest{}, err
	}
	if err := b.disk(ctx, p, work, out, &m); err != nil {
		return Manifest{}, err
	}
	return b.publish(out, m)
}

// identity addresses all that the image is put together from, wherever it came
// from: a bundle that is given and the same one made here give the same image.
func (b *builder) identity(p pieces) (string, error) {
	laid, err := digestTree(files)
	if err != nil {
		return "", err
	}
	inputs := []any{imageEdition, b.spec.Distribution, b.spec.Kernel, b.spec.Kubernetes, laid, b.distro.Boot, b.distro.chrony(), b.distro.Links}
	for _, made := range []string{filepath.Dir(p.base), p.kernel, p.loaders, p.data} {
		inputs = append(inputs, filepath.Base(made))
	}
	node, err := digestFile(p.node) // a file of the cache, or of the bundle
	if err != nil {
		return "", err
	}
	return key(append(inputs, node)), nil
}

// root assembles the root tree.
func (b *builder) root(ctx context.Context, p pieces, dir string) (kernel, error) {
	f, err := b.distro.family()
	if err != nil {
		return kernel{}, err
	}
	return system{kubernetes: b.spec.Kubernetes, recipe: b.recipe, base: p.base, kernel: p.kernel, node: p.node, family: f,
		chrony: b.distro.chrony(), links: b.distro.Links}.assemble(ctx, dir)
}

// boot writes kernel and initrd into out.
func (b *builder) boot(k kernel, root, out string, m *Manifest) error {
	image, err := os.ReadFile(k.image)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, FileKernel), image, 0o644); err != nil {
		return err
	}
	modules, err := initrd.ReadModules(filepath.Join(root, "usr/lib/modules", m.KernelRelease))
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(out, FileInitrd))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := initrd.Write(f, initrd.Contents{Init: filepath.Join(root, "usr/bin/ra2-node"), Modules: modules, Choose: initrd.Boot}); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if m.KernelDigest, err = digestFile(filepath.Join(out, FileKernel)); err != nil {
		return err
	}
	m.InitrdDigest, err = digestFile(filepath.Join(out, FileInitrd))
	return err
}

// rootFile is the file system of the root while it is put together.
const rootFile = "root.erofs"

// disk makes what is missing of the file systems in work, and the compressed
// disk in out. The root is there: its hash is on the kernel line, which the
// system partition holds.
func (b *builder) disk(ctx context.Context, p pieces, work, out string, m *Manifest) error {
	parts := disk.Parts{
		Seed:     m.Inputs,
		BootCode: filepath.Join(p.loaders, b.distro.Boot.BIOS),
		ESP:      filepath.Join(work, "esp.fat"),
		Root:     filepath.Join(work, rootFile),
		Verity:   filepath.Join(work, "root.verity"),
		Data:     filepath.Join(p.data, "data.ext4"),
	}
	var err error
	if parts.RootHash, err = disk.Verity(parts.Verity, m.Inputs, parts.Root); err != nil {
		return err
	}
	m.RootHash, m.KernelLine = parts.RootHash, KernelLine(parts.RootHash)
	esp, err := loaderFilesOf(m.KernelLine, work)
	if err != nil {
		return err
	}
	esp[firmwareStarts] = filepath.Join(p.loaders, b.distro.Boot.EFI)
	esp["/ra2/kernel"], esp["/ra2/initrd"] = filepath.Join(out, FileKernel), filepath.Join(out, FileInitrd)
	if err := b.secure(p, work, out, m, esp); err != nil {
		return err
	}
	if err := disk.ESP(ctx, parts.ESP, m.Inputs, esp); err != nil {
		return err
	}
	if err := findRoom(parts.ESP, esp, m); err != nil {
		return err
	}
	var g errgroup.Group // each looks at all of the files
	g.Go(func() error { return measure(parts, m) })
	g.Go(func() error {
		return compress(filepath.Join(out, FileImage), parts, map[string]string{disk.NameData: filepath.Join(p.data, dataPacked)}, m)
	})
	return g.Wait()
}

// measure notes the digest and the size of each partition.
func measure(parts disk.Parts, m *Manifest) error {
	m.Parts, m.PartBytes = map[string]string{}, map[string]int64{}
	for name, file := range map[string]string{disk.NameESP: parts.ESP, disk.NameRoot: parts.Root, disk.NameVerity: parts.Verity, disk.NameData: parts.Data} {
		digest, err := digestFile(file)
		if err != nil {
			return err
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		m.Parts[name], m.PartBytes[name] = digest, info.Size()
	}
	return nil
}

// publish moves the finished image to its place, last of all the note that
// these inputs are done.
func (b *builder) publish(out string, m Manifest) (Manifest, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Manifest{}, err
	}
	if err := os.WriteFile(filepath.Join(out, FileManifest), append(text, '\n'), 0o644); err != nil {
		return Manifest{}, err
	}
	m.Dir = filepath.Join(b.cache.dir, "images", m.Digest)
	if err := os.RemoveAll(m.Dir); err != nil { // the same bytes, from other inputs or with a part missing
		return Manifest{}, err
	}
	if err := publish(out, m.Dir); err != nil {
		return Manifest{}, err
	}
	return m, b.note(m.Digest)
}

// note writes down which image these inputs give.
func (b *builder) note(digest string) error {
	if err := os.RemoveAll(b.cache.path("input", b.inputs)); err != nil {
		return err
	}
	_, err := b.cache.make("input", b.inputs, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "digest"), []byte(digest), 0o644)
	})
	return err
}

// packageNames lists all packages in the image, "name version": those that the
// root's own database has, and those that were unpacked.
func (b *builder) packageNames(ctx context.Context, p pieces, root string) ([]string, error) {
	f, err := b.distro.family()
	if err != nil {
		return nil, err
	}
	installed, err := f.Installed(ctx, root)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, one := range installed {
		all = append(all, one.String())
	}
	for _, dir := range []string{p.kernel, p.loaders} {
		text, err := os.ReadFile(filepath.Join(dir, packageList))
		if err != nil {
			return nil, err
		}
		all = append(all, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
