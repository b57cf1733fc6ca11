package redfish

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// maxBody bounds an answer; BIOS registries are the largest, about 2 MiB.
const maxBody = 32 << 20

// answer is what the controller said, whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// plain returns the HTTP client below the retries: one connection, no proxy,
// no compression (it makes a strong ETag weak on some controllers).
func (c *Client) plain() *http.Client {
	return &http.Client{
		Timeout: c.cfg.RequestTimeout,
		Transport: &observed{c.cfg.Observe, &http.Transport{
			DialTLSContext:     c.connect(pinned(c.cfg.Fingerprint, c.cfg.Notice)),
			DisableCompression: true,
			MaxConnsPerHost:    1,
			IdleConnTimeout:    30 * time.Second,
		}},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > 3 || next.URL.Host != via[0].URL.Host || next.URL.Scheme != "https" || next.Method != http.MethodGet {
				return fmt.Errorf("the BMC redirects to %s", next.URL.Redacted())
			}
			return nil
		},
	}
}

// connect makes one connection, TCP and TLS together within ConnectTimeout:
// a controller that is dead costs the run no more than that.
func (c *Client) connect(trust *tls.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	trust.NextProtos = []string{"http/1.1"}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		bound, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
		defer cancel()
		conn, err := (&tls.Dialer{Config: trust}).DialContext(bound, network, address)
		if err != nil && bound.Err() != nil && ctx.Err() == nil {
			return nil, &unreachableError{address, c.cfg.ConnectTimeout}
		}
		return conn, err
	}
}

// unreachableError is a controller that made no connection in time.
type unreachableError struct {
	address string
	after   time.Duration
}

// Error implements error.
func (e *unreachableError) Error() string {
	return fmt.Sprintf("no connection to %s within %s", e.address, e.after)
}

// observed tells an observer of each try.
type observed struct {
	observe func(Exchange)
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (o *observed) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := o.next.RoundTrip(r)
	if o.observe != nil {
		e := Exchange{Method: r.Method, Path: r.URL.Path, Took: time.Since(began)}
		if err != nil {
			e.Err = err.Error()
		} else {
			e.Status = resp.StatusCode
		}
		o.observe(e)
	}
	return resp, err
}

// CloseIdleConnections implements what http.Client.CloseIdleConnections asks for.
func (o *observed) CloseIdleConnections() {
	if t, ok := o.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// pinned trusts the one certificate with this fingerprint, or what the
// system's roots say when there is none. A pin counts more than a date: most
// controllers never renew the certificate that they made for themselves, and
// some begin with a clock of 1970. That is told, once.
func pinned(fingerprint string, notice func(string)) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if fingerprint == "" {
		return cfg
	}
	var once sync.Once
	cfg.InsecureSkipVerify = true // VerifyConnection below is stricter than a chain of trust
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the BMC shows no certificate")
		}
		cert := s.PeerCertificates[0]
		if got := fingerprintOf(cert); got != fingerprint {
			return &pinError{want: fingerprint, got: got}
		}
		if text := dated(cert, time.Now()); text != "" && notice != nil {
			once.Do(func() { notice(text) })
		}
		return nil
	}
	return cfg
}

// dated says what is wrong with the dates of a certificate, or nothing.
func dated(cert *x509.Certificate, now time.Time) string {
	const pin = "; it is the pinned one, and that counts"
	switch {
	case now.After(cert.NotAfter):
		return "the BMC's certificate expired on " + cert.NotAfter.Format(time.DateOnly) + pin
	case now.Before(cert.NotBefore):
		return "the BMC's certificate is not valid before " + cert.NotBefore.Format(time.DateOnly) + pin
	}
	return ""
}

func fingerprintOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// pinError is a certificate that is not the one of the inventory.
type pinError struct{ want, got string }

// Error implements error.
func (e *pinError) Error() string {
	return "the certificate has the fingerprint " + e.got + " and the inventory says " + e.want
}

// trust explains a certificate that was not accepted; ok is false for other
// errors.
func trust(err error) (hint string, ok bool) {
	var pin *pinError
	if errors.As(err, &pin) {
		return "if the BMC got a new certificate, compare it at the BMC itself and replace the pin: `ra2-deploy facts --pin --replace HOST INVENTORY`; if not, another machine answers at this address", true
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) && len(cert.UnverifiedCertificates) > 0 {
		return fmt.Sprintf("compare this fingerprint at the BMC itself, and if it is the same write into the inventory: bmc: {fingerprint: %q}", fingerprintOf(cert.UnverifiedCertificates[0])), true
	}
	return "", false
}

// try sends one request, with retries as its method allows, and reads the
// whole answer. The caller holds the queue.
func (c *Client) try(ctx context.Context, method, path string, header http.Header, body []byte) (answer, error) {
	began := time.Now()
	parent, state := ctx, &retries{deadline: began.Add(c.cfg.RetryBudget)}
	ctx, cancel := context.WithDeadline(context.WithValue(ctx, retriesKey{}, state), state.deadline)
	defer cancel()
	var raw any
	if body != nil {
		raw = body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, method, c.cfg.URL+path, raw)
	if err != nil {
		return answer{}, c.fail(method, path, err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("OData-Version", "4.0")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.authorize(req.Request)
	if err := c.pace.wait(ctx); err != nil {
		return answer{}, c.fail(method, path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil && resp != nil {
		_ = resp.Body.Close() // an answer that came as the time ended
	}
	if err != nil && ctx.Err() != nil && parent.Err() == nil && state.last.status != 0 {
		return state.last, nil // the budget ended: what the controller said last counts
	}
	if err != nil {
		c.stale = true
		shown := err
		if u, ok := errors.AsType[*url.Error](err); ok {
			shown = u.Err // method and path stand before it already
		}
		e := c.fail(method, path, errors.New(c.redact(shown.Error())))
		e.Err = unwrapTo(parent, err, e.Err, time.Since(began))
		if k := status(err); parent.Err() == nil && (k == dropped || k == hanging) {
			e.Err = &reason{errLost, e.Err.Error(), e.Err}
		}
		if hint, ok := trust(err); ok {
			e.Hint = hint
		} else if k := status(err); k == dialing || k == unreachable {
			e.Hint = hintUnreachable
		}
		return answer{}, e
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		c.stale = true
		return answer{}, c.fail(method, path, unwrapTo(parent, err, err, time.Since(began)))
	}
	return answer{resp.StatusCode, resp.Header, data}, nil
}

// unwrapTo keeps the end of the context recognisable, in words for people.
func unwrapTo(parent context.Context, err, shown error, took time.Duration) error {
	switch {
	case errors.Is(err, context.Canceled):
		return because(context.Canceled, "interrupted")
	case errors.Is(err, context.DeadlineExceeded) && parent.Err() != nil: // of the caller, who says how long that was
		return because(context.DeadlineExceeded, "no whole answer when the time was over")
	case errors.Is(err, context.DeadlineExceeded) && status(err) == hanging:
		return because(context.DeadlineExceeded, "no whole answer within %s", max(took.Round(time.Second), time.Second))
	case errors.Is(err, context.DeadlineExceeded):
		return because(context.DeadlineExceeded, "%v", shown)
	}
	return shown
}
