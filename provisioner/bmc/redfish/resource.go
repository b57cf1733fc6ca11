package redfish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const rootPath = "/redfish/v1"

// serviceRoot is what the client needs of /redfish/v1.
type serviceRoot struct {
	Vendor         text `json:"Vendor"`
	Systems        link `json:"Systems"`
	Chassis        link `json:"Chassis"`
	Managers       link `json:"Managers"`
	SessionService link `json:"SessionService"`
	Registries     link `json:"Registries"`
	JobService     link `json:"JobService"`
	Links          struct {
		Sessions link `json:"Sessions"`
	} `json:"Links"`
	Features struct {
		Expand struct {
			NoLinks flag `json:"NoLinks"`
			All     flag `json:"ExpandAll"`
			Levels  flag `json:"Levels"`
		} `json:"ExpandQuery"`
	} `json:"ProtocolFeaturesSupported"`
	Oem json.RawMessage `json:"Oem"`
	raw []byte
}

// service reads the service root once. It needs no authentication (DSP0266).
func (c *Client) service(ctx context.Context) (*serviceRoot, error) {
	if c.root != nil {
		return c.root, nil
	}
	a, err := c.try(ctx, http.MethodGet, rootPath+"/", nil, nil)
	if err != nil {
		return nil, err
	}
	var root serviceRoot
	if !a.ok() {
		return nil, c.refusal(http.MethodGet, rootPath+"/", a)
	}
	if err := decode(a.body, &root); err != nil {
		return nil, &Error{Host: c.cfg.Host, Method: http.MethodGet, Path: rootPath + "/", Message: a.message(), Err: err, Hint: "look whether this address is that of a BMC with Redfish"}
	}
	root.raw = a.body
	c.root = &root
	return c.root, nil
}

// expansions returns the forms of $expand that the controller offers, the one
// to try first at the head (DSP0266, "The $expand query parameter"). Some
// firmwares want the levels named, some don't know them in spite of what they
// say; a star follows links too, which collections have none of.
func (r *serviceRoot) expansions() []string {
	var out []string
	e := r.Features.Expand
	for _, form := range []struct {
		offered bool
		sign    string
	}{{e.NoLinks.value, "."}, {e.All.value && !e.NoLinks.value, "*"}} {
		if !form.offered {
			continue
		}
		if e.Levels.value {
			out = append(out, form.sign+"($levels=1)")
		}
		out = append(out, form.sign)
	}
	return out
}

// expansion returns the form of $expand that the controller is believed to
// know, or "".
func (c *Client) expansion() string {
	if c.root == nil {
		return ""
	}
	if forms := c.root.expansions(); c.form < len(forms) {
		return forms[c.form]
	}
	return ""
}

// decode reads JSON. A field of an unexpected type is absent, not an error.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return nil
	}
	return err
}

// allowance bounds what one look may ask of a controller: links in a circle
// and collections without an end must end.
type allowance struct{ left int }

type allowanceKey struct{}

var errTooMany = errors.New("not asked: one look sends no more requests")

// get reads one resource and returns its ETag.
func (c *Client) get(ctx context.Context, p path, into any) (etag string, err error) {
	_, etag, err = c.take(ctx, p, into)
	return etag, err
}

// take reads one resource and returns the whole answer as well.
func (c *Client) take(ctx context.Context, p path, into any) (a answer, etag string, err error) {
	if rest, ok := ctx.Value(allowanceKey{}).(*allowance); ok {
		if rest.left <= 0 {
			return a, "", &Error{Host: c.cfg.Host, Method: http.MethodGet, Path: string(p), Err: errTooMany}
		}
		rest.left--
	}
	a, err = c.exchange(ctx, http.MethodGet, string(p), nil, nil)
	if err != nil {
		return a, "", err
	}
	if !a.ok() {
		return a, "", c.refusal(http.MethodGet, string(p), a)
	}
	c.listen(a)
	if err := decode(a.body, into); err != nil {
		return a, "", &Error{Host: c.cfg.Host, Method: http.MethodGet, Path: string(p), Status: a.status, Message: c.redact(a.message()), Err: err}
	}
	if tag := a.header.Get("ETag"); tag != "" {
		return a, tag, nil
	}
	var body struct {
		Tag text `json:"@odata.etag"`
	}
	if bytes.Contains(a.body, []byte(`"@odata.etag"`)) {
		_ = json.Unmarshal(a.body, &body) // no tag is a tag too
	}
	return a, string(body.Tag), nil
}

// listen keeps the time that the controller said beside its answer (RFC 9110
// section 6.6.1), and when that was.
func (c *Client) listen(a answer) {
	if at, err := http.ParseTime(a.header.Get("Date")); err == nil {
		c.date, c.heard = at, time.Now()
	}
}

// maxPages bounds a collection: a controller that links pages in a circle ends
// too.
const maxPages = 100

// members calls each for every member of a collection: with one request where
// the controller expands, else with one for each. Each gets the error of a
// member that can't be read; an error that it returns ends the walk.
func (c *Client) members(ctx context.Context, collection path, each func(path, []byte, error) error) error {
	if collection == "" {
		return nil
	}
	var seen []path
	for at := collection; at != "" && !slices.Contains(seen, at) && len(seen) < maxPages; {
		seen = append(seen, at)
		var page struct {
			Members []json.RawMessage `json:"Members"`
			Next    path              `json:"Members@odata.nextLink"`
		}
		if err := c.collection(ctx, at, &page, func() []json.RawMessage { return page.Members }); err != nil {
			return err
		}
		for _, m := range page.Members {
			if err := c.member(ctx, m, each); err != nil {
				return err
			}
		}
		at = page.Next
	}
	return nil
}

// collection reads a resource with what it links to in the place of the links,
// where the controller can do that; members returns those of what was read.
func (c *Client) collection(ctx context.Context, at path, into any, members func() []json.RawMessage) error {
	for form := c.expansion(); form != "" && !strings.ContainsAny(string(at), "?#"); form = c.expansion() {
		_, err := c.get(ctx, at+path("?$expand="+form), into)
		var e *Error
		switch {
		case err == nil:
			if all := members(); len(all) > 0 && !slices.ContainsFunc(all, func(m json.RawMessage) bool { _, ok := whole(m); return ok }) {
				c.form++ // ignored; the next form is tried with the next collection
			}
			return nil
		case !errors.As(err, &e) || e.Status < 400 || e.Status == http.StatusNotFound || e.Status == http.StatusUnauthorized:
			return err
		}
		c.form++ // it offers this and refuses it
	}
	_, err := c.get(ctx, at, into)
	return err
}

func (c *Client) member(ctx context.Context, raw json.RawMessage, each func(path, []byte, error) error) error {
	at, ok := whole(raw)
	switch {
	case at == "":
		return nil
	case ok:
		return each(at, raw, nil)
	}
	var body json.RawMessage
	_, err := c.get(ctx, at, &body)
	return each(at, body, err)
}
