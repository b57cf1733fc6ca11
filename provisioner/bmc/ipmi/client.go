// Package ipmi speaks IPMI 2.0 (RMCP+, "lanplus") to one management controller:
// facts, power, and the network boot of the next start. It is for hosts whose
// controller knows no Redfish, and beside Redfish for the one thing that a
// vendor's Redfish gets wrong.
//
// IPMI can't prove which controller answers: it has no certificate. What it
// does prove, when a session opens, is that both ends know the same password;
// from then on every answer is authenticated, and one that isn't is ignored.
package ipmi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// Config says which controller to speak to, and how long to be patient.
// URL, Username and Password are needed, all else has a default.
type Config struct {
	Host     string       // inventory node name, for messages
	URL      string       // "ipmi://10.17.1.11", with a port when it isn't 623
	Username string       // at most 16 bytes; empty: Password holds user:password
	Password secret.Value // at most 20 bytes

	AnswerTimeout time.Duration // for one request, sent again meanwhile; default 8 s
	PowerTimeout  time.Duration // for a change of the power state; default 5 min
	Poll          time.Duration // between two looks at the power state; default 2 s

	Waiting func(Wait) // called when the client begins or goes on to wait; may be nil
}

// Wait says what the client waits for.
type Wait struct {
	For      string // "power state On"
	Last     string // the last evidence
	Deadline time.Time
	Next     string // what follows when the deadline passes
}

// Limits of names and passwords (IPMI 2.0 sections 22.28, 22.30).
const (
	maxName     = 16
	maxPassword = 20

	shortPassword = 16 // of IPMI 1.5, and all that some controllers keep
)

// Client is one management controller. Its methods may be called from several
// goroutines; requests are sent one after the other. Close it on every exit:
// controllers have few sessions.
type Client struct {
	cfg   Config
	addr  string
	queue chan struct{} // holds one token: the right to speak

	// Below: guarded by the queue.
	line    *line    // nil before the first operation
	session *session // nil while there is none
	refused int      // logins in a row that were refused
}

// New returns a client; nothing is sent before the first operation.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "ipmi" || u.Hostname() == "" {
		return nil, errors.New(cfg.Host + ": the URL of the BMC should be like ipmi://10.17.1.11")
	}
	port := u.Port()
	if port == "" {
		port = "623"
	}
	if cfg.Username == "" {
		user, password, ok := strings.Cut(cfg.Password.Reveal(), ":")
		if !ok {
			return nil, errors.New(cfg.Host + ": the credentials of the BMC hold no user; write user:password into the secret, or name the user in the inventory")
		}
		cfg.Username, cfg.Password = user, secret.New(password)
	}
	if len(cfg.Username) > maxName {
		return nil, fmt.Errorf("%s: the BMC's user name has %d bytes, and IPMI 2.0 knows at most %d; make a user with a shorter name on the BMC", cfg.Host, len(cfg.Username), maxName)
	}
	if len(cfg.Password.Reveal()) > maxPassword {
		return nil, fmt.Errorf("%s: the BMC's password is longer than the %d bytes that IPMI 2.0 knows; give the user a shorter one on the BMC", cfg.Host, maxPassword)
	}
	cfg.AnswerTimeout = orDuration(cfg.AnswerTimeout, 8*time.Second)
	cfg.PowerTimeout = orDuration(cfg.PowerTimeout, 5*time.Minute)
	cfg.Poll = orDuration(cfg.Poll, 2*time.Second)
	return &Client{cfg: cfg, addr: net.JoinHostPort(u.Hostname(), port), queue: make(chan struct{}, 1)}, nil
}

func orDuration(d, instead time.Duration) time.Duration {
	if d <= 0 {
		return instead
	}
	return d
}

// speak takes the right to speak and returns how to give it back.
func (c *Client) speak(ctx context.Context) (func(), error) {
	select {
	case c.queue <- struct{}{}:
		return func() { <-c.queue }, nil
	case <-ctx.Done():
		return nil, c.fail("", ctx.Err())
	}
}

// Close ends the session. It works with a context that has ended already, so
// that an interrupted run leaves no session behind. A controller that says
// nothing to it is no error: it ends a session that is idle by itself.
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	if c.line == nil {
		return nil
	}
	if s := c.session; s != nil {
		_, err = c.exchange(ctx, closeSession(s.bmc))
		c.session = nil
	}
	closed := c.line.conn.Close()
	c.line = nil
	if e, ok := errors.AsType[*Error](err); ok && e.Code != 0 {
		return err
	}
	return closed
}
