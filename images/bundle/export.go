package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Export writes the bundle as one file, a tar archive of exactly the bundle's
// files: the list first, then its signature, oci-layout, index.json, the images'
// manifests, and all other blobs by their digest. Times are zero, so that the same
// bundle gives the same bytes. Content is checked while it is read; the error
// names the item that is bad. tell may be nil.
func (b Bundle) Export(ctx context.Context, out io.Writer, tell func(Progress)) error {
	if err := b.export(ctx, out, &meter{tell: tell, now: Progress{Doing: "write"}}); err != nil {
		return fmt.Errorf("export bundle %s: %w", b.dir, err)
	}
	return nil
}

func (b Bundle) export(ctx context.Context, out io.Writer, m *meter) error {
	o, index, err := b.order()
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	small := []struct {
		name string
		text []byte
	}{{FileList, b.text}, {FileSignature, nil}, {fileLayout, []byte(layoutText)}, {fileIndex, index}}
	if small[1].text, err = b.signature(); err != nil {
		return err
	}
	for _, f := range small {
		if f.text == nil {
			continue // not signed
		}
		if err := add(w, f.name, int64(len(f.text)), bytes.NewReader(f.text)); err != nil {
			return err
		}
	}
	blobs := append(o.manifests, o.rest()...)
	m.now.OfBytes = bytesOf(blobs)
	for _, c := range blobs {
		m.item(c.item)
		if err := b.exportBlob(ctx, w, c, m); err != nil {
			return fmt.Errorf("%s: %w", c.item, err)
		}
	}
	m.report()
	return w.Close()
}

// order reads the manifests and returns what the bundle holds, and what its
// index.json has to be.
func (b Bundle) order() (order, []byte, error) {
	o, err := begin(b.items)
	if err != nil {
		return o, nil, err
	}
	for _, m := range o.manifests {
		text, err := readSmall(b.blob(m.digest))
		if err == nil {
			err = o.read(m, text)
		}
		if err != nil {
			return o, nil, fmt.Errorf("%s: %w", m.item, err)
		}
	}
	index, err := writeIndex(b.items, o.media)
	return o, index, err
}

// signature reads bundle.json.minisig; it is nil when there is none.
func (b Bundle) signature() ([]byte, error) {
	text, err := readSmall(filepath.Join(b.dir, FileSignature))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// add writes one entry of the archive.
func add(w *tar.Writer, name string, size int64, r io.Reader) error {
	if err := w.WriteHeader(header(name, size)); err != nil {
		return err
	}
	_, err := io.CopyBuffer(w, r, make([]byte, 1<<20))
	return err
}

// header is that of every entry.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0)}
}

func (b Bundle) exportBlob(ctx context.Context, w *tar.Writer, c blob, m *meter) error {
	f, err := os.Open(b.blob(c.digest))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != c.size {
		return fmt.Errorf("it has %d bytes and should have %d", info.Size(), c.size)
	}
	if err := w.WriteHeader(header(dirBlobs+"/"+c.digest.Hex(), c.size)); err != nil {
		return err
	}
	got, _, err := hashed(io.TeeReader(watched{ctx, f, m.add}, w))
	if err == nil && got != c.digest {
		err = &Mismatch{Want: c.digest, Got: got}
	}
	return err
}
