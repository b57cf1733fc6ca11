package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Names of the files of a bundle.
const (
	FileList      = "bundle.json"
	FileSignature = "bundle.json.minisig"
	fileLayout    = "oci-layout"
	fileIndex     = "index.json"
	dirBlobs      = "blobs/sha256"
)

// format is what this package reads and writes.
const format = "ra2-deploy/bundle/v1"

// most is how long a bundle.json, an index or a manifest may be: some hundred
// thousand items. The blobs may have any length.
const most = 64 << 20

// list is bundle.json.
type list struct {
	Format string `json:"format"`
	Items  []Item `json:"items"`
}

// Bundle is an opened bundle. It is a value that doesn't change.
type Bundle struct {
	dir   string
	text  []byte // bundle.json
	items []Item
}

// ErrNone says that a directory holds no bundle.
var ErrNone = errors.New("no bundle is there")

// Open reads the bundle in a directory and checks its list, not its content:
// Verify does that. The error is ErrNone when there is no bundle.json.
func Open(dir string) (Bundle, error) {
	text, err := readSmall(filepath.Join(dir, FileList))
	if errors.Is(err, fs.ErrNotExist) {
		return Bundle{}, fmt.Errorf("open bundle %s: %w: it has no %s, which is written last", dir, ErrNone, FileList)
	}
	if err != nil {
		return Bundle{}, fmt.Errorf("open bundle: %w", err)
	}
	items, err := readList(text)
	if err != nil {
		return Bundle{}, fmt.Errorf("open bundle %s: %s: %w", dir, FileList, err)
	}
	return Bundle{dir, text, items}, nil
}

// readList reads bundle.json strictly.
func readList(text []byte) ([]Item, error) {
	var l list
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is something after its end")
	}
	if l.Format != format {
		return nil, fmt.Errorf("its format is %q, this ra2-deploy reads %q", l.Format, format)
	}
	return l.Items, checkAll(l.Items)
}

// writeList writes bundle.json: the same items give the same bytes.
func writeList(items []Item) ([]byte, error) {
	text, err := json.MarshalIndent(list{format, items}, "", " ")
	return append(text, '\n'), err
}

// Dir returns the bundle's directory.
func (b Bundle) Dir() string { return b.dir }

// Digest names the bundle: the sha256 of bundle.json, which has the digest of
// everything.
func (b Bundle) Digest() Digest {
	sum := sha256.Sum256(b.text)
	return digestOf(sum[:])
}

// Items returns all items, sorted by kind, name, version and architecture.
func (b Bundle) Items() []Item { return slices.Clone(b.items) }

// Kind returns the items of one kind, sorted as in Items.
func (b Bundle) Kind(k Kind) []Item {
	return slices.DeleteFunc(b.Items(), func(i Item) bool { return i.Kind != k })
}

// Find returns the item of this kind and name. There may be several of one name
// for several distributions: it is an error when there is not exactly one.
func (b Bundle) Find(k Kind, name string) (Item, error) {
	found := slices.DeleteFunc(b.Kind(k), func(i Item) bool { return i.Name != name })
	if len(found) != 1 {
		return Item{}, fmt.Errorf("bundle %s holds %d items %q of kind %s, want one", b.dir, len(found), name, k)
	}
	return found[0], nil
}

// Path returns the file that holds an item's content; of an image, its manifest.
func (b Bundle) Path(i Item) string { return b.blob(i.Digest) }

// blob returns the file of a digest.
func (b Bundle) blob(d Digest) string { return filepath.Join(b.dir, dirBlobs, d.Hex()) }

// Image opens a container image. Its layers are read when they are asked for.
func (b Bundle) Image(i Item) (v1.Image, error) {
	if i.Kind != Image {
		return nil, fmt.Errorf("%s is no container image", i)
	}
	hash, err := v1.NewHash(string(i.Digest))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i, err)
	}
	path, err := layout.FromPath(b.dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i, err)
	}
	image, err := path.Image(hash)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i, err)
	}
	return image, nil
}

// readSmall reads a file that can't be large.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return text, err
}
