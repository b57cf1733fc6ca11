package images

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// nameAnnotation is where containerd looks for the name of an image that it
// imports (its pkg/images/annotations.go).
const nameAnnotation = "io.containerd.image.name"

// archiveImage writes one container image of a bundle as an OCI archive (image
// layout in a tar) into dir and gives the file. What it holds is compared with
// its digest by who imports it.
func archiveImage(dir string, from bundle.Bundle, i bundle.Item) (string, error) {
	image, err := from.Image(i)
	if err != nil {
		return "", err
	}
	blobs, err := blobsOf(image)
	if err != nil {
		return "", err
	}
	media, err := image.MediaType()
	if err != nil {
		return "", err
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{
		MediaType: media, Digest: hashOf(i.Digest), Size: i.Size, Annotations: map[string]string{nameAnnotation: i.Name},
		Platform: &v1.Platform{OS: "linux", Architecture: i.Arch},
	}}})
	if err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(dir, "image.tar"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for name, text := range map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": index} {
		if err := addBytes(w, name, text); err != nil {
			return "", err
		}
	}
	for _, digest := range append(blobs, i.Digest) {
		if err := addFile(w, "blobs/sha256/"+digest.Hex(), filepath.Join(from.Dir(), "blobs/sha256", digest.Hex())); err != nil {
			return "", err
		}
	}
	return f.Name(), errors.Join(w.Close(), f.Close())
}

// blobsOf gives the digests of an image's configuration and layers, each once.
func blobsOf(image v1.Image) ([]bundle.Digest, error) {
	m, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	seen := map[bundle.Digest]bool{}
	var all []bundle.Digest
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if digest := bundle.Digest(d.Digest.String()); !seen[digest] {
			seen[digest] = true
			all = append(all, digest)
		}
	}
	return all, nil
}

func hashOf(d bundle.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }

func addBytes(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

func addFile(w *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// eachLayer calls do with the digest (hex) of each layer of these images, once.
func eachLayer(from bundle.Bundle, images []bundle.Item, do func(digest string) error) error {
	seen := map[string]bool{}
	for _, i := range images {
		image, err := from.Image(i)
		if err != nil {
			return err
		}
		m, err := image.Manifest()
		if err != nil {
			return fmt.Errorf("%s: %w", i, err)
		}
		for _, l := range m.Layers {
			if seen[l.Digest.Hex] {
				continue
			}
			seen[l.Digest.Hex] = true
			if err := do(l.Digest.Hex); err != nil {
				return fmt.Errorf("%s: %w", i, err)
			}
		}
	}
	return nil
}

// ignore gives err, unless it is the one that doesn't matter.
func ignore(err, that error) error {
	if errors.Is(err, that) {
		return nil
	}
	return err
}

// tagOf gives the tag of a reference.
func tagOf(name string) string { return name[strings.LastIndex(name, ":")+1:] }
