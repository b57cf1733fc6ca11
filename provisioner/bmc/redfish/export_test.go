package redfish

import (
	"net/http"
	"slices"
	"time"
)

// Through sends the requests of a client through a transport of a test.
func (c *Client) Through(t http.RoundTripper) { c.http.HTTPClient.Transport = t }

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
