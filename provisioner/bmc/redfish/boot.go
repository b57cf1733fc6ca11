package redfish

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Boot methods, as an inventory names them.
const (
	UEFIHTTP = "uefi-http"
	UEFIPXE  = "uefi-pxe"
	BIOSPXE  = "bios-pxe"

	VirtualMedia = "virtual-media" // from the virtual CD, once
)

// SetBoot makes the host boot by a method once, at its next start. Only what
// differs is written: on some controllers writing the mode alone costs another
// restart. The override is read back; that it was followed only the host's own
// request can prove.
//
// errors.Is(err, ErrUnsupported) says that this controller doesn't take the
// method, ErrNotKept that it took it and forgot.
func (c *Client) SetBoot(ctx context.Context, method string) error {
	want, ok := overrides(method)
	if !ok {
		return c.fail("", "", fmt.Errorf("%q is not a boot method", method))
	}
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	s, etag, err := c.read(ctx)
	if err != nil {
		return err
	}
	r, err := c.bootResource(ctx, s, etag)
	if err != nil {
		return err
	}
	m := c.manners(ctx, s)
	if want.Target, ok = m.target(want.Target, r.now.Targets); !ok {
		return c.fail("", "", because(ErrUnsupported, "the BMC offers no boot target %s for method %s, only %s", want.Target, method, list(r.now.Targets)))
	}
	change := m.difference(r.now, want)
	if len(change) == 0 {
		return nil
	}
	if r.at, err = c.writeBoot(ctx, s, r, change); err != nil {
		return unsupported(err)
	}
	var back struct {
		Boot boot `json:"Boot"`
	}
	if _, err := c.get(ctx, r.at, &back); err != nil {
		return err
	}
	if left := (manners{}).difference(back.Boot, want); len(left) > 0 {
		return &Error{Host: c.cfg.Host, Method: http.MethodPatch, Path: string(r.at), Err: because(ErrNotKept,
			"accepted, and read back as %s %s %s instead of %s %s %s",
			back.Boot.Enabled, back.Boot.Target, back.Boot.Mode, want.Enabled, want.Target, want.Mode),
			Hint: "try another boot.method for this host"}
	}
	return nil
}

func overrides(method string) (boot, bool) {
	switch method {
	case UEFIHTTP:
		return boot{Enabled: "Once", Target: "UefiHttp", Mode: "UEFI"}, true
	case UEFIPXE:
		return boot{Enabled: "Once", Target: "Pxe", Mode: "UEFI"}, true
	case BIOSPXE:
		return boot{Enabled: "Once", Target: "Pxe", Mode: "Legacy"}, true
	case VirtualMedia:
		return boot{Enabled: "Once", Target: "Cd"}, true // in the mode that the host is in: the image boots in both
	}
	return boot{}, false
}

// target returns how this controller calls a target, and whether it offers it.
// A controller that doesn't say what it offers is asked by trying.
func (m manners) target(want text, offers []text) (text, bool) {
	names := []text{want}
	if want == "Cd" {
		names = []text{"Cd", "UsbCd"}
		if m.cd != "" {
			names = slices.Insert(names, 0, m.cd)
		}
	}
	if len(offers) == 0 {
		return names[0], true
	}
	for _, name := range names {
		if slices.Contains(offers, name) {
			return name, true
		}
	}
	return want, false
}

// difference returns what must be written to come from now to want. Enabled
// goes with Target always: some controllers reset it otherwise. A controller
// that tells no mode has none to write.
func (m manners) difference(now, want boot) map[string]string {
	change := map[string]string{}
	if now.Enabled != want.Enabled || now.Target != want.Target {
		change["BootSourceOverrideEnabled"] = string(want.Enabled)
		change["BootSourceOverrideTarget"] = string(want.Target)
	}
	if now.Mode != "" && want.Mode != "" && now.Mode != want.Mode {
		change["BootSourceOverrideMode"] = string(want.Mode)
	}
	if len(change) > 0 && (m.enabledAlways || m.wholeBoot) {
		change["BootSourceOverrideEnabled"] = string(want.Enabled)
	}
	if len(change) > 0 && m.wholeBoot {
		change["BootSourceOverrideTarget"] = string(want.Target)
		change["BootSourceOverrideMode"] = string(cmp.Or(want.Mode, now.Mode))
	}
	return change
}

// bootState is where boot settings are written, and what stands there.
type bootState struct {
	at   path
	now  boot
	etag string
}

// bootResource returns where the override is written: the settings resource
// of the system where that holds it, else the system itself.
func (c *Client) bootResource(ctx context.Context, s computerSystem, etag string) (bootState, error) {
	pending, err := c.pendingBoot(ctx, s)
	if err != nil || pending.now.Target == "" {
		return bootState{s.Path, s.Boot, etag}, err
	}
	if len(pending.now.Targets) == 0 {
		pending.now.Targets = s.Boot.Targets
	}
	return pending, nil
}

// pendingBoot returns what the settings resource of the system holds; a
// controller that has none, or names one that isn't there, gives nothing.
func (c *Client) pendingBoot(ctx context.Context, s computerSystem) (bootState, error) {
	at := s.Settings.Object.Path
	if at == "" {
		return bootState{}, nil
	}
	var pending struct {
		Boot boot `json:"Boot"`
	}
	tag, err := c.get(ctx, at, &pending)
	if e, ok := errors.AsType[*Error](err); ok && e.Status != 0 && e.Status != http.StatusUnauthorized {
		return bootState{}, nil
	}
	return bootState{at, pending.Boot, tag}, err
}

// writeBoot writes to Boot and returns where it was taken. AMI's firmware shows
// the override at the system and takes it at the settings resource only
// (DMTF/Redfish-Tacklebox#144).
func (c *Client) writeBoot(ctx context.Context, s computerSystem, r bootState, change any) (path, error) {
	body := map[string]any{"Boot": change}
	err := c.patch(ctx, r.at, r.etag, body)
	settings := s.Settings.Object.Path
	if e, ok := errors.AsType[*Error](err); !ok || settings == "" || settings == r.at || !e.says("OperationSupportedInFutureState") {
		return r.at, err
	}
	var ignored json.RawMessage
	etag, err := c.get(ctx, settings, &ignored)
	if err != nil {
		return settings, err
	}
	return settings, c.patch(ctx, settings, etag, body)
}

func list(of []text) string { return strings.Join(words(of), ", ") }

func words(of []text) []string {
	var out []string
	for _, w := range of {
		out = append(out, string(w))
	}
	return out
}
