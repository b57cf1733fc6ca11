package workload

import (
	"context"
	"log"
	"log/slog"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// listener hears what Helm's packages say to the process's logger: they have no
// other way to tell of values that don't fit.
type listener struct {
	mu    sync.Mutex
	heard []app.Message
}

// listen hears until the function is called that it returns, which gives back what
// was heard. Nothing of it reaches the terminal.
func listen() (stop func() []app.Message) {
	l := &listener{}
	before, to, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(l))
	return func() []app.Message {
		slog.SetDefault(before)
		log.SetOutput(to) // SetDefault leads package log to a handler, and not back
		log.SetFlags(flags)
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.heard
	}
}

// Enabled implements slog.Handler.
func (l *listener) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (l *listener) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, app.Message{Severity: "warning", Path: "values.yaml", Text: conform.Trim(text)})
	return nil
}

// WithAttrs implements slog.Handler.
func (l *listener) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *listener) WithGroup(string) slog.Handler { return l }
