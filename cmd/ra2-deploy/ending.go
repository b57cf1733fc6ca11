package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errUnread says that whoever read our output has gone, as `| head` does.
var errUnread = errors.New("interrupted: nobody reads the output any more")

// ended returns a context that ends with the run: at an interrupt, when the
// terminal hangs up (but not under nohup), and when the output that it returns
// is read by nobody any more. A process that a signal ends at once would leave
// sessions at the controllers and steps in the middle.
func ended() (ctx context.Context, out io.Writer, stop func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	// Heard and not acted upon: the kernel sends it for sockets as well. The write fails, that is enough.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, free := signal.NotifyContext(context.Background(), signals...)
	ctx, end := context.WithCancelCause(ctx)
	return ctx, output{os.Stdout, end}, func() { end(nil); free() }
}

// output ends the run when nobody reads it any more.
type output struct {
	io.Writer
	end context.CancelCauseFunc
}

// Write implements io.Writer.
func (o output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.end(errUnread)
	}
	return n, err
}
