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
	if !ev.Deadline.IsZero() && strings.HasPrefix(ev.Note, "waiting for") {
		fmt.Fprintf(&b, ", at most %s", short(ev.Deadline.Sub(ev.Time)))
		if ev.Next != "" {
			fmt.Fprintf(&b, ", then: %s", ev.Next)
		}
	}
	return b.String()
}

// Screen turns events into the lines of one run. What a step waits for is
// said once, and again after a minute: a wait is told, and doesn't scroll.
type Screen struct {
	began time.Time
	said  map[string]time.Time // step and words to when they were last printed
}

// NewScreen returns the screen of a run that begins now.
func NewScreen(began time.Time) *Screen { return &Screen{began, map[string]time.Time{}} }

// again is after how long the same words are worth another line.
const again = time.Minute

// Line returns the event's line; ok is false when it says nothing new. It must
// be called from one goroutine at a time.
func (s *Screen) Line(ev step.Event) (line string, ok bool) {
	if wait, _, _ := strings.Cut(ev.Note, ";"); ev.Status == step.Noted && ev.Mark == "" && strings.HasPrefix(wait, "waiting for") {
		key := string(ev.Step) + " " + wait
		if last, before := s.said[key]; before && ev.Time.Sub(last) < again {
			return "", false
		}
		s.said[key] = ev.Time
	}
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
