package redfish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Boot methods, as an inventory names them.
const (
	UEFIHTTP = "uefi-http"
	UEFIPXE  = "uefi-pxe"
	BIOSPXE  = "bios-pxe"
)

// SetBoot makes the host boot from the network once, at its next start. Only
// what differs is written: on some controllers writing the mode alone costs
// another restart. The override is read back; that it was followed only the
// host's own DHCP request can prove.
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
	at, now, etag, err := c.bootResource(ctx)
	if err != nil {
		return err
	}
	if len(now.Targets) > 0 && !slices.Contains(now.Targets, want.Target) {
		return c.fail("", "", fmt.Errorf("the BMC offers no boot target %s for method %s, only %s", want.Target, method, list(now.Targets)))
	}
	change := difference(now, want)
	if len(change) == 0 {
		return nil
	}
	if err := c.patch(ctx, at, etag, map[string]any{"Boot": change}); err != nil {
		return err
	}
	var back struct {
		Boot boot `json:"Boot"`
	}
	if _, err := c.get(ctx, at, &back); err != nil {
		return err
	}
	if left := difference(back.Boot, want); len(left) > 0 {
		return &Error{Host: c.cfg.Host, Method: "PATCH", Path: string(at), Err: fmt.Errorf(
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
	}
	return boot{}, false
}

// difference returns what must be written to come from now to want. Enabled
// goes with Target always: some controllers reset it otherwise. A controller
// that tells no mode has none to write.
func difference(now, want boot) map[string]string {
	change := map[string]string{}
	if now.Enabled != want.Enabled || now.Target != want.Target {
		change["BootSourceOverrideEnabled"] = string(want.Enabled)
		change["BootSourceOverrideTarget"] = string(want.Target)
	}
	if now.Mode != "" && now.Mode != want.Mode {
		change["BootSourceOverrideMode"] = string(want.Mode)
	}
	return change
}

// bootResource returns where the override is written: the settings resource
// of the system where that holds it, else the system itself.
func (c *Client) bootResource(ctx context.Context) (path, boot, string, error) {
	s, etag, err := c.read(ctx)
	if err != nil {
		return "", boot{}, "", err
	}
	if at := s.Settings.Object.Path; at != "" {
		var pending struct {
			Boot boot `json:"Boot"`
		}
		tag, err := c.get(ctx, at, &pending)
		if err == nil && pending.Boot.Target != "" {
			if len(pending.Boot.Targets) == 0 {
				pending.Boot.Targets = s.Boot.Targets
			}
			return at, pending.Boot, tag, nil
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Status == 0) {
			return "", boot{}, "", err
		}
	}
	return s.Path, s.Boot, etag, nil
}

func list(words []text) string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return strings.Join(out, ", ")
}
