package verify

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A beat is one question of a stream.
type beat struct {
	asked time.Time
	took  time.Duration
	err   error
}

// streamEvery is the time from one question of a stream to the next, and so how
// exactly an outage is measured.
const streamEvery = 100 * time.Millisecond

// stream asks again and again, whatever becomes of the questions before, until ctx
// ends; then it waits for the last answers.
func stream(ctx context.Context, ask func(context.Context) error) (beats func() []beat, wait func()) {
	var mu sync.Mutex
	var all []beat
	var asking sync.WaitGroup
	asking.Go(func() {
		tick := time.NewTicker(streamEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			asking.Go(func() {
				began := time.Now()
				err := ask(context.WithoutCancel(ctx))
				mu.Lock()
				defer mu.Unlock()
				all = append(all, beat{began, time.Since(began), err})
			})
		}
	})
	return func() []beat {
		mu.Lock()
		defer mu.Unlock()
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, func(a, b beat) int { return a.asked.Compare(b.asked) })
		return sorted
	}, asking.Wait
}

// outage is how long, from a moment on, questions were left without an answer: from
// the first that failed to the next one after the last. Some answers in between don't
// end it, for flows that still go to what is lost are what has to be redirected.
func outage(beats []beat, since time.Time) (long time.Duration, failed int) {
	var first, last time.Time
	for _, b := range beats {
		if b.err == nil || b.asked.Add(b.took).Before(since) {
			continue
		}
		if failed++; first.IsZero() {
			first = b.asked
		}
		last = b.asked
	}
	if failed == 0 {
		return 0, 0
	}
	return last.Sub(first) + streamEvery, failed
}
