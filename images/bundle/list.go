package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Listing is what a bundle says that it holds; nothing of it was checked.
type Listing struct {
	Bundle Bundle
	Signer string           // ID of the key that the signature names; "" when there is none
	Bytes  map[Digest]int64 // of each item's digest: its content; of an image, its layers too
	Total  int64            // bytes of all content, each once
}

// List reads the list of the bundle at path, a directory or an exported file of
// which only the beginning is read.
func List(ctx context.Context, path string) (Listing, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Listing{}, fmt.Errorf("list bundle: %w", err)
	}
	var (
		b         Bundle
		o         order
		signature []byte
	)
	if info.IsDir() {
		if b, err = Open(path); err != nil {
			return Listing{}, err
		}
		if o, _, err = b.order(); err == nil {
			signature, err = b.signature()
		}
	} else {
		b, o, signature, err = listFile(ctx, path)
	}
	if err != nil {
		return Listing{}, fmt.Errorf("list bundle %s: %w", path, err)
	}
	l := Listing{Bundle: b, Bytes: o.bytes(b.items), Total: bytesOf(o.manifests) + bytesOf(o.rest())}
	if signature != nil {
		l.Signer, err = signedBy(signature)
	}
	return l, err
}

// listFile reads an exported file as far as its manifests.
func listFile(ctx context.Context, path string) (Bundle, order, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return Bundle{}, order{}, nil, err
	}
	defer f.Close()
	to := &nowhere{}
	r := newReceiver(ctx, f, to, nil, meter{})
	b, next, err := r.head()
	if err != nil {
		return b, order{}, nil, r.bad(err)
	}
	o, err := begin(b.items)
	if err == nil {
		err = r.images(b, o, next)
	}
	return b, o, to.signature, errors.Join(r.bad(err))
}

// bytes adds up the content of each item.
func (o order) bytes(items []Item) map[Digest]int64 {
	all := map[Digest]int64{}
	for _, i := range items {
		all[i.Digest] = i.Size
		for _, part := range o.images[i.Digest] {
			all[i.Digest] += part.size
		}
	}
	return all
}

// From is a bundle as a source: it gives its items to another one.
func From(b Bundle) Source { return from{b} }

type from struct{ bundle Bundle }

// Resolve implements Source.
func (f from) Resolve(context.Context) ([]Item, error) { return f.bundle.Items(), nil }

// Has implements Source.
func (f from) Has(i Item) bool {
	for _, mine := range f.bundle.items {
		if mine == i {
			return true
		}
	}
	return false
}

// Fetch implements Source.
func (f from) Fetch(_ context.Context, i Item, to *Writer) error {
	if i.Kind == Image {
		image, err := f.bundle.Image(i)
		if err != nil {
			return err
		}
		_, err = to.AddImage(i, image)
		return err
	}
	content, err := os.Open(f.bundle.Path(i))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: it is missing in bundle %s", i, f.bundle.dir)
	}
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = to.AddFile(i, content)
	return err
}

// Local resolves the sources that give what this host has itself, which no lock
// holds: those that say so by a method Local.
func Local(ctx context.Context, sources []Source) ([]Item, error) {
	local := slices.DeleteFunc(slices.Clone(sources), func(s Source) bool {
		l, ok := s.(interface{ Local() bool })
		return !ok || !l.Local()
	})
	return Resolve(ctx, local)
}
