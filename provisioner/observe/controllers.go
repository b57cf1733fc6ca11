package observe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Asking is how far a look at the controllers is.
type Asking struct {
	Total    int
	Waiting  []string  // the hosts whose controllers did not answer yet, sorted; empty at the end
	Deadline time.Time // by which the last of them has answered or is given up; zero when there is none
}

// looking is one look at the controllers.
type looking struct {
	*Observer
	mu    sync.Mutex
	begun int       // controllers that were asked
	last  time.Time // when the last of them was
	out   map[string]facts.Host
}

// controllers asks all management controllers, Limit at once.
func (o *Observer) controllers(ctx context.Context) map[string]facts.Host {
	l := &looking{Observer: o, last: time.Now(), out: make(map[string]facts.Host, len(o.Controllers))}
	defer l.report()()
	var wg sync.WaitGroup
	gate := make(chan struct{}, max(o.Limit, 1))
	for name, c := range o.Controllers {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			l.begin()
			got := o.ask(ctx, c)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.out[name] = facts.Host{BMC: got}
		})
	}
	wg.Wait()
	return l.out
}

// ask asks one controller, and gives it up when it takes too long.
func (o *Observer) ask(ctx context.Context, c Controller) facts.BMC {
	bound, cancel := ctx, func() {}
	if o.Within > 0 {
		bound, cancel = context.WithTimeout(ctx, o.Within)
	}
	defer cancel()
	got, err := c.Facts(bound)
	if err != nil {
		got.Err = err.Error()
	}
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		got.Err += fmt.Sprintf("; it did not tell all within %s and was given up: look whether something else keeps the BMC busy, or restart it", o.Within)
	}
	return got
}

func (l *looking) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
	l.last = time.Now()
}

// now returns how far the look is.
func (l *looking) now() Asking {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := Asking{Total: len(l.Controllers)}
	for name := range l.Controllers {
		if _, answered := l.out[name]; !answered {
			a.Waiting = append(a.Waiting, name)
		}
	}
	slices.Sort(a.Waiting)
	if l.Within > 0 { // those that wait for their turn are asked in rounds, at worst
		limit := max(l.Limit, 1)
		rounds := 1 + (a.Total-l.begun+limit-1)/limit
		a.Deadline = l.last.Add(time.Duration(rounds) * l.Within)
	}
	return a
}

// report tells every second who is waited for, until the function that it
// returns is called; where it told anything, it tells the end as well.
func (l *looking) report() (stop func()) {
	if l.Tell == nil {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for told := false; ; told = true {
			select {
			case <-tick.C:
				l.Tell(l.now())
			case <-over:
				if told {
					l.Tell(l.now())
				}
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}
