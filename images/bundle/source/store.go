package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// Store is a directory of fetched content, each file by its digest. What is
// there is fetched no second time, but looked at anew.
type Store struct {
	Dir string

	patience time.Duration // how long a server may send nothing; 0 means a minute
	pause    time.Duration // before the second try, doubled for each more; 0 means a second
}

// tries is how often content is fetched that breaks off on its way.
const tries = 4

// status is an answer of a server that isn't the content.
type status struct {
	url  string
	code int
	text string
}

// Error implements error.
func (s *status) Error() string { return fmt.Sprintf("%s answers %s", s.url, s.text) }

// gone tells whether the server doesn't have it, and won't have it later.
func (s *status) gone() bool { return s.code == http.StatusNotFound || s.code == http.StatusGone }

// fetch gives the file with an item's content, from url unless it is there.
func (s Store) fetch(ctx context.Context, url string, i bundle.Item) (string, error) {
	file := filepath.Join(s.Dir, i.Digest.Hex())
	switch digest, err := digestFile(file); {
	case err == nil && digest == i.Digest:
		return file, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return "", err
	}
	var err error
	for try := range tries {
		if try > 0 {
			if err := s.wait(ctx, try); err != nil {
				return "", err
			}
		}
		err = s.once(ctx, url, i, file)
		if err == nil || !errors.As(err, new(*broken)) || ctx.Err() != nil {
			break
		}
	}
	return file, err
}

// wait pauses before another try.
func (s Store) wait(ctx context.Context, try int) error {
	pause := s.pause
	if pause == 0 {
		pause = time.Second
	}
	t := time.NewTimer(pause << (try - 1))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// broken is content that came half: the next try may bring all of it.
type broken struct {
	url string
	err error
}

// Error implements error.
func (b *broken) Error() string { return fmt.Sprintf("fetch %s: it broke off: %v", b.url, b.err) }

// Unwrap returns why.
func (b *broken) Unwrap() error { return b.err }

// errStalled ends a fetch from a server that sends nothing any more.
var errStalled = errors.New("the server sends nothing")

// once fetches into the file, which appears whole or not at all.
func (s Store) once(ctx context.Context, url string, i bundle.Item, file string) error {
	patience := s.patience
	if patience == 0 {
		patience = time.Minute
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(patience, func() { cancel(fmt.Errorf("%w for %s", errStalled, patience)) })
	defer watch.Stop()
	body, err := open(ctx, url)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return err
	}
	defer body.Close()
	out, err := os.CreateTemp(s.Dir, "new-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), &alive{io.LimitReader(body, i.Size+1), func() { watch.Reset(patience) }, url})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = &broken{url, cause}
	}
	if err != nil {
		return err
	}
	got := bundle.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
	if n != i.Size || got != i.Digest {
		return fmt.Errorf("%s gives other content, of digest %s with %d bytes, and not %s with %d: a mirror that was changed, or something between that answers in its place",
			url, got, n, i.Digest, i.Size)
	}
	if err := errors.Join(out.Chmod(0o644), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), file)
}

// alive is a body that tells when something came, and that an end is too early.
type alive struct {
	from io.Reader
	came func()
	url  string
}

// Read implements io.Reader.
func (a *alive) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	if n > 0 {
		a.came()
	}
	if err != nil && err != io.EOF {
		err = &broken{a.url, err}
	}
	return n, err
}

// open asks for a file. What a server can't do for the moment is asked again, as
// long as it wants, by go-retryablehttp.
func open(ctx context.Context, url string) (io.ReadCloser, error) {
	client := retryablehttp.NewClient()
	client.Logger, client.RetryMax = nil, 3
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	if t, ok := client.HTTPClient.Transport.(*http.Transport); ok {
		t.RegisterProtocol("file", http.NewFileTransport(http.Dir("/"))) // mirrors on a disk, as apt takes them
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, &status{url, resp.StatusCode, resp.Status}
	}
	return resp.Body, nil
}

// digestFile gives the digest of a file.
func digestFile(name string) (bundle.Digest, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return bundle.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil))), nil
}
