package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// unasked is an error of our own side: the question never left.
type unasked struct{ error }

// Unwrap returns what happened.
func (u unasked) Unwrap() error { return u.error }

// talk sends a datagram to a server every second until accept takes an answer,
// for the time d. An answer that accept refuses is told if nothing better
// comes. Where nothing could be sent the error is unasked.
func talk(ctx context.Context, to netip.AddrPort, d time.Duration, question func() []byte, accept func(answer []byte) error) error {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", to.String())
	if err != nil {
		return unasked{err}
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	var wrong error
	buf := make([]byte, 1<<16)
	for ctx.Err() == nil {
		if _, err := conn.Write(question()); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			return unasked{err}
		}
		for again := time.Now().Add(time.Second); ctx.Err() == nil; {
			_ = conn.SetReadDeadline(again)
			if ctx.Err() != nil {
				break
			}
			n, err := conn.Read(buf)
			if err != nil {
				if !os.IsTimeout(err) {
					wrong = fmt.Errorf("it answers: %w", errors.Unwrap(err))
					pause(ctx, time.Until(again))
				}
				break
			}
			if err := accept(buf[:n]); err != nil {
				wrong = err
				continue
			}
			return nil
		}
	}
	if wrong != nil {
		return wrong
	}
	return os.ErrDeadlineExceeded
}

// failed sorts an error of talk: why nothing was asked, or why there is no
// answer.
func failed(err error, d time.Duration) (unsent, silent string) {
	if errors.As(err, new(unasked)) {
		return err.Error(), ""
	}
	return "", late(err, d)
}
