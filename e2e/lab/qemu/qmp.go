package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// monitor is QEMU's control connection (QMP).
type monitor struct {
	conn net.Conn
	in   *bufio.Reader
}

// message is what QEMU sends: a greeting, an answer, or an event.
type message struct {
	Event string `json:"event"`
	Data  struct {
		Guest  bool   `json:"guest"`
		Reason string `json:"reason"`
	} `json:"data"`
	Error *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

// dial connects once QEMU listens, and ends the negotiation.
func dial(ctx context.Context, path string, timeout time.Duration) (*monitor, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			m := &monitor{conn: conn, in: bufio.NewReader(conn)}
			return m, m.execute("qmp_capabilities")
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("its control socket does not answer within %s: %w", timeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// execute sends a command; its answer is read by untilShutdown.
func (m *monitor) execute(command string) error {
	b, err := json.Marshal(map[string]string{"execute": command})
	if err != nil {
		return err
	}
	_, err = m.conn.Write(append(b, '\n'))
	return err
}

// untilShutdown reads until QEMU ends and returns the reason of its SHUTDOWN
// event: "guest-reset", "guest-shutdown", "host-qmp-quit"; empty when it was
// killed.
func (m *monitor) untilShutdown() string {
	reason := ""
	for {
		line, err := m.in.ReadBytes('\n')
		var msg message
		if json.Unmarshal(line, &msg) == nil && msg.Event == "SHUTDOWN" {
			reason = msg.Data.Reason
		}
		if err != nil {
			return reason
		}
	}
}

// Close ends the connection.
func (m *monitor) Close() error { return m.conn.Close() }
