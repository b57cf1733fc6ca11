package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

const rootPath = "/redfish/v1"

// text, number and flag decode what they can and are absent otherwise: real
// controllers send numbers as text, null for anything, and objects for text.
type (
	text   string
	number struct {
		value float64
		known bool
	}
	flag struct{ value, known bool }
	path string // a link, always beginning with a slash
)

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(strings.TrimSpace(s))
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (n *number) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.Trim(string(data), `"`)), 64)
	if err == nil {
		*n = number{v, true}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (f *flag) UnmarshalJSON(data []byte) error {
	var b bool
	if string(data) != "null" && json.Unmarshal(data, &b) == nil {
		*f = flag{b, true}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler. What is no path on this
// controller is no link.
func (p *path) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil && strings.HasPrefix(s, "/") {
		*p = path(s)
	}
	return nil
}

// link is a reference to another resource.
type link struct {
	Path path `json:"@odata.id"`
}

// join returns the link of a resource below, or no link.
func (l link) join(below string) link {
	if l.Path == "" {
		return l
	}
	return link{path(strings.TrimSuffix(string(l.Path), "/") + below)}
}

// serviceRoot is what the client needs of /redfish/v1.
type serviceRoot struct {
	Vendor         text `json:"Vendor"`
	Systems        link `json:"Systems"`
	Chassis        link `json:"Chassis"`
	SessionService link `json:"SessionService"`
	Registries     link `json:"Registries"`
	Links          struct {
		Sessions link `json:"Sessions"`
	} `json:"Links"`
	Features struct {
		Expand struct {
			NoLinks flag `json:"NoLinks"`
		} `json:"ExpandQuery"`
	} `json:"ProtocolFeaturesSupported"`
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

// decode reads JSON. A field of an unexpected type is absent, not an error.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return nil
	}
	return err
}

// get reads one resource and returns its ETag.
func (c *Client) get(ctx context.Context, p path, into any) (etag string, err error) {
	a, err := c.exchange(ctx, http.MethodGet, string(p), nil, nil)
	if err != nil {
		return "", err
	}
	if !a.ok() {
		return "", c.refusal(http.MethodGet, string(p), a)
	}
	if err := decode(a.body, into); err != nil {
		return "", &Error{Host: c.cfg.Host, Method: http.MethodGet, Path: string(p), Status: a.status, Message: c.redact(a.message()), Err: err}
	}
	if tag := a.header.Get("ETag"); tag != "" {
		return tag, nil
	}
	var body struct {
		Tag text `json:"@odata.etag"`
	}
	_ = json.Unmarshal(a.body, &body) // no tag is a tag too
	return string(body.Tag), nil
}

// members calls each for every member of a collection: with one request where
// the controller expands, else with one for each.
func (c *Client) members(ctx context.Context, collection path, each func(path, []byte) error) error {
	if collection == "" {
		return nil
	}
	var page struct {
		Members []json.RawMessage `json:"Members"`
		Next    path              `json:"Members@odata.nextLink"`
	}
	at := collection
	for range 100 { // a controller that links pages in a circle ends too
		page.Members, page.Next = nil, ""
		if err := c.collection(ctx, at, &page); err != nil {
			return err
		}
		for _, m := range page.Members {
			if err := c.member(ctx, m, each); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		at = page.Next
	}
	return nil
}

func (c *Client) collection(ctx context.Context, at path, into any) error {
	if c.root != nil && c.root.Features.Expand.NoLinks.value && !c.flat && !strings.Contains(string(at), "?") {
		_, err := c.get(ctx, at+"?$expand=.", into)
		var e *Error
		if err == nil || !errors.As(err, &e) || e.Status < 400 || e.Status == http.StatusNotFound || e.Status == http.StatusUnauthorized {
			return err
		}
		c.flat = true // it offers $expand and refuses it
	}
	_, err := c.get(ctx, at, into)
	return err
}

func (c *Client) member(ctx context.Context, raw []byte, each func(path, []byte) error) error {
	var l link
	var whole map[string]json.RawMessage
	if json.Unmarshal(raw, &whole) != nil || json.Unmarshal(raw, &l) != nil || l.Path == "" {
		return nil
	}
	if len(whole) > 2 { // more than the link (and its etag): it is expanded
		return each(l.Path, raw)
	}
	var body json.RawMessage
	if _, err := c.get(ctx, l.Path, &body); err != nil {
		return err
	}
	return each(l.Path, body)
}
