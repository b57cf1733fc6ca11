package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/initrd"
)

// KernelLine is what the installed system's boot loader gives the kernel. The
// last console is the one that /init and systemd write to: the serial line,
// which is captured. No secret is ever on it.
const KernelLine = "ra2.mode=boot ra2.root=PARTLABEL=ra2-root console=tty0 console=ttyS0,115200"

const loaderConf = "default ra2.conf\ntimeout 0\neditor no\n"

const loaderEntry = "title ra2\nlinux /ra2/kernel\ninitrd /ra2/initrd\noptions " + KernelLine + "\n"

const syslinuxConf = "SERIAL 0 115200\nPROMPT 0\nTIMEOUT 1\nDEFAULT ra2\nLABEL ra2\n  LINUX /ra2/kernel\n  INITRD /ra2/initrd\n  APPEND " + KernelLine + "\n"

// image puts the disk together and publishes it under its digest.
func (b *builder) image(ctx context.Context, p pieces) (Manifest, error) {
	scratch, err := b.cache.scratch("image")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(scratch)
	work, out := filepath.Join(scratch, "work"), filepath.Join(scratch, "out")
	for _, dir := range []string{work, out, filepath.Join(work, "root")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return Manifest{}, err
		}
	}
	m := Manifest{Distribution: b.spec.Distribution, Kernel: b.spec.Kernel, Inputs: b.inputs}
	if b.spec.Kubernetes {
		m.KubernetesVersion = b.recipe.Kubernetes
	}
	if m.Packages, err = b.packageNames(p); err != nil {
		return Manifest{}, err
	}
	b.report(Progress{"assemble the root file system", "15 s"})
	if m.KernelRelease, err = b.root(ctx, p, filepath.Join(work, "root")); err != nil {
		return Manifest{}, err
	}
	if err := b.writeSBOM(p, filepath.Join(work, "root"), out, m); err != nil {
		return Manifest{}, err
	}
	if err := b.boot(p, filepath.Join(work, "root"), out, &m); err != nil {
		return Manifest{}, err
	}
	b.report(Progress{"write and compress the disk image", "20 s"})
	if err := b.disk(ctx, p, work, out, &m); err != nil {
		return Manifest{}, err
	}
	return b.publish(out, m)
}

// root assembles the root tree.
func (b *builder) root(ctx context.Context, p pieces, dir string) (string, error) {
	s := system{kubernetes: b.spec.Kubernetes, base: p.base, kernel: p.kernel, programs: map[string]string{"usr/bin/ra2-node": b.spec.Node}}
	if s.kubernetes {
		for _, name := range []string{"kubeadm", "kubelet", "containerd", "containerd-shim-runc-v2"} {
			s.programs["usr/bin/"+name] = p.programs[name]
		}
		s.programs["usr/lib/cni/flannel"] = p.programs["flannel"]
		var err error
		if s.pause, err = b.recipe.pause(); err != nil {
			return "", err
		}
	}
	return s.assemble(ctx, dir)
}

// boot writes kernel and initrd into out.
func (b *builder) boot(p pieces, root, out string, m *Manifest) error {
	kernel, err := os.ReadFile(filepath.Join(p.kernel, "boot", "vmlinuz-"+m.KernelRelease))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, FileKernel), kernel, 0o644); err != nil {
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
	if err := initrd.Write(f, initrd.Contents{Init: b.spec.Node, Modules: modules, Choose: initrd.Boot}); err != nil {
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

// disk makes the file systems in work and the compressed disk in out.
func (b *builder) disk(ctx context.Context, p pieces, work, out string, m *Manifest) error {
	esp := map[string]string{
		"/EFI/BOOT/BOOTX64.EFI": filepath.Join(p.loaders, "usr/lib/systemd/boot/efi/systemd-bootx64.efi"),
		"/ra2/kernel":           filepath.Join(out, FileKernel),
		"/ra2/initrd":           filepath.Join(out, FileInitrd),
	}
	for name, text := range map[string]string{"/loader/loader.conf": loaderConf, "/loader/entries/ra2.conf": loaderEntry, "/syslinux.cfg": syslinuxConf} {
		esp[name] = filepath.Join(work, filepath.Base(name))
		if err := os.WriteFile(esp[name], []byte(text), 0o644); err != nil {
			return err
		}
	}
	parts := disk.Parts{
		Seed:     b.inputs,
		BootCode: filepath.Join(p.loaders, "usr/lib/syslinux/mbr/gptmbr.bin"),
		ESP:      filepath.Join(work, "esp.fat"),
		Root:     filepath.Join(work, "root.erofs"),
		Data:     filepath.Join(p.data, "data.ext4"),
	}
	if err := disk.Erofs(ctx, parts.Root, b.inputs, filepath.Join(work, "root")); err != nil {
		return err
	}
	if err := disk.ESP(ctx, parts.ESP, b.inputs, esp); err != nil {
		return err
	}
	m.Parts = map[string]string{}
	for name, file := range map[string]string{disk.NameESP: parts.ESP, disk.NameRoot: parts.Root, disk.NameData: parts.Data} {
		digest, err := digestFile(file)
		if err != nil {
			return err
		}
		m.Parts[name] = digest
	}
	return compress(filepath.Join(out, FileImage), parts, m)
}

// compress writes the disk through both digests and zstd in one pass; the raw
// disk never lies on this host.
func compress(name string, parts disk.Parts, m *Manifest) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	packed, raw := sha256.New(), sha256.New()
	z, err := zstd.NewWriter(io.MultiWriter(f, packed), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return err
	}
	if m.RawBytes, err = disk.Write(io.MultiWriter(z, raw), parts); err != nil {
		z.Close()
		return err
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("compress the disk: %w", err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m.CompressedBytes = info.Size()
	m.Digest, m.CompressedDigest = hex.EncodeToString(raw.Sum(nil)), hex.EncodeToString(packed.Sum(nil))
	return f.Close()
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
	if err := os.RemoveAll(b.cache.path("input", b.inputs)); err != nil {
		return Manifest{}, err
	}
	_, err = b.cache.make("input", b.inputs, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "digest"), []byte(m.Digest), 0o644)
	})
	return m, err
}

// packageNames lists all Debian packages in the image, "name version".
func (b *builder) packageNames(p pieces) ([]string, error) {
	all, err := deb.Installed(p.base)
	if err != nil {
		return nil, err
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
