package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Timing is the way of each node from power-on to Ready: when it passed each
// mark for the first time after its last power-on. It is a fold over events.
type Timing struct {
	Nodes map[string]map[string]time.Time // node, mark, time
	Began time.Time
}

// With returns t after e happened. It doesn't change t.
func (t Timing) With(e step.Event) Timing {
	if e.Mark == "" || e.Host == "" {
		return t
	}
	next := Timing{Nodes: maps.Clone(t.Nodes), Began: t.Began}
	if next.Nodes == nil {
		next.Nodes = map[string]map[string]time.Time{}
	}
	marks := maps.Clone(next.Nodes[e.Host])
	if marks == nil || e.Mark == step.MarkPowerOn {
		marks = map[string]time.Time{}
	}
	if _, seen := marks[e.Mark]; !seen {
		marks[e.Mark] = e.Time
	}
	next.Nodes[e.Host] = marks
	return next
}

// Table returns the timing as text: one row for each node, the seconds between
// one mark and the one before it; "-" is a mark that was not seen.
func (t Timing) Table(own time.Duration) string {
	if len(t.Nodes) == 0 {
		return fmt.Sprintf("own code: %.1f s of CPU time\n", own.Seconds())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s", "node")
	for _, m := range step.Marks() {
		fmt.Fprintf(&b, " %10s", m)
	}
	fmt.Fprintf(&b, " %10s\n", "total")
	for _, name := range slices.Sorted(maps.Keys(t.Nodes)) {
		t.row(&b, name)
	}
	fmt.Fprintf(&b, "seconds from the mark before; power-on: since the run began. Own code (ra2-deploy): %.1f s of CPU time\n", own.Seconds())
	return b.String()
}

func (t Timing) row(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%-14s", name)
	marks, last := t.Nodes[name], t.Began
	for _, m := range step.Marks() {
		at, ok := marks[m]
		if !ok {
			fmt.Fprintf(b, " %10s", "-")
			continue
		}
		fmt.Fprintf(b, " %10.1f", at.Sub(last).Seconds())
		last = at
	}
	on, ok := marks[step.MarkPowerOn]
	if !ok {
		fmt.Fprintf(b, " %10s\n", "-")
		return
	}
	fmt.Fprintf(b, " %10.1f\n", last.Sub(on).Seconds())
}
