package install

import (
	"context"
	"fmt"
	"io"
	"time"
)

// opener reads a file from an offset on.
type opener interface {
	Open(ctx context.Context, ref string, offset int64) (body io.ReadCloser, size int64, err error)
}

// A stream reads a file of the API to its end. When the connection breaks it
// goes on where it was: a hundred hosts may be reading at once, and 2 GB don't
// begin again for one lost packet.
type stream struct {
	ctx   context.Context
	from  opener
	ref   string
	say   func(string, ...any)
	body  io.ReadCloser
	at    int64
	size  int64 // -1 when not told
	fails int   // since the last byte
	pause time.Duration
}

// maxFails is how often a stream is taken up again without one byte between.
const maxFails = 20

func newStream(ctx context.Context, from opener, ref string, say func(string, ...any)) *stream {
	return &stream{ctx: ctx, from: from, ref: ref, say: say, size: -1, pause: 500 * time.Millisecond}
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for {
		if err := s.open(); err != nil {
			return 0, err
		}
		n, err := s.body.Read(p)
		s.at += int64(n)
		if n > 0 {
			s.fails = 0
		}
		ended := err == io.EOF && (s.size < 0 || s.at >= s.size)
		if err == nil || ended {
			return n, err
		}
		s.body.Close()
		s.body = nil
		if n > 0 { // the error comes again when the stream is opened
			return n, nil
		}
		if err := s.failed(err); err != nil {
			return 0, err
		}
	}
}

func (s *stream) open() error {
	for s.body == nil {
		if s.size >= 0 && s.at >= s.size {
			return io.EOF
		}
		body, size, err := s.from.Open(s.ctx, s.ref, s.at)
		if err == nil {
			s.body, s.size = body, size
			return nil
		}
		if final(err) {
			return err
		}
		if err := s.failed(err); err != nil {
			return err
		}
	}
	return nil
}

// failed waits before the next try, or gives up.
func (s *stream) failed(err error) error {
	s.fails++
	if s.fails > maxFails {
		return fmt.Errorf("GET %s: %d tries at byte %d: %w", s.ref, s.fails, s.at, err)
	}
	s.say("the stream of %s broke at byte %d: %v; going on in %s", s.ref, s.at, err, s.pause)
	select {
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	case <-time.After(s.pause):
		return nil
	}
}
