package redfish

import (
	"context"
	"time"
)

// How many requests one controller gets: a burst, which a look at a whole host
// stays below, and then no more than some in each second. Controllers freeze
// after floods (omni#785 tells of one by IPMI), and a loop that went wrong
// must not become one.
const (
	paceBurst = 100
	paceEvery = 100 * time.Millisecond
)

// pace is a bucket of requests. The zero value is full. It is guarded by the
// queue.
type pace struct {
	free time.Time // when all requests so far are paid for
}

// wait takes one request out of the bucket, or waits until one is there.
func (p *pace) wait(ctx context.Context) error {
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(paceEvery)
	early := p.free.Sub(now) - paceBurst*paceEvery
	if early <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
