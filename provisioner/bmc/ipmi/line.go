package ipmi

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// line is the way to one controller: datagrams, which get lost.
type line struct {
	addr string
	conn net.Conn
}

// dial prepares a socket that takes datagrams of this one address only.
func dial(ctx context.Context, addr string) (*line, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	return &line{addr, conn}, nil
}

// again is how long one datagram is waited for before it is sent again. Small
// controllers take up to a second for an answer when they are busy.
const again = time.Second

// ask sends a datagram, and a newly made one each second, until match takes
// an answer for its own or ctx ends.
func (l *line) ask(ctx context.Context, datagram func() ([]byte, error), match func([]byte) bool) error {
	quiet := &silence{addr: l.addr}
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 2048)
	for ctx.Err() == nil {
		p, err := datagram()
		if err != nil {
			return err
		}
		until := time.Now().Add(again)
		_ = l.conn.SetReadDeadline(until)
		quiet.sent++
		if _, err := l.conn.Write(p); err != nil {
			quiet.last = said(err)
		}
		for ctx.Err() == nil {
			n, err := l.conn.Read(buf)
			if err == nil && match(buf[:n]) {
				return nil
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil { // ICMP: nobody listens now; a controller that restarts will
				quiet.last = said(err)
				pause(ctx, time.Until(until))
				break
			}
			quiet.heard++
		}
	}
	quiet.ctx = ctx.Err()
	return quiet
}

// said is what the operating system says, without the addresses around it.
func said(err error) string {
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		return sys.Err.Error()
	}
	return err.Error()
}
