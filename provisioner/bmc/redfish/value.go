package redfish

import (
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// text, number, flag, path and refs decode what they can and are absent
// otherwise: real controllers send numbers as text, null for anything, and
// objects for text.
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

// UnmarshalJSON implements json.Unmarshaler and never fails. "NaN" and "Inf"
// are numbers to strconv, and nothing to us.
func (n *number) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.Trim(string(data), `"`)), 64)
	if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		*n = number{v, true}
	}
	return nil
}

// within returns the number when it is more than zero and not more than most.
// Zero is what controllers say when they don't know, and what is more than any
// machine has is no fact.
func (n number) within(most float64) (float64, bool) {
	return n.value, n.known && n.value > 0 && n.value <= most
}

// count returns a whole number from 1 to most, or 0.
func (n number) count(most float64) int {
	v, ok := n.within(most)
	if !ok || v != math.Trunc(v) {
		return 0
	}
	return int(v)
}

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (f *flag) UnmarshalJSON(data []byte) error {
	var b bool
	if string(data) != "null" && json.Unmarshal(data, &b) == nil {
		*f = flag{b, true}
	}
	return nil
}

// pointer returns the flag, nil when it is unknown.
func (f flag) pointer() *bool {
	if !f.known {
		return nil
	}
	return &f.value
}

// UnmarshalJSON implements json.Unmarshaler. What is no path on this
// controller is no link.
func (p *path) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) != nil || !strings.HasPrefix(s, "/") {
		return nil
	}
	if _, err := url.Parse(s); err == nil {
		*p = path(s)
	}
	return nil
}

// key is the path for comparing: one vendor's links and resources differ in
// letter case, and some links end with a slash.
func (p path) key() path { return path(strings.ToLower(strings.TrimSuffix(string(p), "/"))) }

// last returns the last segment of the path.
func (p path) last() string {
	s := string(p.key())
	return s[strings.LastIndex(s, "/")+1:]
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

// refs is a list of links or of whole resources, or one link to a collection
// of them: the schemas changed between the two, and firmwares mix them.
type refs struct {
	told       bool // there was a list, maybe an empty one
	all        []json.RawMessage
	collection path
}

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (r *refs) UnmarshalJSON(data []byte) error {
	var all []json.RawMessage
	var one link
	switch {
	case string(data) == "null":
	case json.Unmarshal(data, &all) == nil:
		*r = refs{told: true, all: all}
	case json.Unmarshal(data, &one) == nil:
		*r = refs{collection: one.Path}
	}
	return nil
}

// links returns the paths of the list.
func (r refs) links() []path {
	var out []path
	for _, raw := range r.all {
		var l link
		if json.Unmarshal(raw, &l) == nil && l.Path != "" {
			out = append(out, l.Path)
		}
	}
	return out
}

// whole returns a resource that stands in the place of its link; ok is false
// when there is the link only, and what annotates it.
func whole(raw json.RawMessage) (at path, ok bool) {
	var l link
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(raw, &l) != nil {
		return "", false
	}
	for name := range fields {
		ok = ok || !strings.HasPrefix(name, "@")
	}
	return l.Path, ok
}
