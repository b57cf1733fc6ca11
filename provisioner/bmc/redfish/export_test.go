package redfish

import (
	"net/http"
	"slices"
	"time"
)

// Through sends the requests of a client through a transport of a test, as
// fast as they come.
func (c *Client) Through(t http.RoundTripper) { c.http.HTTPClient.Transport = unpaced{c, t} }

// unpaced fills the bucket of requests before each. The client holds the
// queue, which guards it.
type unpaced struct {
	c    *Client
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (u unpaced) RoundTrip(r *http.Request) (*http.Response, error) {
	u.c.pace = pace{}
	return u.next.RoundTrip(r)
}

// MaxRequests is how many requests one look sends at most, the service root
// beside.
const MaxRequests = maxRequests

// QuirkNames returns the names of all rows of the table.
func QuirkNames() []string {
	var out []string
	for _, q := range quirks() {
		out = append(out, q.name)
	}
	return out
}

// WithoutQuirk takes one row out of the client's table.
func (c *Client) WithoutQuirk(name string) {
	c.table = slices.DeleteFunc(c.table, func(q quirk) bool { return q.name == name })
}

// Pause returns how long the client would wait after an answer.
func (c *Client) Pause(status int, header http.Header) time.Duration {
	return c.pause(time.Millisecond, time.Second, 0, &http.Response{StatusCode: status, Header: header})
}

// Numbers returns the parts of a firmware version.
func Numbers(version string) []int { return numbers(version) }
