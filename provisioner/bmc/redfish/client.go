// Package redfish speaks Redfish (DMTF DSP0266, DSP0268) to one management
// controller: facts, power, one-time boot and BIOS attributes.
//
// A controller is small and easily upset, so there is one session and one
// request at a time, requests are few, and nothing is written that is so
// already. An answer of 2xx is never believed: what was written is read back.
package redfish

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// Config says which controller to speak to, and how long to be patient.
// URL, Username and Password are needed, all else has a default.
type Config struct {
	Host        string       // inventory node name, for messages
	URL         string       // "https://10.17.1.11"
	Username    string       // empty: Password holds user:password
	Password    secret.Value //
	Fingerprint string       // "sha256:<hex>" of the certificate; empty: the system's roots decide
	Serial      string       // picks the system when the controller has several
	Keys        bool         // facts hold the certificates by which Secure Boot verifies
	Deep        bool         // facts that no rule judges are worth requests of their own: the manager's version and clock

	Attributes func(name, display string) bool // which entries of the BIOS attribute registry matter; nil: it isn't read

	ConnectTimeout time.Duration // of one TCP and TLS handshake; default 10 s
	RequestTimeout time.Duration // of one try; default 60 s
	RetryBudget    time.Duration // of all tries of one request together; default 2 min
	PowerTimeout   time.Duration // for a change of the power state; default 5 min
	MediaTimeout   time.Duration // for virtual media to be read back; default 1 min
	Poll           time.Duration // between two looks at the power state; default 2 s

	Observe func(Exchange) // called after each try, in order; may be nil
	Waiting func(Wait)     // called when the client begins or goes on to wait; may be nil
	Notice  func(string)   // called, once for each, with what a person should know and what ends nothing; may be nil
}

// Exchange is one try of one request.
type Exchange struct {
	Method, Path string
	Status       int // 0 when there was no answer
	Err          string
	Took         time.Duration
}

// Wait says what the client waits for.
type Wait struct {
	For      string // "power state On"
	Last     string // the last evidence
	Deadline time.Time
	Next     string // what follows when the deadline passes
}

// Client is one management controller. Its methods may be called from several
// goroutines; requests are sent one after the other. Close it on every exit:
// controllers have few sessions.
type Client struct {
	cfg   Config
	http  *retryablehttp.Client
	queue chan struct{} // holds one token: the right to speak

	// Below: guarded by the queue.
	login   login
	etags   etagRung
	form    int  // the form of $expand in use; those before it were refused or ignored
	flat    bool // resources other than collections are not expanded
	root    *serviceRoot
	date    time.Time // what the controller last said that the time is
	heard   time.Time // when it said so, by our clock
	system  string    // path of the ComputerSystem
	systems string    // path of the collection
	serial  string    // of the system that was found first; another one is not ours
	table   []quirk
	habits  *manners // what the quirk table says; nil before the first change
	stale   bool     // an answer was lost: the controller may have restarted into another firmware
	pace    pace
	job     job // of the last change of BIOS attributes
}

// New returns a client; nothing is sent before the first operation.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New(cfg.Host + ": the URL of the BMC should be like https://10.17.1.11")
	}
	cfg.URL = "https://" + u.Host
	if cfg.Username == "" {
		user, password, ok := strings.Cut(cfg.Password.Reveal(), ":")
		if !ok {
			return nil, errors.New(cfg.Host + ": the credentials of the BMC hold no user; write user:password into the secret, or name the user in the inventory")
		}
		cfg.Username, cfg.Password = user, secret.New(password)
	}
	cfg.ConnectTimeout = orDuration(cfg.ConnectTimeout, 10*time.Second)
	cfg.RequestTimeout = orDuration(cfg.RequestTimeout, time.Minute)
	cfg.RetryBudget = orDuration(cfg.RetryBudget, 2*time.Minute)
	cfg.PowerTimeout = orDuration(cfg.PowerTimeout, 5*time.Minute)
	cfg.MediaTimeout = orDuration(cfg.MediaTimeout, time.Minute)
	cfg.Poll = orDuration(cfg.Poll, 2*time.Second)
	c := &Client{cfg: cfg, queue: make(chan struct{}, 1), table: quirks()}
	c.http = c.retrying()
	return c, nil
}

func orDuration(d, instead time.Duration) time.Duration {
	if d <= 0 {
		return instead
	}
	return d
}

// speak takes the right to speak and returns how to give it back. It begins an
// operation: what was learnt of a controller that was gone since is learnt anew.
func (c *Client) speak(ctx context.Context) (func(), error) {
	select {
	case c.queue <- struct{}{}:
		if c.stale {
			c.forget()
		}
		return func() { <-c.queue }, nil
	case <-ctx.Done():
		return nil, c.fail("", "", ctx.Err())
	}
}

// forget drops all that may be otherwise after a restart of the controller into
// another firmware: its root, the paths, the version that the quirks depend on.
// The session stays; one that the controller forgot is refused and made anew.
func (c *Client) forget() {
	c.root, c.system, c.systems, c.habits, c.stale = nil, "", "", nil, false
	c.etags, c.form, c.flat = etagAsGiven, 0, false
}

// Close ends the session. It works with a context that has ended already, so
// that an interrupted run leaves no session behind.
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	defer c.http.HTTPClient.CloseIdleConnections()
	if c.login.token.Empty() || c.login.path == "" {
		return nil
	}
	a, err := c.try(ctx, http.MethodDelete, c.login.path, nil, nil)
	c.login = login{refused: c.login.refused, never: c.login.never}
	if err != nil {
		return err
	}
	if a.status >= 300 && a.status != http.StatusNotFound && a.status != http.StatusUnauthorized {
		return c.refusal(http.MethodDelete, "the session", a)
	}
	return nil
}
