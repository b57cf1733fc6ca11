package redfish

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	pathpkg "path"
	"regexp"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// registryFile is a MessageRegistryFile (DSP0268), or the registry itself
// where a controller gives that in its place.
type registryFile struct {
	ID       text            `json:"Id"`
	Registry text            `json:"Registry"`
	Entries  json.RawMessage `json:"RegistryEntries"`
	Location json.RawMessage `json:"Location"`
}

// registry reads the entries of the BIOS attribute registry that matter. It is
// nil, without an error, when the controller has no such registry.
func (c *Client) registry(ctx context.Context, name string, now map[string]any) (map[string]facts.Attribute, error) {
	if name == "" {
		return nil, nil
	}
	at, err := c.registryAt(ctx, name)
	for range 2 { // the file that names the registry, then the registry
		if err != nil || at == "" {
			return nil, absent(err)
		}
		a, failed := c.exchange(ctx, http.MethodGet, string(at), nil, nil)
		if failed != nil {
			return nil, failed
		}
		if !a.ok() {
			return nil, absent(c.refusal(http.MethodGet, string(at), a))
		}
		body, failed := unpacked(a.body)
		if failed != nil {
			return nil, &partError{c.fail(http.MethodGet, string(at), failed)}
		}
		var file registryFile
		if failed := decode(body, &file); failed != nil {
			return nil, &partError{c.fail(http.MethodGet, string(at), failed)}
		}
		if len(file.Entries) > 0 {
			entries, failed := attributes(file.Entries, now, c.cfg.Attributes)
			if failed != nil {
				return nil, &partError{c.fail(http.MethodGet, string(at), failed)}
			}
			return entries, nil
		}
		at = location(file.Location, at, c.cfg.URL)
	}
	return nil, nil
}

// absent turns "not there" into no error.
func absent(err error) error {
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusGone || e.Status == http.StatusNotImplemented) {
		return nil
	}
	return err
}

// registryAt returns the member of the collection of registries that is meant.
// Its id may be the name, or the name with another version, or without one
// (PowerEdge: BiosAttributeRegistry.v1_0_3 is found under ...v1_0_0).
func (c *Client) registryAt(ctx context.Context, name string) (path, error) {
	root, err := c.service(ctx)
	if err != nil {
		return "", err
	}
	at := root.Registries.Path
	if at == "" {
		at = rootPath + "/Registries"
	}
	var all struct {
		Members []link `json:"Members"`
		Next    path   `json:"Members@odata.nextLink"`
	}
	var links []path
	for range 20 { // pages; a controller that links them in a circle ends too
		all.Members, all.Next = nil, ""
		if _, err := c.get(ctx, at, &all); err != nil {
			return "", err
		}
		for _, l := range all.Members {
			links = append(links, l.Path)
		}
		if all.Next == "" {
			break
		}
		at = all.Next
	}
	return named(links, name), nil
}

// named picks the link of a registry: its own name, else the same name in
// another version, else the only one that is about BIOS attributes.
func named(links []path, name string) path {
	id := func(p path) string { return strings.ToLower(pathpkg.Base(strings.TrimSuffix(string(p), "/"))) }
	for _, like := range []func(string) bool{
		func(s string) bool { return s == strings.ToLower(name) },
		func(s string) bool { return unversioned(s) == unversioned(strings.ToLower(name)) },
		func(s string) bool { return strings.Contains(s, "biosattribute") },
	} {
		var found []path
		for _, l := range links {
			if l != "" && like(id(l)) {
				found = append(found, l)
			}
		}
		if len(found) == 1 {
			return found[0]
		}
	}
	return ""
}

func unversioned(id string) string {
	return regexp.MustCompile(`\.v?\d[\d._]*$`).ReplaceAllString(strings.TrimSuffix(id, ".json"), "")
}

// location returns where a registry is, in English where there is a choice. It
// is a list by language, sometimes one entry; the URI may be relative, absolute
// on this controller, or an object that holds the path (iLO 4).
func location(raw json.RawMessage, base path, controller string) path {
	type place struct {
		Language text            `json:"Language"`
		URI      json.RawMessage `json:"Uri"`
	}
	var places []place
	if decode(raw, &places) != nil || len(places) == 0 {
		var one place
		if decode(raw, &one) != nil {
			return ""
		}
		places = []place{one}
	}
	i := max(0, slices.IndexFunc(places, func(p place) bool { return strings.HasPrefix(strings.ToLower(string(p.Language)), "en") }))
	var uri text
	var object struct {
		Path text `json:"extref"`
		ID   text `json:"@odata.id"`
	}
	if json.Unmarshal(places[i].URI, &uri) != nil || uri == "" {
		_ = decode(places[i].URI, &object) // neither is no location
		uri = object.Path
		if uri == "" {
			uri = object.ID
		}
	}
	return within(string(uri), base, controller)
}

// within returns the path of a link on this controller, or no path.
func within(uri string, base path, controller string) path {
	u, err := url.Parse(uri)
	own, ownErr := url.Parse(controller)
	if err != nil || ownErr != nil || uri == "" || u.Host != "" && u.Host != own.Host {
		return ""
	}
	if u.Path == "" || !strings.HasPrefix(u.Path, "/") {
		u = (&url.URL{Path: strings.TrimSuffix(string(base), "/") + "/"}).ResolveReference(u)
	}
	return path(u.RequestURI())
}

// unpacked undoes gzip, which some controllers use for registries whatever
// was asked for.
func unpacked(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("unpack the registry: %w", err)
	}
	defer z.Close()
	out, err := io.ReadAll(io.LimitReader(z, maxBody))
	if err != nil {
		return nil, fmt.Errorf("unpack the registry: %w", err)
	}
	return out, nil
}

// registryEntry is one attribute of an AttributeRegistry.
type registryEntry struct {
	Name      text   `json:"AttributeName"`
	Display   text   `json:"DisplayName"`
	Type      text   `json:"Type"`
	ReadOnly  flag   `json:"ReadOnly"`
	Immutable flag   `json:"Immutable"`
	GrayOut   flag   `json:"GrayOut"`
	Least     number `json:"LowerBound"`
	Most      number `json:"UpperBound"`
	Values    []struct {
		Name    json.RawMessage `json:"ValueName"`
		Display text            `json:"ValueDisplayName"`
	} `json:"Value"`
}

// attributes returns the entries that matter, with what the present values
// make of them.
func attributes(entries []byte, now map[string]any, matters func(name, display string) bool) (map[string]facts.Attribute, error) {
	var all struct {
		Attributes   []json.RawMessage `json:"Attributes"`
		Dependencies []json.RawMessage `json:"Dependencies"`
	}
	if err := decode(entries, &all); err != nil {
		return nil, err
	}
	out := map[string]facts.Attribute{}
	for _, raw := range all.Attributes {
		var e registryEntry
		if decode(raw, &e) != nil || e.Name == "" || !matters(string(e.Name), string(e.Display)) {
			continue
		}
		out[string(e.Name)] = e.attribute(now[string(e.Name)])
	}
	for _, raw := range all.Dependencies {
		name, d, ok := dependency(raw)
		if a, known := out[name]; ok && known {
			a.Depends = append(a.Depends, d)
			out[name] = a
		}
	}
	for name, a := range out {
		why, locked := a.Locked(now)
		if locked {
			a.ReadOnly, a.Why = true, why
			out[name] = a
		}
	}
	return out, nil
}

// attribute turns an entry into what decides about writing. Supermicro's
// firmware has display names as values, where the registry's value names are
// numbers: the present value tells which of both is written.
func (e registryEntry) attribute(now any) facts.Attribute {
	a := facts.Attribute{Display: string(e.Display), Type: string(e.Type), ReadOnly: e.ReadOnly.value || e.Immutable.value || e.GrayOut.value}
	var names, labels []string
	for _, v := range e.Values {
		name := valueName(v.Name)
		label := string(v.Display)
		if label == "" {
			label = name
		}
		names, labels = append(names, name), append(labels, label)
	}
	shown, isText := now.(string)
	switch {
	case isText && !slices.Contains(names, shown) && slices.Contains(labels, shown):
		a.Values = labels
	case slices.Equal(names, labels):
		a.Values = names
	default:
		a.Values, a.Labels = names, labels
	}
	if e.Type == "Integer" && e.Most.value > e.Least.value { // both 0: not told
		a.Least, a.Most = &e.Least.value, &e.Most.value
	}
	return a
}

func valueName(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw)) // a number or a truth value, as it is written
}

// dependency reads one rule, and the attribute that it is about. Rules that
// look at anything but present values are left out: who can't judge them leaves
// the refusal to the firmware.
func dependency(raw []byte) (name string, d facts.Dependency, ok bool) {
	var rule struct {
		For        text `json:"DependencyFor"`
		Type       text `json:"Type"`
		Dependency struct {
			From []struct {
				Attribute text `json:"MapFromAttribute"`
				Property  text `json:"MapFromProperty"`
				Is        text `json:"MapFromCondition"`
				Value     any  `json:"MapFromValue"`
				Terms     text `json:"MapTerms"`
			} `json:"MapFrom"`
			To       text `json:"MapToAttribute"`
			Property text `json:"MapToProperty"`
			Value    any  `json:"MapToValue"`
		} `json:"Dependency"`
	}
	if decode(raw, &rule) != nil || len(rule.Dependency.From) == 0 {
		return "", d, false
	}
	name = string(rule.Dependency.To)
	if name == "" {
		name = string(rule.For)
	}
	d = facts.Dependency{Property: string(rule.Dependency.Property), Value: rule.Dependency.Value}
	from := rule.Dependency.From
	// A term stands with the later of the two conditions that it joins (HPE),
	// or with the earlier one (Lenovo, Supermicro): then the first has one.
	early := from[0].Terms != ""
	for i, f := range from {
		terms := f.Terms
		if early && i > 0 {
			terms = from[i-1].Terms
		}
		if i > 0 && terms != "" && terms != "AND" && terms != "OR" || f.Property != "CurrentValue" && f.Property != "" {
			return "", d, false
		}
		d.When = append(d.When, facts.Condition{And: i > 0 && terms == "AND", Attribute: string(f.Attribute), Is: string(f.Is), Value: f.Value})
	}
	return name, d, slices.Contains([]string{"ReadOnly", "GrayOut", "Hidden", "CurrentValue"}, d.Property)
}
