package redfish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	bmclib "github.com/bmc-toolbox/bmclib/v2/providers/redfish"
	"github.com/go-logr/logr"
)

// Power is a power state to reach.
type Power string

// The states. Cycle is Off and then On, each read back; it starts a host that
// is off.
const (
	On    Power = "On"
	Off   Power = "Off"
	Cycle Power = "Cycle"
)

// PowerState returns "On", "Off", "PoweringOn", "PoweringOff" or what else the
// controller says.
func (c *Client) PowerState(ctx context.Context) (string, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	s, _, err := c.read(ctx)
	return string(s.PowerState), err
}

// Power brings the host to a power state and returns when the state is read
// back, or an error at the deadline. A reset that may have been lost is not
// sent again blindly: the state is read first, and only On and ForceOff are
// used, which do nothing when they come twice.
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
	return c.fail("", "", fmt.Errorf("%q is not a power state", to))
}

func (c *Client) settle(ctx context.Context, to Power) error {
	deadline := time.Now().Add(c.cfg.PowerTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(c.cfg.Poll)
	defer tick.Stop()
	var last string
	var asked time.Time
	resets := 0
	for {
		state, err := c.PowerState(ctx)
		switch {
		case err == nil && state == string(to):
			return nil
		case err == nil:
			last = fmt.Sprintf("power state %s, resets accepted (ComputerSystem.Reset): %d", state, resets)
			if strings.HasPrefix(state, "Powering") || time.Since(asked) < c.cfg.PowerTimeout/4 {
				break
			}
			if err := c.reset(ctx, to); err == nil {
				asked = time.Now()
				resets++
				continue
			} else if !temporary(err) || ctx.Err() != nil {
				return err
			} else {
				last = err.Error()
			}
		case !temporary(err) || ctx.Err() != nil:
			return c.powerError(to, last, err)
		default:
			last = err.Error()
		}
		c.wait(Wait{For: "power state " + string(to), Last: last, Deadline: deadline, Next: "the step fails"})
		select {
		case <-ctx.Done():
			return c.powerError(to, last, ctx.Err())
		case <-tick.C:
		}
	}
}

func (c *Client) powerError(to Power, last string, err error) error {
	if last == "" || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return because(context.DeadlineExceeded, "%s: BMC: waited for power state %s, last seen: %s; look at the host itself, its power supply and the BMC's log, then run again", c.cfg.Host, to, last)
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// reset asks for a power state once. bmclib speaks through the client's own
// session, queue and pinned connection.
func (c *Client) reset(ctx context.Context, to Power) error {
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	if _, err := c.find(ctx); err != nil {
		return err
	}
	u, err := url.Parse(c.cfg.URL)
	if err != nil {
		return c.fail("", "", err)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	root, err := c.service(ctx)
	if err != nil {
		return err
	}
	b := &bridge{client: c, ctx: ctx, root: root.raw}
	if b.systems = strings.TrimSuffix(c.systems, "/"); b.systems != "" {
		b.only, err = c.onlyOurs()
	}
	if err != nil {
		return c.fail("", "", err)
	}
	conn := bmclib.New("https://"+strings.TrimSuffix(u.Host, ":"+u.Port()), "by", "session", logr.Discard(),
		bmclib.WithHttpClient(&http.Client{Transport: b}), bmclib.WithPort(port),
		bmclib.WithUseBasicAuth(true), bmclib.WithEtagMatchDisabled(true))
	if err = conn.Open(context.WithoutCancel(ctx)); err == nil {
		_, err = conn.PowerSet(ctx, strings.ToLower(string(to)))
	}
	switch {
	case b.lost != nil:
		return b.lost
	case err != nil:
		return c.fail(http.MethodPost, c.system, errors.New(c.redact(err.Error())))
	}
	return nil
}

// bridge is the transport that bmclib gets. bmclib can't choose between the
// systems of one controller, so it sees only ours.
type bridge struct {
	client *Client
	ctx    context.Context // of the one operation that this bridge lives for
	lost   error           // the last request that failed or was refused

	root    []byte // the service root, as it was read
	systems string // path of the collection of systems, which is answered with only
	only    []byte
}

// RoundTrip implements http.RoundTripper.
func (b *bridge) RoundTrip(r *http.Request) (*http.Response, error) {
	c := b.client
	var body []byte
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close() // it was read to its end
		body = data
	}
	p := strings.TrimSuffix(r.URL.Path, "/")
	if r.Method == http.MethodGet && p == rootPath {
		return respond(r, answer{status: http.StatusOK, body: b.root}), nil
	}
	if r.Method == http.MethodGet && p == b.systems {
		return respond(r, answer{status: http.StatusOK, body: b.only}), nil
	}
	a, err := c.exchange(b.ctx, r.Method, r.URL.RequestURI(), nil, body)
	if err != nil {
		b.lost = err
		return nil, err
	}
	b.lost = nil
	if !a.ok() {
		b.lost = c.refusal(r.Method, r.URL.Path, a)
	}
	return respond(r, a), nil
}

func respond(r *http.Request, a answer) *http.Response {
	header := a.header
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
