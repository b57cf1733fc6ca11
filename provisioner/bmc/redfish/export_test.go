package redfish

import "net/http"

// Through sends the requests of a client through a transport of a test.
func (c *Client) Through(t http.RoundTripper) { c.http.HTTPClient.Transport = t }

// MaxRequests is how many requests one look sends at most, the service root
// beside.
const MaxRequests = maxRequests
