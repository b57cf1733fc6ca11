package ipmi

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// request is one IPMI command (IPMI 2.0 appendix G). All requests here may
// come twice: none toggles.
type request struct {
	name    string // for messages
	netFn   byte
	cmd     byte
	data    []byte
	atLeast int // bytes of data that a good answer has
}

// Network functions (IPMI 2.0 table 5-1).
const (
	netFnChassis = 0x00
	netFnApp     = 0x06
	netFnStorage = 0x0a
)

func getDeviceID() request {
	return request{name: "Get Device ID", netFn: netFnApp, cmd: 0x01, atLeast: 11}
}

func getSystemGUID() request {
	return request{name: "Get System GUID", netFn: netFnApp, cmd: 0x37, atLeast: 16}
}

func setPrivilege(level byte) request {
	return request{name: "Set Session Privilege Level", netFn: netFnApp, cmd: 0x3b, data: []byte{level}}
}

func closeSession(id uint32) request {
	return request{name: "Close Session", netFn: netFnApp, cmd: 0x3c, data: binary.LittleEndian.AppendUint32(nil, id)}
}

func getChassisStatus() request {
	return request{name: "Get Chassis Status", netFn: netFnChassis, cmd: 0x01, atLeast: 3}
}

// Values of Chassis Control (IPMI 2.0 section 28.3).
const (
	powerDown = 0x00
	powerUp   = 0x01
)

func chassisControl(what byte) request {
	return request{name: "Chassis Control", netFn: netFnChassis, cmd: 0x02, data: []byte{what}}
}

// idle is how long a session may rest before a new one is opened: controllers
// end one by themselves after 60 s (IPMI 2.0 section 6.12.15).
const idle = 50 * time.Second

// busyPause is the wait before a request that the controller was too busy for
// (completion code C0h) is sent again.
const busyPause = 500 * time.Millisecond

// do sends one request in the session, which is opened before the first one.
// A session that the controller forgot, as after its restart, says nothing:
// it is opened anew, once.
func (c *Client) do(ctx context.Context, r request) ([]byte, error) {
	if c.session != nil && time.Since(c.session.used) > idle {
		c.session = nil
	}
	known := c.session != nil
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	data, err := c.exchange(ctx, r)
	if known && ctx.Err() == nil && errors.As(err, new(*silence)) {
		c.session = nil
		if err := c.open(ctx); err != nil {
			return nil, err
		}
		data, err = c.exchange(ctx, r)
	}
	return data, err
}

// exchange sends a request until it is answered, and again while the
// controller is busy, all inside of the time for one answer.
func (c *Client) exchange(ctx context.Context, r request) ([]byte, error) {
	bound, cancel := context.WithTimeout(ctx, c.cfg.AnswerTimeout)
	defer cancel()
	for {
		code, data, err := c.session.ask(bound, c.line, r)
		switch {
		case err != nil:
			return nil, c.fail(r.name, err)
		case code == codeBusy && pause(bound, busyPause):
			continue
		case code != 0:
			return nil, c.refusal(r.name, code)
		case len(data) < r.atLeast:
			return nil, c.fail(r.name, &shortAnswer{len(data), r.atLeast})
		}
		return data, nil
	}
}

// pause waits; it returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
