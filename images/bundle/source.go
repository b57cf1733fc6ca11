package bundle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Source is where items come from: a package repository, a registry, a builder
// of Go modules, local files.
type Source interface {
	// Resolve returns what the source gives now for what it was made for: items
	// with version, source, digest and size.
	Resolve(ctx context.Context) ([]Item, error)
	// Has reports whether Fetch can give an item, by its source.
	Has(Item) bool
	// Fetch adds the content of an item that has its digest to a bundle. It may be
	// called from several goroutines. The error is *Gone where the source gives
	// something else by now.
	Fetch(ctx context.Context, i Item, to *Writer) error
}

// Scheme is the first word of an item's source: apt, rpm, go, oci or file.
func (i Item) Scheme() string {
	scheme, _, _ := strings.Cut(i.Source, ":")
	return scheme
}

// Teller is a source that can say what it has in the place of items that are gone.
type Teller interface {
	// Now returns it in words, by the items' names.
	Now(ctx context.Context, items []Item) (map[string]string, error)
}

// Gone says that a source doesn't have an item any more, or makes another one of
// the same inputs.
type Gone struct {
	Item Item
	Why  string // "404 Not Found for http://deb.debian.org/…"
	Now  string // what it has instead; "" when that can't be known
	Next string // what to do
}

// Error implements error.
func (g *Gone) Error() string {
	so := "is gone"
	if g.Item.Scheme() == "go" {
		so = "is another one here" // modules don't go: they are built
	}
	text := fmt.Sprintf("%s %s: %s", g.Item, so, g.Why)
	if g.Now != "" {
		text += "; " + g.Now
	}
	return text + "\nnext: " + g.Next
}

// Progress tells how far some work has come.
type Progress struct {
	Doing   string // "fetch", "read", "write"; "sync" while the disk takes all of it
	Item    string // what is or was worked on last, for people; "" for all
	Bytes   int64  // so far
	OfBytes int64  // in all; 0 when that isn't known
}

// parallel is how many items are fetched at once.
const parallel = 4

// Resolve asks all sources what they give, and returns it sorted.
func Resolve(ctx context.Context, sources []Source) ([]Item, error) {
	var all []Item
	for _, s := range sources {
		items, err := s.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	slices.SortFunc(all, compare)
	all = slices.Compact(all)
	return all, checkAll(all)
}

// Fill fetches items into a bundle, several at once. All that are gone from
// their sources are named by the error; any other error ends the work at once.
// tell may be nil.
func Fill(ctx context.Context, w *Writer, items []Item, sources []Source, tell func(Progress)) error {
	f := filler{to: w, sources: sources, progress: meter{tell: tell, now: Progress{Doing: "fetch"}}}
	for _, i := range items {
		w.fail(i, fmt.Errorf("%s was not fetched", i)) // until it was
		if f.sourceOf(i) < 0 {
			f.failed = append(f.failed, fmt.Errorf("%s: nothing here can fetch it from %s", i, i.Source))
		}
	}
	if len(f.failed) > 0 {
		return errors.Join(f.failed...)
	}
	return f.all(ctx, items)
}

// filler is one Fill at work.
type filler struct {
	to      *Writer
	sources []Source

	mu       sync.Mutex
	progress meter
	failed   []error
}

func (f *filler) all(ctx context.Context, items []Item) error {
	f.to.stage.wrote = func(n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.progress.add(n)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan Item)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range next {
				f.done(i, f.one(ctx, i), ctx.Err() != nil, cancel)
			}
		})
	}
	for _, i := range items {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if len(f.failed) == 0 {
		f.progress.sync()
		return context.Cause(ctx) // ended by who called
	}
	f.askNow(ctx)
	return errors.Join(f.failed...)
}

// askNow adds to what is gone what there is in its place, where a source can
// tell: asked once for all of them.
func (f *filler) askNow(ctx context.Context) {
	for n, s := range f.sources {
		teller, ok := s.(Teller)
		var gone []*Gone
		var items []Item
		for _, err := range f.failed {
			if g, is := errors.AsType[*Gone](err); is && ok && f.sourceOf(g.Item) == n && g.Now == "" {
				gone, items = append(gone, g), append(items, g.Item)
			}
		}
		if len(gone) == 0 {
			continue
		}
		now, err := teller.Now(ctx, items)
		for _, g := range gone {
			if g.Now = now[g.Item.Name]; err != nil {
				g.Now = fmt.Sprintf("what it has now is not known: %v", err)
			}
		}
	}
}

// sourceOf returns the place of the source that has an item; -1 for none.
func (f *filler) sourceOf(i Item) int {
	return slices.IndexFunc(f.sources, func(s Source) bool { return s.Has(i) })
}

func (f *filler) one(ctx context.Context, i Item) error {
	return f.sources[f.sourceOf(i)].Fetch(ctx, i, f.to)
}

// done counts an item, or keeps its error; what failed because the work had
// ended is no error of its own.
func (f *filler) done(i Item, err error, ended bool, cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.progress.item(i.String())
	case ended && errors.Is(err, context.Canceled):
	default:
		f.failed = append(f.failed, err)
		if !errors.As(err, new(*Gone)) {
			cancel()
		}
	}
}
