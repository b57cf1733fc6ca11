package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Import reads the exported form of a bundle and puts it at dir, where nothing
// may be yet. Everything is checked while it is read: where key is not nil, the
// signature before anything else; then that each entry is the one that has to
// follow, so that no path, link or duplicate of another's choice is ever used.
// The error is *Bad when the content is not as it has to be. Nothing is kept
// after an error, and memory doesn't grow with the file. tell may be nil.
func Import(ctx context.Context, in io.Reader, dir string, key *Verifier, tell func(Progress)) (Bundle, error) {
	s, err := newStage(dir)
	if err != nil {
		return Bundle{}, fmt.Errorf("import bundle: %w", err)
	}
	defer s.discard()
	r := newReceiver(ctx, in, s, key, meter{tell: tell, now: Progress{Doing: "read"}})
	b, err := r.receive()
	if err != nil {
		return Bundle{}, fmt.Errorf("import bundle: %w", err)
	}
	r.progress.sync()
	if err := s.publish(); err != nil {
		return Bundle{}, fmt.Errorf("import bundle: %w", err)
	}
	b.dir = s.final
	return b, nil
}

// keeper is where a received bundle goes.
type keeper interface {
	file(name string, text []byte) error
	blob(r io.Reader, want Digest, size int64) (Digest, int64, error)
}

// receiver reads one exported bundle.
type receiver struct {
	ctx      context.Context
	in       *tape
	tar      *tar.Reader
	last     int64 // size of the last entry
	to       keeper
	key      *Verifier
	progress meter
	problems []Problem
}

func newReceiver(ctx context.Context, in io.Reader, to keeper, key *Verifier, progress meter) *receiver {
	t := &tape{from: in}
	return &receiver{ctx: ctx, in: t, tar: tar.NewReader(t), to: to, key: key, progress: progress}
}

// receive reads everything. What is only another content than it should be is
// collected; what makes the rest unreadable ends it.
func (r *receiver) receive() (Bundle, error) {
	b, next, err := r.head()
	if err != nil {
		return b, r.bad(err)
	}
	o, err := begin(b.items)
	if err != nil {
		return b, r.bad(r.problem(FileList, FileList, err))
	}
	if err := r.images(b, o, next); err != nil {
		return b, r.bad(err)
	}
	rest := o.rest()
	r.progress.now.OfBytes = bytesOf(o.manifests) + bytesOf(rest)
	for _, c := range rest {
		if err := r.blob(c, nil); err != nil {
			return b, r.bad(err)
		}
	}
	r.progress.report()
	return b, r.bad(r.end())
}

// head reads the list, and the signature if there is one; it returns the entry
// after those.
func (r *receiver) head() (Bundle, *tar.Header, error) {
	h, err := r.next(FileList)
	if err != nil {
		return Bundle{}, nil, err
	}
	b := Bundle{}
	if b.text, err = r.small(h); err != nil {
		return b, nil, err
	}
	if h, err = r.any(FileSignature + " or " + fileLayout); err != nil {
		return b, nil, err
	}
	var signature []byte
	if h.Name == FileSignature {
		if signature, err = r.small(h); err != nil {
			return b, nil, err
		}
		if h, err = r.any(fileLayout); err != nil {
			return b, nil, err
		}
	}
	if err := checkSignature(r.key, b.text, signature); err != nil {
		return b, nil, r.problem(FileSignature, FileSignature, err)
	}
	if b.items, err = readList(b.text); err != nil {
		return b, nil, r.problem(FileList, FileList, err)
	}
	if signature != nil {
		err = r.to.file(FileSignature, signature)
	}
	return b, h, errors.Join(err, r.to.file(FileList, b.text))
}

// images reads oci-layout, index.json and the manifests.
func (r *receiver) images(b Bundle, o order, h *tar.Header) error {
	if err := named(h, fileLayout); err != nil {
		return r.problem(fileLayout, fileLayout, err)
	}
	layout, err := r.small(h)
	if err != nil {
		return err
	}
	if h, err = r.next(fileIndex); err != nil {
		return err
	}
	index, err := r.small(h)
	if err != nil {
		return err
	}
	for _, m := range o.manifests {
		var text bytes.Buffer
		if m.size > most {
			return r.problem(m.item, m.file(), fmt.Errorf("a manifest of %d bytes is none", m.size))
		}
		if err := r.blob(m, &text); err != nil {
			return err
		}
		if err := o.read(m, text.Bytes()); err != nil {
			return r.problem(m.item, m.file(), err)
		}
	}
	want, err := writeIndex(b.items, o.media)
	if err != nil {
		return err
	}
	if err := sameText(layout, []byte(layoutText)); err != nil {
		return r.problem(fileLayout, fileLayout, err)
	}
	if err := sameText(index, want); err != nil {
		return r.problem(fileIndex, fileIndex, err)
	}
	return errors.Join(r.to.file(fileLayout, layout), r.to.file(fileIndex, index))
}

// blob reads one blob, and copies it to as well when that is not nil. Of another
// content than it should have, it is a problem that doesn't end the reading,
// unless it has to be understood.
func (r *receiver) blob(c blob, copied *bytes.Buffer) error {
	r.progress.item(c.item)
	h, err := r.any(c.file())
	if err == nil {
		err = named(h, c.file())
	}
	if err == nil && h.Size != c.size {
		err = fmt.Errorf("it has %d bytes and should have %d", h.Size, c.size)
	}
	if err != nil {
		return r.problem(c.item, c.file(), err)
	}
	var from io.Reader = watched{r.ctx, r.tar, r.progress.add}
	if copied != nil {
		from = io.TeeReader(from, copied)
	}
	_, _, err = r.to.blob(from, c.digest, c.size)
	if errors.As(err, new(*Mismatch)) && copied == nil {
		r.problem(c.item, c.file(), err)
		return nil
	}
	if err != nil {
		return r.unread(c.item, c.file(), err)
	}
	return nil
}

// file is the blob's name in the bundle.
func (b blob) file() string { return dirBlobs + "/" + b.digest.Hex() }
