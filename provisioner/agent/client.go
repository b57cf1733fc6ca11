package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client is the host's side of the conversation.
type Client struct {
	base   *url.URL
	http   *http.Client
	bearer string
	// Skew takes how far the server's clock is ahead of ours, after each
	// answer that tells it; to the second. May be nil.
	Skew func(time.Duration)
}

// NewClient returns a client of the API at server ("https://10.17.0.1:8443")
// that trusts the key with this pin only. bearer is empty before the claim.
func NewClient(server, pin, bearer string) (*Client, error) {
	base, err := url.Parse(server)
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("agent API: %q is not an https URL", server)
	}
	conf, err := ClientTLS(pin)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: conf, TLSHandshakeTimeout: 20 * time.Second,
		DialContext:       (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		DisableKeepAlives: false, IdleConnTimeout: time.Minute,
		ResponseHeaderTimeout: 40 * time.Second, // a word comes within 25 s
		DisableCompression:    true,
	}
	return &Client{base: base, bearer: bearer, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Bearer returns the session that the claim gave. It is secret.
func (c *Client) Bearer() string { return c.bearer }

// Refused is an answer other than 2xx.
type Refused struct {
	Request string // method and path
	Status  int
	Text    string // the server's own words
}

// Error implements error.
func (e *Refused) Error() string {
	return fmt.Sprintf("%s: %d %s: %s", e.Request, e.Status, http.StatusText(e.Status), e.Text)
}

// Temporary reports whether the server may answer otherwise later.
func (e *Refused) Temporary() bool { return e.Status >= 500 || e.Status == http.StatusTooManyRequests }

// Claim claims the host's identity and keeps the session. It must not be tried
// again after an answer: the ticket is good once.
func (c *Client) Claim(ctx context.Context, claim Claim) error {
	var session Session
	if err := c.post(ctx, PathClaim, claim, &session); err != nil {
		return err
	}
	c.bearer = session.Bearer
	return nil
}

// Word asks what to do; the server answers within 25 s. An empty word means
// "ask again".
func (c *Client) Word(ctx context.Context, h Hello) (Word, error) {
	var w Word
	err := c.post(ctx, PathWord, h, &w)
	return w, err
}

// Report tells the provisioner what happened.
func (c *Client) Report(ctx context.Context, r Report) error {
	return c.post(ctx, PathReport, r, nil)
}

// maxAnswer bounds a word: it carries a few certificates and manifests.
const maxAnswer = 32 << 20

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	response, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(text), 0)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("POST %s: read the answer: %w", path, err)
	}
	return nil
}

// Open reads a file of the API from offset on. size is the length of the
// whole file, -1 when the server doesn't say.
func (c *Client) Open(ctx context.Context, ref string, offset int64) (body io.ReadCloser, size int64, err error) {
	response, err := c.do(ctx, http.MethodGet, ref, nil, offset)
	if err != nil {
		return nil, 0, err
	}
	if offset > 0 && response.StatusCode != http.StatusPartialContent {
		response.Body.Close()
		return nil, 0, fmt.Errorf("GET %s: the server gives no ranges, can't go on at byte %d", ref, offset)
	}
	size = -1
	if response.ContentLength >= 0 {
		size = offset + response.ContentLength
	}
	return response.Body, size, nil
}

// do sends one request and turns refusals into errors.
func (c *Client) do(ctx context.Context, method, ref string, body io.Reader, offset int64) (*http.Response, error) {
	target, err := c.base.Parse(ref)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, ref, err)
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if c.bearer != "" && target.Host == c.base.Host && target.Scheme == "https" {
		request.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err // net/http names method and URL
	}
	c.tellSkew(response)
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return nil, &Refused{Request: method + " " + target.Path, Status: response.StatusCode, Text: strings.TrimSpace(string(text))}
}

func (c *Client) tellSkew(response *http.Response) {
	if c.Skew == nil {
		return
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		c.Skew(time.Until(date))
	}
}
