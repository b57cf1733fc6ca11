package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// blob is one file below blobs, and whose it is.
type blob struct {
	digest Digest
	size   int64
	item   string // what holds it, for people
}

// addBlobs keeps an image's layers, its configuration and, last, its manifest.
func (w *Writer) addBlobs(image v1.Image) (types.MediaType, blob, error) {
	raw, err := image.RawManifest()
	if err != nil {
		return "", blob{}, err
	}
	media, parts, err := readManifest(raw)
	if err != nil {
		return "", blob{}, err
	}
	for _, part := range parts {
		if err := w.addPart(image, part); err != nil {
			return "", blob{}, err
		}
	}
	digest, size, err := w.stage.blob(bytes.NewReader(raw), "", -1)
	return media, blob{digest: digest, size: size}, err
}

// addPart keeps one layer, or the configuration.
func (w *Writer) addPart(image v1.Image, part blob) error {
	if w.stage.has(part.digest) {
		return nil // another image has it too
	}
	if part.item == config {
		raw, err := image.RawConfigFile()
		if err != nil {
			return err
		}
		_, _, err = w.stage.blob(bytes.NewReader(raw), part.digest, part.size)
		return part.wrap(err)
	}
	layer, err := image.LayerByDigest(v1.Hash{Algorithm: "sha256", Hex: part.digest.Hex()})
	if err != nil {
		return part.wrap(err)
	}
	r, err := layer.Compressed()
	if err != nil {
		return part.wrap(err)
	}
	defer r.Close()
	_, _, err = w.stage.blob(r, part.digest, part.size)
	return part.wrap(err)
}

func (b blob) wrap(err error) error {
	if err != nil {
		err = fmt.Errorf("its %s %s: %w", b.item, b.digest, err)
	}
	return err
}

// What a part of an image is.
const (
	config = "configuration"
	layer  = "layer"
)

// readManifest reads what a manifest of one image names: its media type, and
// its configuration and layers, each once.
func readManifest(text []byte) (types.MediaType, []blob, error) {
	var m v1.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return "", nil, fmt.Errorf("read its manifest: %w", err)
	}
	// Docker's has to say what it is, OCI's may (image-spec, manifest.md).
	media := cmp.Or(m.MediaType, types.OCIManifestSchema1)
	if m.SchemaVersion != 2 || !media.IsImage() || m.Config.Digest.Hex == "" {
		return "", nil, fmt.Errorf("its manifest (media type %q) is not that of one image", m.MediaType)
	}
	seen := map[Digest]bool{}
	var parts []blob
	for n, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		part := blob{Digest(d.Digest.String()), d.Size, layer}
		if n == 0 {
			part.item = config
		}
		if err := part.digest.check(); err != nil {
			return "", nil, fmt.Errorf("read its manifest: %w", err)
		}
		if part.size < 0 {
			return "", nil, fmt.Errorf("read its manifest: size %d is negative", part.size)
		}
		if !seen[part.digest] {
			seen[part.digest] = true
			parts = append(parts, part)
		}
	}
	return media, parts, nil
}
