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
	Entries  *registryEntries `json:"RegistryEntries"`
	Location json.RawMessage  `json:"Location"`
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
		if file.Entries != nil {
			return file.Entries.kept(now, c.cfg.Attributes), nil
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
