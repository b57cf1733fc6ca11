package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// slot is one VirtualMedia resource (DSP0268).
type slot struct {
	Path     path   `json:"@odata.id"`
	Types    []text `json:"MediaTypes"`
	Image    text   `json:"Image"`
	Inserted flag   `json:"Inserted"`
	Actions  struct {
		Insert action `json:"#VirtualMedia.InsertMedia"`
		Eject  action `json:"#VirtualMedia.EjectMedia"`
	} `json:"Actions"`
}

// action is where an action is posted.
type action struct {
	Target path `json:"target"`
}

// full reports whether something is in the slot. Controllers that don't say
// Inserted show the image.
func (s slot) full() bool {
	if s.Inserted.known {
		return s.Inserted.value
	}
	return s.Image != ""
}

func (s slot) disc() bool { return slices.Contains(s.Types, "CD") || slices.Contains(s.Types, "DVD") }

// String implements fmt.Stringer.
func (s slot) String() string {
	if !s.full() {
		return fmt.Sprintf("%s is empty", s.Path)
	}
	return fmt.Sprintf("%s holds %q", s.Path, s.Image)
}

// InsertMedia puts an image into the virtual CD or DVD drive: what is in one is
// ejected first and seen to be gone, then the image is inserted and read back.
// That the controller reads the image only the server of the image can prove.
//
// The URL must be plain http or https: some controllers refuse, or cut, one with
// "?" or "&". errors.Is(err, ErrUnsupported) says that there is no such drive,
// ErrLicense that the controller wants a licence for it, ErrNotKept that the
// image is not there in spite of an answer that said so.
func (c *Client) InsertMedia(ctx context.Context, image string) error {
	if err := plainURL(image); err != nil {
		return c.fail("", "", err)
	}
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	drives, err := c.discs(ctx)
	if err != nil {
		return err
	}
	for _, d := range drives {
		if err := c.empty(ctx, d); err != nil {
			return err
		}
	}
	into := drives[0]
	if err := c.insert(ctx, into, image); err != nil {
		return err
	}
	return c.untilSlot(ctx, into, "the image to be inserted", func(s slot) bool { return s.full() && (s.Image == "" || string(s.Image) == image) })
}

// EjectMedia takes this image out of every drive that holds it. A drive that
// holds another one, or nothing, is left alone.
func (c *Client) EjectMedia(ctx context.Context, image string) error {
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	drives, err := c.discs(ctx)
	if errors.Is(err, ErrUnsupported) {
		return nil
	}
	for _, d := range drives {
		if string(d.Image) == image {
			err = errors.Join(err, c.empty(ctx, d))
		}
	}
	return err
}

func plainURL(image string) error {
	u, err := url.Parse(image)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(image, "?&#") {
		return fmt.Errorf("the URL of an image should be plain, like http://10.17.0.1:8080/boot/ipxe.iso, and is %q", image)
	}
	return nil
}

// discs returns the virtual CD and DVD drives that can be used, the one to
// use first: those of the system, which newer controllers have, else those of
// the manager. Where any has the action to insert, those without it are for
// something else (OpenBMC has such for its web page); where none has it, all are
// written by PATCH (Lenovo, sushy release note fix-virtual-media-fallback).
func (c *Client) discs(ctx context.Context) ([]slot, error) {
	s, _, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	c.manners(ctx, s)
	all, err := c.discsAt(ctx, s.VirtualMedia.Path)
	for i := 0; i < len(s.Links.ManagedBy) && len(all) == 0 && err == nil; i++ {
		var manager struct {
			VirtualMedia link `json:"VirtualMedia"`
		}
		if _, err = c.get(ctx, s.Links.ManagedBy[i].Path, &manager); err == nil {
			all, err = c.discsAt(ctx, manager.VirtualMedia.Path)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, c.fail(http.MethodGet, string(s.Path), because(ErrUnsupported, "the BMC tells of no virtual CD or DVD drive"))
	}
	return all, nil
}

func (c *Client) discsAt(ctx context.Context, at path) ([]slot, error) {
	var able, silent []slot
	err := c.members(ctx, at, func(p path, raw []byte, failed error) error {
		if failed != nil {
			return failed
		}
		var s slot
		if err := decode(raw, &s); err != nil {
			return c.fail(http.MethodGet, string(p), err)
		}
		s.Path = p
		switch {
		case !s.disc():
		case s.Actions.Insert.Target != "" || s.Actions.Eject.Target != "":
			able = append(able, s)
		default:
			silent = append(silent, s)
		}
		return nil
	})
	if len(able) > 0 {
		return able, err
	}
	return silent, err
}

// insert asks for the image. The short body is tried first: some controllers
// refuse fields that they don't know (bmclib PR#318), others want some that the
// standard leaves optional (sushy release note action-parameter-missing).
func (c *Client) insert(ctx context.Context, s slot, image string) error {
	whole := map[string]any{"Image": image, "Inserted": true, "WriteProtected": true}
	if s.Actions.Insert.Target == "" {
		return c.mediaError(c.patchFresh(ctx, s.Path, whole))
	}
	err := c.post(ctx, s.Actions.Insert.Target, map[string]any{"Image": image})
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusBadRequest && e.says("missing") {
		scheme, _, _ := strings.Cut(image, ":")
		whole["TransferMethod"], whole["TransferProtocolType"] = "Stream", strings.ToUpper(scheme)
		err = c.post(ctx, s.Actions.Insert.Target, whole)
	}
	return c.mediaError(err)
}

// mediaError explains a refusal. An answer that was lost is none: what is in the
// drive tells whether the request arrived.
func (c *Client) mediaError(err error) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return err
	case e.Status == 0 && errors.Is(err, errLost):
		return nil
	case e.says("licen"):
		marked := *e
		marked.Err = because(ErrLicense, "virtual media by URL needs a licence")
		marked.Hint = "put the licence for virtual media into this BMC (iDRAC Enterprise, iLO Advanced, XCC Platinum, SFT-DCMS-SINGLE), or boot this host from the network"
		return &marked
	}
	return err
}

// empty ejects what is in a drive and waits until it is gone. A drive that
// still tells of its image after an eject would start the host with the wrong
// one, or with none (Ironic release note fix-redfish-vmedia-stale-insert-skip).
func (c *Client) empty(ctx context.Context, s slot) error {
	if !s.full() {
		return nil
	}
	var err error
	if s.Actions.Eject.Target != "" {
		err = c.post(ctx, s.Actions.Eject.Target, map[string]any{})
	} else {
		err = c.patchFresh(ctx, s.Path, map[string]any{"Image": nil, "Inserted": false})
	}
	if err = c.mediaError(err); err != nil {
		return err
	}
	return c.untilSlot(ctx, s, fmt.Sprintf("%q to be ejected", s.Image), func(s slot) bool { return !s.full() })
}

// untilSlot waits until a drive is read back as it should be.
func (c *Client) untilSlot(ctx context.Context, s slot, what string, is func(slot) bool) error {
	deadline := time.Now().Add(c.cfg.MediaTimeout)
	tick := time.NewTicker(c.cfg.Poll)
	defer tick.Stop()
	for {
		var now slot
		if _, err := c.get(ctx, s.Path, &now); err != nil {
			return err
		}
		now.Path = s.Path
		if is(now) {
			return nil
		}
		if !time.Now().Before(deadline) {
			return &Error{Host: c.cfg.Host, Method: http.MethodGet, Path: string(s.Path), Err: because(ErrNotKept, "waited %s for %s; last seen: %s", c.cfg.MediaTimeout, what, now),
				Hint: "look at the virtual media page of the BMC, and whether another console holds the drive"}
		}
		c.wait(Wait{For: what, Last: now.String(), Deadline: deadline, Next: "the step fails"})
		select {
		case <-ctx.Done():
			return c.fail(http.MethodGet, string(s.Path), fmt.Errorf("waiting for %s; last seen: %s: %w", what, now, ctx.Err()))
		case <-tick.C:
		}
	}
}

// patchFresh writes to a resource with the ETag that it has now.
func (c *Client) patchFresh(ctx context.Context, at path, body any) error {
	var ignored json.RawMessage
	etag, err := c.get(ctx, at, &ignored)
	if err != nil {
		return err
	}
	return c.patch(ctx, at, etag, body)
}

// post sends an action. It is sent once; see again.
func (c *Client) post(ctx context.Context, at path, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return c.fail(http.MethodPost, string(at), err)
	}
	a, err := c.exchange(ctx, http.MethodPost, string(at), nil, data)
	if err != nil {
		return err
	}
	if !a.ok() {
		return c.refusal(http.MethodPost, string(at), a)
	}
	return nil
}
