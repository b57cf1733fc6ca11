package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
)

// next reads the header of the entry that has to follow.
func (r *receiver) next(want string) (*tar.Header, error) {
	h, err := r.any(want)
	if err == nil {
		if err = named(h, want); err != nil {
			err = r.problem(want, want, err)
		}
	}
	return h, err
}

// any reads the header of the next entry; want says for people what has to come.
func (r *receiver) any(want string) (*tar.Header, error) {
	h, err := r.tar.Next()
	switch {
	case err == nil:
		r.last = h.Size
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.problem(want, want, errors.New("the file ends before it: it was cut off"))
	case errors.Is(err, tar.ErrHeader):
		return nil, r.problem(want, want, errors.New("what comes in its place is no entry of a tar archive"))
	}
	return h, err
}

// named refuses every entry but a regular file of this name.
func named(h *tar.Header, want string) error {
	if h.Name != want || h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%q (type %q) comes in its place: bundle export didn't make this file, or it was changed", h.Name, h.Typeflag)
	}
	return nil
}

// small reads an entry that can't be large.
func (r *receiver) small(h *tar.Header) ([]byte, error) {
	if h.Size > most {
		return nil, r.problem(h.Name, h.Name, fmt.Errorf("%d bytes are too many", h.Size))
	}
	text, err := io.ReadAll(watched{r.ctx, r.tar, func(int) {}})
	if err != nil {
		return nil, r.unread(h.Name, h.Name, err)
	}
	return text, nil
}

// end wants the end of the archive after the last entry: its padding and two
// blocks of zeros (POSIX pax, ustar), and nothing more. archive/tar does without
// them, but a file that lacks them was cut off.
func (r *receiver) end() error {
	before := r.in.n
	h, err := r.tar.Next()
	switch {
	case err == nil:
		return r.problem(h.Name, h.Name, errors.New("nothing in the bundle needs it"))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, tar.ErrHeader):
		return r.problem("", "", errors.New("after the last item there is something else than the end of an archive"))
	case !errors.Is(err, io.EOF):
		return err
	}
	if padding := -r.last & (block - 1); r.in.n-before < padding+2*block {
		return r.problem("", "", errors.New("the end of the archive is missing: the file was cut off"))
	}
	n, err := io.Copy(io.Discard, watched{r.ctx, r.in, func(int) {}})
	if err == nil && n > 0 {
		err = r.problem("", "", fmt.Errorf("%d bytes follow the end of the archive", n))
	}
	return err
}

// block is the unit of a tar archive in bytes.
const block = 512

// tape is what an archive is read from; it counts.
type tape struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (t *tape) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.n += int64(n)
	return n, err
}

// errProblem ends the reading because of a problem that is kept.
var errProblem = errors.New("problem")

// problem keeps a problem and returns what ends the reading.
func (r *receiver) problem(item, file string, err error) error {
	r.problems = append(r.problems, Problem{item, file, err.Error()})
	return errProblem
}

// unread makes a problem of what is wrong with the file, and leaves an error of
// this machine (a full disk) or the end of the context what it is.
func (r *receiver) unread(item, file string, err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return r.problem(item, file, errors.New("the file ends within it: it was cut off"))
	case errors.As(err, new(*Mismatch)):
		return r.problem(item, file, err)
	}
	return fmt.Errorf("%s: %w", item, err)
}

// bad returns the error of the whole: all problems, unless this machine failed.
func (r *receiver) bad(err error) error {
	if err != nil && !errors.Is(err, errProblem) {
		return err
	}
	if len(r.problems) > 0 {
		return &Bad{Problems: r.problems}
	}
	return nil
}
