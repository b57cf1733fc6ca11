package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Problem is one thing that is wrong with a bundle.
type Problem struct {
	Item string `json:"item"` // what it is about, like "deb libc6 2.41-12"; "" when no item is
	File string `json:"file"` // below the bundle, like "blobs/sha256/0a1b…"; "" when the archive itself is
	What string `json:"what"` // in words
}

// String gives the problem as a line.
func (p Problem) String() string {
	switch {
	case p.Item == "" && p.File == "":
		return p.What
	case p.Item == p.File || p.File == "":
		return p.Item + ": " + p.What
	case p.Item == "":
		return p.File + ": " + p.What
	}
	return fmt.Sprintf("%s: %s (%s)", p.Item, p.What, p.File)
}

// Bad says that a bundle's content is not as it has to be.
type Bad struct{ Problems []Problem }

// Error names all problems, each in a line.
func (b *Bad) Error() string {
	lines := make([]string, len(b.Problems))
	for n, p := range b.Problems {
		lines[n] = p.String()
	}
	return "the bundle is bad:\n  " + strings.Join(lines, "\n  ")
}

// Checked is what a check found good.
type Checked struct {
	Bundle Bundle
	Bytes  int64  // of all content
	Signer string // ID of the key that signed it: as the signature says when no key was given; "" when nobody signed
}

// Verify reads all of a bundle at path, a directory or an exported file, and
// compares it with its list; and the signature with key, where that is not nil.
// The error is *Bad and has every problem: content that is missing, cut off,
// changed or nobody's. tell may be nil.
func Verify(ctx context.Context, path string, key *Verifier, tell func(Progress)) (Checked, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Checked{}, fmt.Errorf("verify bundle: %w", err)
	}
	progress := meter{tell: tell, now: Progress{Doing: "read"}}
	var c Checked
	if info.IsDir() {
		c, err = verifyDir(ctx, path, key, progress)
	} else {
		c, err = verifyFile(ctx, path, key, progress)
	}
	if err != nil {
		return Checked{}, fmt.Errorf("verify bundle %s: %w", path, err)
	}
	return c, nil
}

// nowhere keeps nothing of what it is given.
type nowhere struct{ signature []byte }

func (n *nowhere) file(name string, text []byte) error {
	if name == FileSignature {
		n.signature = text
	}
	return nil
}

func (n *nowhere) blob(r io.Reader, want Digest, size int64) (Digest, int64, error) {
	got, read, err := hashed(r)
	if err == nil && got != want {
		err = &Mismatch{Want: want, Got: got}
	}
	return got, read, err
}

func verifyFile(ctx context.Context, path string, key *Verifier, progress meter) (Checked, error) {
	f, err := os.Open(path)
	if err != nil {
		return Checked{}, err
	}
	defer f.Close()
	to := &nowhere{}
	r := newReceiver(ctx, f, to, key, progress)
	b, err := r.receive()
	if err != nil {
		return Checked{}, err
	}
	return checked(b, r.progress.now.Bytes, to.signature)
}

func checked(b Bundle, bytes int64, signature []byte) (Checked, error) {
	c := Checked{Bundle: b, Bytes: bytes}
	var err error
	if signature != nil {
		c.Signer, err = signedBy(signature)
	}
	return c, err
}

// checkSignature says what is wrong with a signature, which is nil when there is
// none. Without a key it only has to be one.
func checkSignature(key *Verifier, list, signature []byte) error {
	switch {
	case key != nil && signature == nil:
		return fmt.Errorf("the bundle is not signed, and should be by key %s", key.ID())
	case key != nil:
		return key.check(list, signature)
	case signature != nil:
		_, err := signedBy(signature)
		return err
	}
	return nil
}

// verifier is one Verify of a directory at work.
type verifier struct {
	bundle  Bundle
	unknown bool // a manifest can't be read: what it names isn't known

	mu       sync.Mutex
	progress meter
	problems []Problem
}

func verifyDir(ctx context.Context, dir string, key *Verifier, progress meter) (Checked, error) {
	v := verifier{progress: progress}
	var err error
	if v.bundle, err = Open(dir); err != nil {
		return Checked{}, unopened(err)
	}
	signature, err := v.bundle.signature()
	if err != nil {
		return Checked{}, err
	}
	v.problem(FileSignature, FileSignature, checkSignature(key, v.bundle.text, signature))
	blobs := v.blobs()
	v.progress.now.OfBytes = bytesOf(blobs)
	if err := v.hash(ctx, blobs); err != nil {
		return Checked{}, err
	}
	if err := v.foreign(blobs); err != nil {
		return Checked{}, err
	}
	if len(v.problems) > 0 {
		return Checked{}, &Bad{v.problems}
	}
	return checked(v.bundle, bytesOf(blobs), signature)
}

// unopened tells a list that is bad from one that this machine couldn't read.
func unopened(err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return err
	}
	return &Bad{[]Problem{{FileList, FileList, err.Error()}}}
}

func (v *verifier) problem(item, file string, err error) {
	if err == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems = append(v.problems, Problem{item, file, err.Error()})
}

// blobs returns all that must be there, and looks at the files that follow from
// the manifests. What can't be read now is found again when it is hashed.
func (v *verifier) blobs() []blob {
	o, err := begin(v.bundle.items)
	if err != nil {
		v.problem(FileList, FileList, err)
		v.unknown = true
		return nil
	}
	for _, m := range o.manifests {
		text, err := readSmall(v.bundle.blob(m.digest))
		if err == nil {
			if err = o.read(m, text); err != nil {
				v.problem(m.item, m.file(), err)
			}
		}
		v.unknown = v.unknown || err != nil
	}
	want, err := writeIndex(v.bundle.items, o.media)
	if v.unknown || err != nil {
		want = nil
	}
	v.small(fileLayout, []byte(layoutText))
	v.small(fileIndex, want)
	return append(o.manifests, o.rest()...)
}

// small compares a small file with what it has to be, where that is known.
func (v *verifier) small(name string, want []byte) {
	text, err := readSmall(filepath.Join(v.bundle.dir, name))
	if err == nil && want != nil {
		err = sameText(text, want)
	}
	v.problem(name, name, missing(err))
}

// missing words the commonest error.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it is missing")
	}
	return err
}

// hash reads all blobs, as many at once as there are processors.
func (v *verifier) hash(ctx context.Context, blobs []blob) error {
	next := make(chan blob)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for c := range next {
				if err := v.one(ctx, c); ctx.Err() == nil {
					v.problem(c.item, c.file(), missing(err))
				}
			}
		})
	}
	for _, c := range blobs {
		if ctx.Err() != nil {
			break
		}
		next <- c
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

func (v *verifier) one(ctx context.Context, c blob) error {
	v.count(func(m *meter) { m.item(c.item) })
	f, err := os.Open(v.bundle.blob(c.digest))
	if err != nil {
		return err
	}
	defer f.Close()
	got, n, err := hashed(watched{ctx, f, func(n int) { v.count(func(m *meter) { m.add(n) }) }})
	switch {
	case err != nil:
		return err
	case n != c.size:
		return fmt.Errorf("it has %d bytes and should have %d", n, c.size)
	case got != c.digest:
		return &Mismatch{Want: c.digest, Got: got}
	}
	return nil
}

func (v *verifier) count(change func(*meter)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.progress)
}
