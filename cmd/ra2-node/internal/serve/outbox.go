package serve

import (
	"context"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// outbox sends reports in their order, beside the work: a provisioner that
// doesn't answer must not hold up the phases.
type outbox struct {
	to    Words
	say   func(string, ...any)
	mu    sync.Mutex
	queue []agent.Report
	more  chan struct{}
}

// maxQueue is how many reports wait; the oldest are dropped then.
const maxQueue = 256

func newOutbox(to Words, say func(string, ...any)) *outbox {
	return &outbox{to: to, say: say, more: make(chan struct{}, 1)}
}

func (o *outbox) put(r agent.Report) {
	r.Stage, r.Time = agent.StageNode, time.Now()
	o.mu.Lock()
	o.queue = append(o.queue, r)
	if len(o.queue) > maxQueue {
		o.queue = o.queue[1:]
	}
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
}

func (o *outbox) run(ctx context.Context) {
	for pause := firstPause; ; {
		o.mu.Lock()
		waiting := len(o.queue) > 0
		var r agent.Report
		if waiting {
			r = o.queue[0]
		}
		o.mu.Unlock()
		if !waiting {
			select {
			case <-ctx.Done():
				return
			case <-o.more:
			}
			continue
		}
		err := o.to.Report(ctx, r)
		if err == nil || refused(err) {
			pause = firstPause
			o.sent(r)
			continue
		}
		o.say("report to the provisioner: %v; again in %s", err, pause)
		if !sleep(ctx, pause) {
			return
		}
		pause = longer(pause, err)
	}
}

// sent takes r off the queue, unless it was dropped meanwhile.
func (o *outbox) sent(r agent.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 && o.queue[0] == r {
		o.queue = o.queue[1:]
	}
}

// drain waits a little until all reports are sent.
func (o *outbox) drain(ctx context.Context) {
	for range 50 {
		o.mu.Lock()
		left := len(o.queue)
		o.mu.Unlock()
		if left == 0 || !sleep(ctx, 20*time.Millisecond) {
			return
		}
	}
}
