package provisioner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/rpm"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/templates"
)

// imageFiles is one built image and the loaders beside it.
type imageFiles struct {
	cache    string
	manifest images.Manifest
	keys     bootKeys         // of Secure Boot
	addons   map[string]addon // words of a class to its signed add-on, see signed
}

// ImageSpec returns the image that an inventory wants. ra2-node is the program
// beside ra2-deploy, where there is one: a site whose bundle carries the finished
// image has no use for it. The keys of Secure Boot are read from where the
// inventory at path says.
func ImageSpec(c inventory.Cluster, path string) (images.Spec, error) {
	keys, err := readKeys(c, filepath.Dir(path))
	if err != nil {
		return images.Spec{}, err
	}
	return imageSpec(c, keys)
}

func imageSpec(c inventory.Cluster, keys bootKeys) (images.Spec, error) {
	self, err := os.Executable()
	if err != nil {
		return images.Spec{}, err
	}
	var repositories []rpm.Repository
	for _, r := range c.Image.Repositories {
		repositories = append(repositories, rpm.Repository(r))
	}
	spec := images.Spec{
		Repositories: repositories,
		Distribution: c.Image.Distribution, Kernel: c.Image.Kernel, Kubernetes: c.Image.Kubernetes,
		Node: filepath.Join(filepath.Dir(self), "ra2-node"), SignedBy: keys.fingerprint(), Signer: keys.signer,
	}
	if _, err := os.Stat(spec.Node); errors.Is(err, fs.ErrNotExist) {
		spec.Node = ""
	}
	return spec, nil
}

// image returns how to get the run's image: it is looked for once, when it is
// first needed.
func (r *Run) image(open bundleOpener) func() (imageFiles, error) {
	return sync.OnceValues(func() (imageFiles, error) {
		if r.options.Bundle == "" || r.options.Image != "" {
			return findImage(r.options, r.want, r.bootKeys)
		}
		b, err := open()
		if err != nil {
			return imageFiles{}, err
		}
		return carriedImage(b, r.options, r.want, r.bootKeys)
	})
}

// findImage returns the built image that the inventory wants, complete; or the
// one that the options name, if it fits the inventory.
func findImage(o Options, c inventory.Cluster, keys bootKeys) (imageFiles, error) {
	var m images.Manifest
	var err error
	if o.Image != "" {
		m, err = images.Find(o.Cache, strings.TrimPrefix(o.Image, "sha256:"))
	} else {
		var spec images.Spec
		if spec, err = imageSpec(c, keys); err != nil {
			return imageFiles{}, err
		}
		m, err = images.Built(spec, o.Cache)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Image != "":
		return imageFiles{}, fmt.Errorf("%w: %w\nnext: ls %s   (the digests of the images that are built)", ErrUsage, err, filepath.Join(o.Cache, "images"))
	case errors.Is(err, fs.ErrNotExist):
		return imageFiles{}, fmt.Errorf("%w: %w\nnext: ra2-deploy image build %s --cache %s", ErrUsage, err, o.Inventory, o.Cache)
	case err != nil:
		return imageFiles{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return imageFiles{cache: o.Cache, manifest: m, keys: keys}, errors.Join(fits(m, c), keys.fit(m))
}

// carriedImage returns the finished image that a bundle carries. From then on it
// is the one that the inventory wants, so that commands which aren't told of the
// bundle find it, too. A bundle without one may have been built from before.
func carriedImage(b bundle.Bundle, o Options, c inventory.Cluster, keys bootKeys) (imageFiles, error) {
	spec, err := imageSpec(c, keys)
	if err != nil {
		return imageFiles{}, err
	}
	m, err := images.Carried(b, spec, o.Cache)
	if errors.Is(err, images.ErrNotCarried) {
		if m, err = images.Built(spec, o.Cache); errors.Is(err, fs.ErrNotExist) {
			return imageFiles{}, fmt.Errorf("%w: the bundle carries no finished image of %s with kernel %s, and none was built of it\nnext: ra2-deploy image build --bundle %s %s --cache %s   (or make the bundle with --image)",
				ErrUsage, spec.Distribution, spec.Kernel, o.Bundle, o.Inventory, o.Cache)
		}
	} else if err == nil {
		err = images.Choose(spec, o.Cache, m)
	}
	if err != nil {
		return imageFiles{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return imageFiles{cache: o.Cache, manifest: m, keys: keys}, errors.Join(fits(m, c), keys.fit(m))
}

// fits refuses an image that is not what the inventory asks for.
func fits(m images.Manifest, c inventory.Cluster) error {
	want, got := c.Kubernetes.Version, m.KubernetesVersion
	if !c.Image.Kubernetes {
		want = got // without a cluster it doesn't matter
	}
	if want != got || m.Distribution != c.Image.Distribution || m.Kernel != c.Image.Kernel {
		return fmt.Errorf("%w: the image holds %s with kernel %s and Kubernetes %s, the inventory wants %s with kernel %s and Kubernetes %s",
			ErrUsage, m.Distribution, m.Kernel, orNothing(got), c.Image.Distribution, c.Image.Kernel, orNothing(want))
	}
	return nil
}

func orNothing(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// digest names the image, "sha256:<hex>".
func (f imageFiles) digest() string { return named(f.manifest.Digest) }

// named writes a digest with the name of its algorithm, as everything but file
// names has it.
func named(hex string) string { return "sha256:" + strings.TrimPrefix(hex, "sha256:") }

// path returns a file of the image: agent.FileImage, FileKernel or FileInitrd.
func (f imageFiles) path(name string) string { return filepath.Join(f.manifest.Dir, name) }

// loaders returns the directory of iPXE's binaries.
func (f imageFiles) loaders() string { return images.Loaders(f.cache) }

// find implements agent.Config.File: only the image of this run is served, and
// its add-ons.
func (f imageFiles) find(digest, name string) (string, error) {
	if name == agent.FileAddon {
		for _, a := range f.addons {
			if a.digest == "sha256:"+digest {
				return a.file, nil
			}
		}
		return "", fmt.Errorf("add-on %s is none of this run", digest)
	}
	if "sha256:"+digest != f.digest() {
		return "", fmt.Errorf("image %s is not the one of this run, %s", digest, f.digest())
	}
	return f.path(name), nil
}

// install returns what the install workflow needs to know of the image, and
// what this node's kernel line has besides the image's own.
func (f imageFiles) install(disk, kernelLine string) templates.Install {
	return templates.Install{
		Disk: disk, Image: f.digest(), Bytes: f.manifest.RawBytes,
		ImageURL: agent.ImagePath(f.digest()), KernelURL: agent.KernelPath(f.digest()), InitrdURL: agent.InitrdPath(f.digest()),
		KernelDigest: named(f.manifest.KernelDigest), InitrdDigest: named(f.manifest.InitrdDigest), KernelLine: strings.TrimSpace(f.manifest.KernelLine + " " + kernelLine),
		Addon: f.place(kernelLine),
	}
}
