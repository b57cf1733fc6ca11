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
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// class is why a try failed; each has its own patience.
type class string

const (
	fine        class = ""
	final       class = "refused"                   // asking again gives the same
	dialing     class = "no connection"             // refused: the request was never sent
	unreachable class = "no connection in time"     // the same; TCP itself tried for all of ConnectTimeout
	dropped     class = "connection dropped"        // sent, and the answer is lost
	hanging     class = "no answer in time"         //
	busy        class = "the BMC is busy"           // 429, 503
	changing    class = "the host is in transition" // 409, or "in POST"
	stumbling   class = "the BMC has an error"      // 500, 502, 504
)

// patience is the number of tries of each class; the retry budget bounds all.
func patience(k class) int {
	switch k {
	case dialing, hanging:
		return 2
	case unreachable:
		return 1
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
	r.Backoff = c.pause
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
	if method := methodOf(resp, err); method == http.MethodPost && k != dialing && k != unreachable || method == http.MethodDelete {
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
	if after := retryAfter(said.header); time.Now().Add(after).After(state.deadline) {
		return false, err // it asks for more patience than there is: its own words now, not later
	}
	c.wait(Wait{For: "an answer of the BMC", Last: fmt.Sprintf("%s, try %d", k, state.tries[k]), Deadline: state.deadline, Next: "the step fails with the BMC's last words"})
	return true, nil
}

// pause is how long to wait before the next try: what the controller asks for
// (RFC 9110 section 10.2.3), else longer with each try, and never less than the
// gap that this firmware needs after it was busy.
func (c *Client) pause(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	d := retryablehttp.DefaultBackoff(least, most, attempt, nil)
	if resp == nil {
		return d
	}
	if after := retryAfter(resp.Header); after > 0 {
		d = after
	}
	if c.habits != nil && resp.StatusCode >= http.StatusInternalServerError {
		d = max(d, c.habits.gap)
	}
	return d
}

// retryAfter reads Retry-After, which is seconds or a date; 0 is none.
func retryAfter(h http.Header) time.Duration {
	said := h.Get("Retry-After")
	if n, err := strconv.ParseInt(said, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(said); err == nil {
		return max(0, time.Until(at))
	}
	return 0
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
	var never *unreachableError
	if errors.As(err, &never) {
		return unreachable
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
