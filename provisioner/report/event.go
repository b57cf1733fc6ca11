// Package report turns plans, events, findings and errors into text for
// people. It is a fold: it asks nobody and decides nothing.
//
// The rules of the text: a line says what happens and where, in this order:
// time, host, step, sentence. What we wait for stands with its deadline. An
// error has four parts: what failed on which host and why, the evidence, a
// hint, the next command. Nothing scrolls past that doesn't matter.
package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Line returns the event as one line for a terminal, without a line feed.
func Line(ev step.Event, began time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-22s %s", clock(ev.Time.Sub(began)), where(ev), glyph(ev.Status))
	switch {
	case ev.Note != "":
		fmt.Fprintf(&b, " %s", firstLine(ev.Note))
	case ev.Status == step.Noted:
		fmt.Fprintf(&b, " %s", ev.Mark)
	default:
		fmt.Fprintf(&b, " %s", ev.Status)
	}
	if ev.Status == step.Retried {
		fmt.Fprintf(&b, " (try %d ended)", ev.Try)
	}
	if ev.Evidence != "" && ev.Status == step.Noted {
		fmt.Fprintf(&b, " [%s]", firstLine(ev.Evidence))
	}
	if !ev.Deadline.IsZero() && (strings.HasPrefix(ev.Note, "waiting for") || strings.HasPrefix(ev.Note, still)) {
		fmt.Fprintf(&b, ", at most %s", short(ev.Deadline.Sub(ev.Time)))
		if ev.Next != "" {
			fmt.Fprintf(&b, ", then: %s", ev.Next)
		}
	}
	return b.String()
}

// Screen turns events into the lines of one run. What a step waits for is
// said once, and again after a minute; progress in percent is said every ten
// seconds: both are told, and don't scroll. A screen is never silent for long:
// see Still. Its methods must be called from one goroutine at a time.
type Screen struct {
	began time.Time
	last  time.Time              // when anything was printed
	said  map[string]time.Time   // step and words to when they were last printed
	open  map[step.ID]step.Event // steps that run, with what they told last
	since map[step.ID]time.Time  // when they began to tell that
}

// NewScreen returns the screen of a run that begins now.
func NewScreen(began time.Time) *Screen {
	return &Screen{began: began, last: began, said: map[string]time.Time{}, open: map[step.ID]step.Event{}, since: map[step.ID]time.Time{}}
}

// still begins a line that tells that a step goes on.
const still = "still"

// After how long the same is worth another line.
const (
	againWait     = time.Minute
	againProgress = 10 * time.Second
	quiet         = 15 * time.Second // nothing at all was printed
)

// Line returns the event's line; ok is false when it says nothing new.
func (s *Screen) Line(ev step.Event) (line string, ok bool) {
	_, runs := s.open[ev.Step]
	switch {
	case ev.Status == step.Started, ev.Status == step.Retried, ev.Status == step.Noted && runs:
		key, _ := repeated(ev)
		if before, _ := repeated(s.open[ev.Step]); key == "" || key != before {
			s.since[ev.Step] = ev.Time
		}
		s.open[ev.Step] = ev
	case ev.Status != step.Noted:
		delete(s.open, ev.Step)
	}
	if key, pause := repeated(ev); key != "" {
		if last, before := s.said[key]; before && ev.Time.Sub(last) < pause {
			return "", false
		}
		s.said[key] = ev.Time
	}
	s.last = ev.Time
	return Line(ev, s.began), true
}

// repeated returns what an event has in common with others that tell nearly the
// same, and how often that is worth a line; key is empty for all others.
func repeated(ev step.Event) (key string, pause time.Duration) {
	if ev.Status != step.Noted || ev.Mark != "" {
		return "", 0
	}
	if wait, _, _ := strings.Cut(ev.Note, ";"); strings.HasPrefix(wait, "waiting for") {
		return string(ev.Step) + " " + wait, againWait
	}
	if work, rest, cut := strings.Cut(ev.Note, ": "); cut && strings.Contains(rest, "%") {
		return string(ev.Step) + " " + work, againProgress
	}
	return "", 0
}

// Still returns a line about the step that told something last, when nothing
// was printed for a while; ok is false when there is nothing to say.
func (s *Screen) Still(now time.Time) (line string, ok bool) {
	var ev step.Event
	for id, each := range s.open {
		if ev.Time.IsZero() || each.Time.After(ev.Time) || each.Time.Equal(ev.Time) && id < ev.Step {
			ev = each
		}
	}
	if ev.Time.IsZero() || now.Sub(s.last) < quiet {
		return "", false
	}
	s.last = now
	note := firstLine(ev.Note)
	switch {
	case note == "":
		note = "at work"
	case !strings.HasPrefix(note, "waiting for"):
		note = "at: " + strings.TrimSuffix(note, ": started")
	}
	note = fmt.Sprintf("%s %s, for %s", still, note, short(now.Sub(s.since[ev.Step])))
	if others := len(s.open) - 1; others > 0 {
		note += fmt.Sprintf(" (and %s)", Count(others, "other step"))
	}
	ev.Note, ev.Time, ev.Status, ev.Mark = note, now, step.Noted, ""
	return Line(ev, s.began), true
}

// where names the step, and the host where the step doesn't.
func where(ev step.Event) string {
	if ev.Host == "" || strings.HasPrefix(string(ev.Step), ev.Host+"/") {
		return string(ev.Step)
	}
	return ev.Host + " " + string(ev.Step)
}

// glyph is the one sign that tells how a step stands.
func glyph(s step.Status) string {
	switch s {
	case step.Started:
		return "▸"
	case step.Done:
		return "✓"
	case step.Failed, step.Held:
		return "✗"
	case step.Retried:
		return "↻"
	}
	return "·"
}

// clock prints a duration as minutes and seconds.
func clock(d time.Duration) string {
	return fmt.Sprintf("%3d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// short prints a duration without what is too fine to matter.
func short(d time.Duration) string {
	if d >= time.Minute {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
