package ipmi

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Power is a power state to reach.
type Power string

// The states. Cycle is Off and then On, each read back; it starts a host that
// is off. The Power Cycle of Chassis Control is not used: no state proves it.
const (
	On    Power = "On"
	Off   Power = "Off"
	Cycle Power = "Cycle"
)

// PowerState returns "On" or "Off".
func (c *Client) PowerState(ctx context.Context) (string, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	data, err := c.do(ctx, getChassisStatus())
	if err != nil {
		return "", err
	}
	return powerWord(data[0]), nil
}

// powerWord reads the first byte of a chassis status (IPMI 2.0 table 28-3).
func powerWord(state byte) string {
	if state&1 == 1 {
		return string(On)
	}
	return string(Off)
}

// Power brings the host to a power state and returns when the state is read
// back, or an error at the deadline.
func (c *Client) Power(ctx context.Context, to Power) error {
	switch to {
	case On, Off:
		return c.settle(ctx, to)
	case Cycle:
		if err := c.settle(ctx, Off); err != nil {
			return err
		}
		return c.settle(ctx, On)
	}
	return c.fail("", fmt.Errorf("%q is not a power state", to))
}

// settle asks for the state, and again each quarter of the time: a controller
// that accepted it may have forgotten it.
func (c *Client) settle(ctx context.Context, to Power) error {
	deadline := time.Now().Add(c.cfg.PowerTimeout)
	bound, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(c.cfg.Poll)
	defer tick.Stop()
	var last string
	var asked time.Time
	for {
		state, err := c.PowerState(bound)
		if err == nil && state == string(to) {
			return nil
		}
		if err == nil && time.Since(asked) > c.cfg.PowerTimeout/4 {
			if err = c.order(bound, to); err == nil {
				asked = time.Now()
			}
		}
		switch {
		case bound.Err() != nil:
			return c.late(ctx, to, last)
		case err == nil:
			last = "power state " + state
		case !temporary(err):
			return err
		default:
			last = err.Error()
		}
		if c.cfg.Waiting != nil {
			c.cfg.Waiting(Wait{For: "power state " + string(to), Last: last, Deadline: deadline, Next: "the step fails"})
		}
		select {
		case <-bound.Done():
			return c.late(ctx, to, last)
		case <-tick.C:
		}
	}
}

// late is the error of a state that was not reached in time.
func (c *Client) late(ctx context.Context, to Power, last string) error {
	why := ctx.Err()
	if why == nil {
		why = context.DeadlineExceeded
	}
	if last == "" {
		last = "nothing"
	}
	return fmt.Errorf("%s: waited for power state %s by IPMI, last seen: %s: %w", c.cfg.Host, to, last, why)
}

func temporary(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Temporary()
}

// order asks for a power state once.
func (c *Client) order(ctx context.Context, to Power) error {
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	what := byte(powerDown)
	if to == On {
		what = powerUp
	}
	_, err = c.do(ctx, chassisControl(what))
	return err
}
