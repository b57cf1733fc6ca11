package redfish

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// etagRung is how If-Match is sent. Controllers disagree with RFC 9110: some
// want the weak tag back as given, some without W/, some not at all.
type etagRung int

const (
	etagAsGiven etagRung = iota
	etagStrong
	etagNone
)

// tag returns the header for one rung.
func (r etagRung) tag(given string) string {
	switch r {
	case etagAsGiven:
		return given
	case etagStrong:
		return strings.TrimPrefix(given, "W/")
	}
	return ""
}

// patch writes to a resource whose ETag was just read, and climbs the ladder
// of ETags; the rung that worked is remembered.
func (c *Client) patch(ctx context.Context, p path, etag string, body any) error {
	_, err := c.patched(ctx, p, etag, body)
	return err
}

// patched is patch with what the controller answered.
func (c *Client) patched(ctx context.Context, p path, etag string, body any) (answer, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return answer{}, c.fail(http.MethodPatch, string(p), err)
	}
	sent := ""
	for rung := c.etags; ; rung++ {
		header := http.Header{}
		match := rung.tag(etag)
		if rung > c.etags && rung < etagNone && match == sent {
			continue
		}
		if match != "" {
			header.Set("If-Match", match)
		}
		a, err := c.exchange(ctx, http.MethodPatch, string(p), header, data)
		if err != nil {
			return a, err
		}
		if a.ok() {
			c.etags = rung
			return a, nil
		}
		if a.status != http.StatusPreconditionFailed || rung >= etagNone {
			return a, c.refusal(http.MethodPatch, string(p), a)
		}
		sent = match
		// The tag may also have been stale: another client wrote meanwhile.
		var ignored json.RawMessage
		if fresh, err := c.get(ctx, p, &ignored); err == nil {
			etag = fresh
		}
	}
}
