package redfish

import (
	"context"
	"errors"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Bounds of one look. A machine that has more is none that we know.
const (
	maxRequests = 300
	maxParts    = 1000 // of one kind
	maxBoxes    = 8    // chassis of one system
)

// Facts asks for everything that is judged before an install. What the
// controller doesn't tell stays absent. A part that can't be read is named in
// Err and the rest is still there; the error is for a controller that can't be
// spoken to at all.
func (c *Client) Facts(ctx context.Context) (facts.BMC, error) {
	ctx = context.WithValue(ctx, allowanceKey{}, &allowance{maxRequests})
	done, err := c.speak(ctx)
	if err != nil {
		return facts.BMC{Err: err.Error()}, err
	}
	defer done()
	s, err := c.glance(ctx)
	if err != nil {
		return facts.BMC{Err: err.Error()}, err
	}
	l := &look{Client: c, system: s, read: map[path]bool{}}
	for _, part := range []func(context.Context) error{
		l.identity, l.boxes, l.processors, l.memory, l.drives, l.slots, l.adapters, l.settings, l.manager, l.secureBoot, l.clock,
	} {
		if err := l.note(part(ctx)); err != nil {
			return facts.BMC{Err: err.Error()}, err
		}
	}
	l.out.Reached, l.out.Err = true, strings.Join(l.missing, "\n")
	return l.out, nil
}

// look is one walk through what a controller tells of one system.
type look struct {
	*Client
	system  computerSystem
	chassis []chassis // that the system is in
	out     facts.BMC
	read    map[path]bool // resources that are in the facts, or that were decided not to be
	silent  int           // NetworkDeviceFunctions in a row that told nothing
	missing []string      // what could not be read
}

// note keeps an error that hides one part and no more, and returns one that
// hides all: no answer, or a login that is refused.
func (l *look) note(err error) error {
	var e *Error
	one := errors.As(err, new(*partError)) || errors.Is(err, errTooMany) || errors.As(err, &e) && e.Status != 0 && e.Status != 401
	if !one {
		return err
	}
	l.missing = append(l.missing, err.Error())
	return nil
}

// partError is a resource that isn't what it should be: one part is missing,
// not all.
type partError struct{ error }

// partial notes that more of a list may be there than will be told.
func (l *look) partial(list string) {
	if list != "" && l.out.Whole(list) {
		l.out.Partial = append(l.out.Partial, list)
	}
}

// from notes what told a scalar.
func (l *look) from(scalar, source string) {
	if l.out.From == nil {
		l.out.From = map[string]string{}
	}
	l.out.From[scalar] = source
}

// once reports whether a resource comes for the first time: drives stand below
// several controllers, adapters below several chassis.
func (l *look) once(p path) bool {
	if l.read[p.key()] {
		return false
	}
	l.read[p.key()] = true
	return true
}

// each decodes the members of a collection, each once. A member that can't be
// read leaves its list partial; whole is false then, and when there is no such
// collection.
func each[T any](ctx context.Context, l *look, list string, collection path, use func(path, T) error) (whole bool, err error) {
	if collection == "" {
		return false, nil
	}
	n := 0
	whole = true
	err = l.members(ctx, collection, func(p path, raw []byte, err error) error {
		var one T
		if err == nil {
			if err = decode(raw, &one); err != nil {
				err = &partError{l.fail("GET", string(p), err)}
			}
		}
		if err != nil {
			whole = false
			return l.note(err)
		}
		if n++; n > maxParts || !l.once(p) {
			return nil
		}
		return use(p, one)
	})
	whole = whole && err == nil && n <= maxParts
	if !whole {
		l.partial(list)
	}
	return whole, l.note(err)
}

func (l *look) settings(ctx context.Context) error {
	if l.system.Bios.Path == "" {
		return nil
	}
	f, err := l.firmwareAt(ctx, l.system.Bios.Path)
	if err != nil {
		return err
	}
	l.out.BIOS, l.out.PendingBIOS = f.now, f.waiting()
	if l.cfg.Attributes == nil {
		return nil
	}
	l.out.Registry, err = l.registry(ctx, f.registry, f.now)
	return err
}

// waiting returns what the next POST will change. Most settings resources
// repeat all that is in force, and a thousand hosts are held at once.
func (f firmware) waiting() map[string]any {
	if f.pending == nil {
		return nil
	}
	out := map[string]any{}
	for name, v := range f.pending {
		if now, ok := f.now[name]; !ok || !same(now, v) {
			out[name] = v
		}
	}
	return out
}
