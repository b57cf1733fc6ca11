package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation of an image's name (OCI image-spec, annotations.md).
const refName = "org.opencontainers.image.ref.name"

// Writer makes a bundle. Its methods may be called from several goroutines. After
// an error nothing of the bundle is kept once Close was called.
type Writer struct {
	stage *stage

	mu     sync.Mutex
	items  []Item
	images map[Digest]types.MediaType
	failed map[string]error // by item: what couldn't be added, and wasn't added later
}

// Create begins a bundle that Commit puts at dir, where nothing may be yet. Close
// must be called in the end.
func Create(dir string) (*Writer, error) {
	s, err := newStage(dir)
	if err != nil {
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	return &Writer{stage: s, images: map[Digest]types.MediaType{}, failed: map[string]error{}}, nil
}

// AddFile adds a package or a file. Where the item has a digest, other content
// is refused, and the same for a size that isn't 0; else they are what was read.
func (w *Writer) AddFile(i Item, r io.Reader) (Item, error) {
	if i.Kind == Image {
		return i, w.fail(i, fmt.Errorf("add %s: an image is no single file", i))
	}
	if err := i.checkIdentity(); err != nil {
		return i, w.fail(i, fmt.Errorf("add %s: %w", i, err))
	}
	size := i.Size
	if size == 0 {
		size = -1
	}
	digest, n, err := w.stage.blob(r, i.Digest, size)
	if err != nil {
		return i, w.fail(i, fmt.Errorf("add %s: %w", i, err))
	}
	i.Digest, i.Size = digest, n
	w.add(i)
	return i, nil
}

// AddImage adds a container image with all its layers. Where the item has a
// digest, another image is refused.
func (w *Writer) AddImage(i Item, image v1.Image) (Item, error) {
	if i.Kind != Image {
		return i, w.fail(i, fmt.Errorf("add %s: it is no image", i))
	}
	if err := i.checkIdentity(); err != nil {
		return i, w.fail(i, fmt.Errorf("add %s: %w", i, err))
	}
	if err := fits(i, image); err != nil {
		return i, w.fail(i, fmt.Errorf("add %s: %w", i, err))
	}
	media, manifest, err := w.addBlobs(image)
	if err != nil {
		return i, w.fail(i, fmt.Errorf("add %s: %w", i, err))
	}
	if i.Digest != "" && i.Digest != manifest.digest {
		return i, w.fail(i, fmt.Errorf("add %s: %w", i, &Mismatch{Want: i.Digest, Got: manifest.digest}))
	}
	i.Digest, i.Size = manifest.digest, manifest.size
	w.mu.Lock()
	w.images[i.Digest] = media
	w.mu.Unlock()
	w.add(i)
	return i, nil
}

// fits refuses an image of another platform.
func fits(i Item, image v1.Image) error {
	c, err := image.ConfigFile()
	if err != nil {
		return err
	}
	if c.OS != "linux" || c.Architecture != i.Arch {
		return fmt.Errorf("it is for %s/%s, not linux/%s", c.OS, c.Architecture, i.Arch)
	}
	return nil
}

func (w *Writer) add(i Item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items = append(w.items, i)
	delete(w.failed, i.key())
}

// fail keeps an error until the item was added all the same: Commit must not
// make a bundle that lacks something.
func (w *Writer) fail(i Item, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed[i.key()] = err
	return err
}

// key tells items apart before their content is known.
func (i Item) key() string { return i.String() + " " + i.Arch + " " + i.Source }

// Commit finishes the bundle and puts it at its place. sign gives the text of
// bundle.json.minisig for that of bundle.json; nil leaves the bundle unsigned.
func (w *Writer) Commit(sign func(list []byte) ([]byte, error)) (Bundle, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := w.commit(sign)
	if err != nil {
		return Bundle{}, fmt.Errorf("create bundle: %w", err)
	}
	return b, nil
}

func (w *Writer) commit(sign func([]byte) ([]byte, error)) (Bundle, error) {
	if len(w.failed) > 0 {
		var all []error
		for _, key := range slices.Sorted(maps.Keys(w.failed)) {
			all = append(all, w.failed[key])
		}
		return Bundle{}, errors.Join(all...)
	}
	slices.SortFunc(w.items, compare)
	w.items = slices.Compact(w.items) // the same twice is one
	if err := checkAll(w.items); err != nil {
		return Bundle{}, err
	}
	index, err := writeIndex(w.items, w.images)
	if err != nil {
		return Bundle{}, err
	}
	text, err := writeList(w.items)
	if err != nil {
		return Bundle{}, err
	}
	if err := errors.Join(w.stage.file(fileLayout, []byte(layoutText)), w.stage.file(fileIndex, index)); err != nil {
		return Bundle{}, err
	}
	if sign != nil {
		signature, err := sign(text)
		if err != nil {
			return Bundle{}, err
		}
		if err := w.stage.file(FileSignature, signature); err != nil {
			return Bundle{}, err
		}
	}
	if err := w.stage.file(FileList, text); err != nil {
		return Bundle{}, err
	}
	return Bundle{w.stage.final, text, w.items}, w.stage.publish()
}

// Close removes what was not committed.
func (w *Writer) Close() error { return w.stage.discard() }

// layoutText is oci-layout (OCI image-spec, image-layout.md).
const layoutText = `{"imageLayoutVersion":"1.0.0"}`

// writeIndex writes index.json: a descriptor of each image, by its name.
func writeIndex(items []Item, media map[Digest]types.MediaType) ([]byte, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	for _, i := range items {
		if i.Kind != Image {
			continue
		}
		index.Manifests = append(index.Manifests, v1.Descriptor{
			MediaType: media[i.Digest], Digest: v1.Hash{Algorithm: "sha256", Hex: i.Digest.Hex()}, Size: i.Size,
			Platform: &v1.Platform{OS: "linux", Architecture: i.Arch}, Annotations: map[string]string{refName: i.Name},
		})
	}
	text, err := json.MarshalIndent(index, "", " ")
	return append(text, '\n'), err
}
