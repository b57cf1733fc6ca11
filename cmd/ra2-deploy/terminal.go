package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// terminal shows a run to a person, and says now and then that it goes on.
type terminal struct {
	mu     sync.Mutex
	screen *report.Screen
	out    io.Writer
}

// tell shows an event.
func (t *terminal) tell(ev step.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if line, ok := t.screen.Line(ev); ok {
		fmt.Fprintln(t.out, line)
	}
}

// watch looks every second whether it was silent for too long, until stop.
func (t *terminal) watch() (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case now := <-tick.C:
				t.mu.Lock()
				if line, ok := t.screen.Still(now); ok {
					fmt.Fprintln(t.out, line)
				}
				t.mu.Unlock()
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}
