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
	settings path           // the settings resource; empty when there is none
	places   []target       // where changes may be written, best first
	onReset  bool           // the apply time OnReset must be asked for
	applied  settings       // what became of the last change
}

// target is a resource that takes changes.
type target struct {
	at   path
	etag string
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
// they came in force, only the attributes after POST can prove; see BIOSJob.
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
	at := string(before.places[0].at)
	change, err := before.change(want)
	if err != nil {
		return nil, c.fail(http.MethodGet, at, err)
	}
	if len(change) == 0 {
		change = c.uncommitted(ctx, before, want)
	}
	if len(change) == 0 {
		return nil, nil
	}
	to, a, refused := c.writeBIOS(ctx, before, change)
	var e *Error
	if refused != nil && (!errors.As(refused, &e) || e.Status == 0 || e.Status == http.StatusUnauthorized) {
		return nil, refused
	}
	c.job = job{before: before.applied.Time}
	if refused == nil {
		c.job.at = c.jobOf(a)
	} else {
		c.job.at, _ = c.queued(ctx) // it may be because another has made the job
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
	case to != after.settings:
		return change, nil // nothing shows what is pending; what is in force after POST decides
	}
	return nil, &Error{Host: c.cfg.Host, Method: http.MethodPatch, Path: string(to), Err: fmt.Errorf("accepted, and still not pending: %s", after.describe(left)),
		Hint: "look into the job queue of the BMC for a job that holds the BIOS settings"}
}

// writeBIOS sends a change to the settings resource, or to the Bios resource
// itself where the former takes none. It returns which of them it was.
func (c *Client) writeBIOS(ctx context.Context, f firmware, change map[string]any) (to path, a answer, err error) {
	body := map[string]any{"Attributes": change}
	if f.onReset {
		body["@Redfish.SettingsApplyTime"] = map[string]any{"ApplyTime": "OnReset"}
	}
	for _, p := range f.places {
		a, err = c.patched(ctx, p.at, p.etag, body)
		var e *Error
		if err == nil || !errors.As(err, &e) || !takesNone(e.Status) {
			return p.at, a, err
		}
	}
	return to, a, err
}

// takesNone reports whether a status says that a resource isn't there or
// can't be written at all.
func takesNone(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
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
	f := firmware{
		now: b.Attributes, registry: string(b.Registry), places: []target{{at, etag}},
		onReset: slices.Contains(b.Settings.Times, "OnReset"), applied: b.Settings,
	}
	settings := b.Settings.Object.Path
	if settings == "" {
		return f, nil
	}
	var pending bios
	a, etag, err := c.take(ctx, settings, &pending)
	var e *Error
	if errors.As(err, &e) && takesNone(e.Status) {
		return f, nil // named, and not there: changes go to the resource itself
	}
	if err != nil {
		return firmware{}, err
	}
	f.settings, f.pending = settings, pending.Attributes
	if f.pending == nil {
		f.pending = map[string]any{}
	}
	// A settings resource that holds attributes takes them. An empty one may
	// hold only what is pending (iDRAC, Supermicro), or take nothing at all: the
	// methods that it allows tell, where it tells them.
	allow := a.header.Get("Allow")
	if len(f.pending) > 0 || allow == "" || strings.Contains(allow, http.MethodPatch) {
		f.places = []target{{settings, etag}, f.places[0]}
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
	c.job.applied = b.Settings
	return b.Attributes, err
}
