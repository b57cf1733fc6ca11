package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// order is everything that a bundle holds besides its list and signature, in the
// order of its exported form: oci-layout, index.json, manifests, all other blobs.
// It follows from the list and the manifests alone.
type order struct {
	manifests []blob // sorted by digest, each once
	media     map[Digest]types.MediaType
	parts     map[Digest]blob   // what the manifests name, and packages and files
	images    map[Digest][]blob // what each manifest names
}

// begin orders what the list alone tells.
func begin(items []Item) (order, error) {
	o := order{media: map[Digest]types.MediaType{}, parts: map[Digest]blob{}, images: map[Digest][]blob{}}
	manifests := map[Digest]blob{}
	for _, i := range items {
		into := o.parts
		if i.Kind == Image {
			into = manifests
		}
		if err := put(into, blob{i.Digest, i.Size, i.String()}); err != nil {
			return order{}, err
		}
	}
	o.manifests = sorted(manifests)
	return o, nil
}

// put keeps a blob; two of one digest have one size.
func put(all map[Digest]blob, b blob) error {
	if old, ok := all[b.digest]; ok && old.size != b.size {
		return fmt.Errorf("%s has %d bytes for %s and %d for %s", b.digest, old.size, old.item, b.size, b.item)
	} else if !ok {
		all[b.digest] = b
	}
	return nil
}

// read adds what the text of a manifest names.
func (o order) read(manifest blob, text []byte) error {
	media, parts, err := readManifest(text)
	if err != nil {
		return err
	}
	o.media[manifest.digest], o.images[manifest.digest] = media, parts
	for _, p := range parts {
		p.item = fmt.Sprintf("%s of %s", p.item, manifest.item)
		if err := put(o.parts, p); err != nil {
			return err
		}
	}
	return nil
}

// rest returns the blobs after the manifests.
func (o order) rest() []blob {
	for _, m := range o.manifests {
		delete(o.parts, m.digest)
	}
	return sorted(o.parts)
}

// sorted returns blobs by digest.
func sorted(all map[Digest]blob) []blob {
	return slices.SortedFunc(maps.Values(all), func(a, b blob) int { return strings.Compare(string(a.digest), string(b.digest)) })
}

// bytesOf adds up sizes.
func bytesOf(all []blob) (n int64) {
	for _, b := range all {
		n += b.size
	}
	return n
}

// watched reads content: it ends with the context, and counts what was read.
type watched struct {
	ctx  context.Context
	from io.Reader
	read func(n int)
}

// Read implements io.Reader.
func (w watched) Read(p []byte) (int, error) {
	if err := context.Cause(w.ctx); err != nil {
		return 0, err
	}
	n, err := w.from.Read(p)
	w.read(n)
	return n, err
}

// meter counts bytes towards a total and tells of them now and then.
type meter struct {
	tell func(Progress)
	now  Progress
	told int64
}

// often is how many bytes pass between two reports about one item.
const often = 8 << 20

func (m *meter) item(name string) {
	m.now.Item = name
	m.report()
}

func (m *meter) add(n int) {
	m.now.Bytes += int64(n)
	if m.now.Bytes-m.told >= often {
		m.report()
	}
}

// sync tells that what comes takes as long as the disk does.
func (m *meter) sync() {
	m.now.Doing, m.now.Item = "sync", ""
	m.report()
}

func (m *meter) report() {
	m.told = m.now.Bytes
	if m.tell != nil {
		m.tell(m.now)
	}
}

// hashed reads all of r and returns its digest and length.
func hashed(r io.Reader) (Digest, int64, error) {
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, r, make([]byte, 1<<20))
	return digestOf(sum.Sum(nil)), n, err
}

// sameText says whether a small file is what it has to be.
func sameText(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("its content doesn't follow from %s", FileList)
	}
	return nil
}
