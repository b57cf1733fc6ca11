package provisioner

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// bundleOpener gives the bundle of a run.
type bundleOpener func() (bundle.Bundle, error)

// bundle returns how to get the bundle of the options: it is read through once,
// when it is first needed.
func (r *Run) bundle(ctx context.Context) bundleOpener {
	return sync.OnceValues(func() (bundle.Bundle, error) {
		o := r.options
		tell := notices(r.tell)
		b, err := bundle.Find(ctx, o.Bundle, o.Cache, o.BundleKey, reading(5*time.Second, func(text string) { tell("", text) }))
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return b, err
	})
}

// serveContent serves the bundle of the options, where there is one, until the
// run is closed.
func (r *Run) serveContent(ctx context.Context, open bundleOpener, notice func(node, text string)) error {
	o := r.options
	if o.Bundle == "" {
		return nil
	}
	b, err := open()
	if err != nil {
		return err
	}
	content, err := openContent(ctx, r.want, b, ContentOptions{Inventory: o.Inventory, Log: slog.New(teller{notice})})
	if err != nil {
		return err
	}
	notice("", fmt.Sprintf("bundle %s is served at %s", content.Bundle.Digest(), content.Places[0]))
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := content.Serve(ctx)
		if err != nil {
			notice("", "the bundle is no longer served: "+err.Error())
		}
		ended <- err
	}()
	r.content = func() error {
		stop()
		err := <-ended
		requests, bytes := int64(0), int64(0)
		for _, c := range content.Counts() {
			requests, bytes = requests+c.Requests, bytes+c.Bytes
		}
		notice("", fmt.Sprintf("bundle: %d requests, %.1f MB sent", requests, float64(bytes)/1e6))
		return err
	}
	return nil
}

// reading tells how far the reading of a bundle is, at most once in so long.
func reading(every time.Duration, tell func(text string)) func(bundle.Progress) {
	told := time.Now()
	return func(p bundle.Progress) {
		now := time.Now()
		if now.Sub(told) < every || p.OfBytes == 0 {
			return
		}
		told = now
		tell(fmt.Sprintf("reading the bundle: %d %% of %d MB, %s", 100*p.Bytes/p.OfBytes, p.OfBytes/1e6, p.Item))
	}
}

// teller is a slog.Handler that makes a notice of what is wrong: a run shows its
// own story, and no log of its servers.
type teller struct{ notice func(node, text string) }

// Enabled implements slog.Handler.
func (t teller) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (t teller) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%q", a.Key, a.Value.String())
		return true
	})
	t.notice("", "bundle: "+text)
	return nil
}

// WithAttrs implements slog.Handler.
func (t teller) WithAttrs([]slog.Attr) slog.Handler { return t }

// WithGroup implements slog.Handler.
func (t teller) WithGroup(string) slog.Handler { return t }
