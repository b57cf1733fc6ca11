package provisioner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/templates"
)

// imageFiles is one built image and the loaders beside it.
type imageFiles struct {
	cache    string
	manifest images.Manifest
}

// ImageSpec returns the image that an inventory wants. ra2-node is the program
// beside ra2-deploy.
func ImageSpec(c inventory.Cluster) (images.Spec, error) {
	self, err := os.Executable()
	if err != nil {
		return images.Spec{}, err
	}
	return images.Spec{
		Distribution: c.Image.Distribution, Kernel: c.Image.Kernel, Kubernetes: c.Image.Kubernetes,
		Node: filepath.Join(filepath.Dir(self), "ra2-node"),
	}, nil
}

// findImage returns the built image that the inventory wants, complete.
func findImage(ctx context.Context, cache string, c inventory.Cluster) (imageFiles, error) {
	spec, err := ImageSpec(c)
	if err != nil {
		return imageFiles{}, err
	}
	m, err := images.Built(ctx, spec, cache)
	if errors.Is(err, fs.ErrNotExist) {
		return imageFiles{}, fmt.Errorf("%w: %w\nnext: ra2-deploy image build INVENTORY", ErrUsage, err)
	}
	if err != nil {
		return imageFiles{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return imageFiles{cache, m}, nil
}

// digest names the image, "sha256:<hex>".
func (f imageFiles) digest() string {
	return "sha256:" + strings.TrimPrefix(f.manifest.Digest, "sha256:")
}

// path returns a file of the image: agent.FileImage, FileKernel or FileInitrd.
func (f imageFiles) path(name string) string { return filepath.Join(f.manifest.Dir, name) }

// loaders returns the directory of iPXE's binaries.
func (f imageFiles) loaders() string { return images.Loaders(f.cache) }

// find implements agent.Config.File: only the image of this run is served.
func (f imageFiles) find(digest, name string) (string, error) {
	if "sha256:"+digest != f.digest() {
		return "", fmt.Errorf("image %s is not the one of this run, %s", digest, f.digest())
	}
	return f.path(name), nil
}

// install returns what the install workflow needs to know of the image.
func (f imageFiles) install(disk string) templates.Install {
	return templates.Install{
		Disk: disk, Image: f.digest(), Bytes: f.manifest.RawBytes,
		ImageURL: agent.ImagePath(f.digest()), KernelURL: agent.KernelPath(f.digest()), InitrdURL: agent.InitrdPath(f.digest()),
		KernelDigest: f.manifest.KernelDigest, InitrdDigest: f.manifest.InitrdDigest, KernelLine: images.KernelLine,
	}
}
