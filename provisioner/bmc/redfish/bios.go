package redfish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// bios is the Bios resource (DSP0268) and its settings resource.
type bios struct {
	Attributes map[string]any `json:"Attributes"`
	Registry   text           `json:"AttributeRegistry"`
	Settings   settings       `json:"@Redfish.Settings"`
}

// firmware is what is in force and what waits for the next POST.
type firmware struct {
	now      map[string]any
	registry string         // name of the attribute registry
	pending  map[string]any // nil when there is no settings resource
	at       path           // where changes are written
	etag     string
	onReset  bool // the apply time OnReset must be asked for
}

// value returns an attribute as it will be after the next POST.
func (f firmware) value(name string) (any, bool) {
	if v, ok := f.pending[name]; ok {
		return v, true
	}
	v, ok := f.now[name]
	return v, ok
}

// SetBIOS makes attributes pending for the next POST: only those that will
// differ then, and not at all when none does. It returns what it wrote; nil
// means that nothing was left to write. The pending values are read back. That
// they came in force, only the attributes after POST can prove.
func (c *Client) SetBIOS(ctx context.Context, want map[string]any) (map[string]any, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	before, err := c.firmware(ctx)
	if err != nil {
		return nil, err
	}
	change, err := before.change(want)
	if err != nil {
		return nil, c.fail(http.MethodGet, string(before.at), err)
	}
	if len(change) == 0 {
		return nil, nil
	}
	body := map[string]any{"Attributes": change}
	if before.onReset {
		body["@Redfish.SettingsApplyTime"] = map[string]any{"ApplyTime": "OnReset"}
	}
	refused := c.patch(ctx, before.at, before.etag, body)
	var e *Error
	if refused != nil && (!errors.As(refused, &e) || e.Status == 0 || e.Status == http.StatusUnauthorized) {
		return nil, refused
	}
	// A refusal may mean that the same values are committed already, and an
	// acceptance may mean nothing: what is pending decides.
	after, err := c.firmware(ctx)
	if err != nil {
		return nil, errors.Join(refused, err)
	}
	left, err := after.change(want)
	switch {
	case err == nil && len(left) == 0:
		return change, nil
	case refused != nil:
		return nil, refused
	}
	return nil, &Error{Host: c.cfg.Host, Method: http.MethodPatch, Path: string(before.at), Err: fmt.Errorf("accepted, and still not pending: %s", after.describe(left)),
		Hint: "look into the job queue of the BMC for a job that holds the BIOS settings"}
}

// change returns what of want will not be so after the next POST.
func (f firmware) change(want map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, ok := f.value(name)
		if !ok {
			return nil, fmt.Errorf("the BIOS has no attribute %s", name)
		}
		if !same(have, want[name]) {
			out[name] = want[name]
		}
	}
	return out, nil
}

func (f firmware) describe(want map[string]any) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, _ := f.value(name)
		words = append(words, fmt.Sprintf("%s is %v and should be %v", name, have, want[name]))
	}
	return strings.Join(words, ", ")
}

// same compares two JSON values; numbers may have different Go types.
func same(a, b any) bool {
	x, xok := numeric(a)
	y, yok := numeric(b)
	if xok && yok {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}

func numeric(v any) (float64, bool) {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(r.Int()), true
	case reflect.Float32, reflect.Float64:
		return r.Float(), true
	}
	return 0, false
}

// firmware reads both BIOS resources.
func (c *Client) firmware(ctx context.Context) (firmware, error) {
	s, _, err := c.read(ctx)
	if err != nil {
		return firmware{}, err
	}
	if s.Bios.Path == "" {
		return firmware{}, c.fail(http.MethodGet, string(s.Path), errors.New("the BMC tells of no BIOS attributes"))
	}
	return c.firmwareAt(ctx, s.Bios.Path)
}

func (c *Client) firmwareAt(ctx context.Context, at path) (firmware, error) {
	var b bios
	etag, err := c.get(ctx, at, &b)
	if err != nil {
		return firmware{}, err
	}
	f := firmware{now: b.Attributes, registry: string(b.Registry), at: at, etag: etag, onReset: slices.Contains(b.Settings.Times, "OnReset")}
	settings := b.Settings.Object.Path
	if settings == "" {
		return f, nil
	}
	var pending bios
	etag, err = c.get(ctx, settings, &pending)
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotImplemented) {
		return f, nil // named, and not there: changes go to the resource itself
	}
	if err != nil {
		return firmware{}, err
	}
	f.at, f.etag, f.pending = settings, etag, pending.Attributes
	if f.pending == nil {
		f.pending = map[string]any{}
	}
	return f, nil
}

// BIOS returns the attributes in force.
func (c *Client) BIOS(ctx context.Context) (map[string]any, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	s, _, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	if s.Bios.Path == "" {
		return nil, c.fail(http.MethodGet, string(s.Path), errors.New("the BMC tells of no BIOS attributes"))
	}
	var b bios
	_, err = c.get(ctx, s.Bios.Path, &b)
	return b.Attributes, err
}
