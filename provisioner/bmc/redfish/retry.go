package redfish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// class is why a try failed; each has its own patience.
type class string

const (
	fine      class = ""
	final     class = "refused"                   // asking again gives the same
	dialing   class = "no connection"             // the request was never sent
	dropped   class = "connection dropped"        // sent, and the answer is lost
	hanging   class = "no answer in time"         //
	busy      class = "the BMC is busy"           // 429, 503
	changing  class = "the host is in transition" // 409, or "in POST"
	stumbling class = "the BMC has an error"      // 500, 502, 504
)

// patience is the number of tries of each class; the retry budget bounds all.
func patience(k class) int {
	switch k {
	case dialing, hanging:
		return 2
	case dropped, stumbling:
		return 4
	case busy, changing:
		return 1000
	}
	return 0
}

// retries counts what happened to one request.
type retries struct {
	tries    map[class]int
	deadline time.Time
	last     answer // the last refusal, kept for when the budget ends while waiting
}

type retriesKey struct{}

func (c *Client) retrying() *retryablehttp.Client {
	r := retryablehttp.NewClient()
	r.HTTPClient = c.plain()
	r.Logger = nil
	r.RetryMax = 1000 // CheckRetry and the budget decide
	r.RetryWaitMin, r.RetryWaitMax = min(time.Second, c.cfg.Poll), min(15*time.Second, 10*c.cfg.Poll)
	r.CheckRetry = c.again
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return r
}

// again decides whether a try is followed by another. A POST is repeated only
// when it was never sent: a reset must not happen twice.
func (c *Client) again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	k, said := status(err), answer{}
	if err == nil {
		said = peek(resp)
		k = statusOf(said)
	}
	if k == fine || k == final {
		return false, err
	}
	if method := methodOf(resp, err); method == http.MethodPost && k != dialing || method == http.MethodDelete {
		return false, err
	}
	state, ok := ctx.Value(retriesKey{}).(*retries)
	if !ok {
		return false, err
	}
	if state.tries == nil {
		state.tries = map[class]int{}
	}
	state.tries[k]++
	state.last = said
	if state.tries[k] >= patience(k) {
		return false, err
	}
	c.wait(Wait{For: "an answer of the BMC", Last: fmt.Sprintf("%s, try %d", k, state.tries[k]), Deadline: state.deadline, Next: "the step fails with the BMC's last words"})
	return true, nil
}

// peek returns the beginning of a refusal and leaves the answer as it was.
func peek(resp *http.Response) answer {
	if resp.StatusCode < 400 {
		return answer{status: resp.StatusCode}
	}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // evidence; half of it is better than none
	resp.Body = rest{io.MultiReader(bytes.NewReader(data), resp.Body), resp.Body}
	return answer{resp.StatusCode, resp.Header, data}
}

// rest is a body of which the beginning was read already.
type rest struct {
	io.Reader
	io.Closer
}

func (c *Client) wait(w Wait) {
	if c.cfg.Waiting != nil {
		c.cfg.Waiting(w)
	}
}

// statusOf classes an answer. Some controllers refuse settings while the host
// is in POST with 400 and this message (iLO message registry).
func statusOf(a answer) class {
	if a.status == http.StatusBadRequest && bytes.Contains(a.body, []byte("UnableToModifyDuringSystemPOST")) {
		return changing
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return busy
	case http.StatusConflict:
		return changing
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return stumbling
	}
	return fine
}

// status classes an error without an answer.
func status(err error) class {
	if err == nil {
		return fine
	}
	if _, ok := trust(err); ok {
		return final
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return dialing
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return hanging
	}
	if errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return dropped
	}
	return final
}

// methodOf returns the method of the request that was tried. The errors of
// net/http spell it "Post".
func methodOf(resp *http.Response, err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return strings.ToUpper(u.Op)
	}
	if resp != nil && resp.Request != nil {
		return resp.Request.Method
	}
	return ""
}
