package redfish

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// NetworkFirst puts the boot options of one NIC, or where none names it those
// of the network, before all others. It returns the order that was, for
// SetBootOrder to put back; nil means that nothing was written. Unlike an
// override the order stays until it is put back.
//
// errors.Is(err, ErrUnsupported) says that the controller tells of no boot
// order, or of no option for the network.
func (c *Client) NetworkFirst(ctx context.Context, mac string) (was []string, err error) {
	done, err := c.speak(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	s, r, err := c.order(ctx)
	if err != nil {
		return nil, err
	}
	options, err := c.bootOptions(ctx, s.Boot.Options.Path)
	if err != nil {
		return nil, err
	}
	first := networkOptions(options, r.now.Order, mac)
	if len(first) == 0 {
		return nil, c.fail(http.MethodGet, string(s.Boot.Options.Path), because(ErrUnsupported, "no option of the boot order is for the network"))
	}
	want := slices.Clone(first)
	for _, o := range r.now.Order {
		if !slices.Contains(want, o) {
			want = append(want, o)
		}
	}
	if slices.Equal(want, r.now.Order) {
		return nil, nil
	}
	if err := c.writeOrder(ctx, s, r, want); err != nil {
		return nil, err
	}
	return words(r.now.Order), nil
}

// SetBootOrder writes a boot order that NetworkFirst returned, and reads it
// back. One that stands already is not written.
func (c *Client) SetBootOrder(ctx context.Context, order []string) error {
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	s, r, err := c.order(ctx)
	if err != nil {
		return err
	}
	var want []text
	for _, o := range order {
		want = append(want, text(o))
	}
	if slices.Equal(want, r.now.Order) {
		return nil
	}
	return c.writeOrder(ctx, s, r, want)
}

// order returns the boot order as it will be at the next start, and where it
// is written: the settings resource where that holds it (Lenovo's "Pending"
// does, and holds no override), else the system.
func (c *Client) order(ctx context.Context) (computerSystem, bootState, error) {
	s, etag, err := c.read(ctx)
	if err != nil {
		return s, bootState{}, err
	}
	r, err := c.pendingBoot(ctx, s)
	if err != nil {
		return s, r, err
	}
	if len(r.now.Order) == 0 {
		r = bootState{s.Path, s.Boot, etag}
	}
	if len(r.now.Order) == 0 || s.Boot.Options.Path == "" {
		return s, r, c.fail(http.MethodGet, string(s.Path), because(ErrUnsupported, "the BMC tells of no boot order"))
	}
	return s, r, nil
}

func (c *Client) writeOrder(ctx context.Context, s computerSystem, r bootState, want []text) error {
	at, err := c.writeBoot(ctx, s, r, map[string]any{"BootOrder": want})
	if err != nil {
		return unsupported(err)
	}
	var back struct {
		Boot boot `json:"Boot"`
	}
	if _, err := c.get(ctx, at, &back); err != nil {
		return err
	}
	if !slices.Equal(back.Boot.Order, want) {
		return &Error{Host: c.cfg.Host, Method: http.MethodPatch, Path: string(at), Err: because(ErrNotKept,
			"accepted, and the boot order is read back as %s instead of %s", list(back.Boot.Order), list(want)),
			Hint: "set the boot order in the firmware's setup, or look into the BMC's job queue"}
	}
	return nil
}

// bootOption is one BootOption (DSP0268).
type bootOption struct {
	Reference text `json:"BootOptionReference"`
	Alias     text `json:"Alias"`
	Name      text `json:"DisplayName"`
	Device    text `json:"UefiDevicePath"`
}

func (c *Client) bootOptions(ctx context.Context, at path) ([]bootOption, error) {
	var all []bootOption
	err := c.members(ctx, at, func(_ path, raw []byte, failed error) error {
		if failed != nil {
			return failed
		}
		var o bootOption
		if json.Unmarshal(raw, &o) == nil && o.Reference != "" {
			all = append(all, o)
		}
		return nil
	})
	return all, err
}

// networkOptions returns the references of the options that boot this NIC over
// IPv4, in the present order; where no option names a MAC, those that say that
// they are for the network.
func networkOptions(options []bootOption, order []text, mac string) []text {
	var named, network []text
	for _, ref := range order {
		i := slices.IndexFunc(options, func(o bootOption) bool { return o.Reference == ref })
		if i < 0 || options[i].gone() {
			continue
		}
		switch {
		case mac != "" && strings.Contains(letters(string(options[i].Device+" "+options[i].Name)), letters(mac)):
			named = append(named, ref)
		case options[i].network():
			network = append(network, ref)
		}
	}
	if len(named) > 0 {
		return named
	}
	return network
}

// gone reports an option that can't boot: iDRAC keeps those of removed systems
// as "Unavailable: ubuntu". IPv6 alone is of no use: our boot server gives
// loaders over IPv4.
func (o bootOption) gone() bool {
	name := strings.ToLower(string(o.Name + " " + o.Device))
	return strings.HasPrefix(name, "unavailable") || strings.Contains(name, "ipv6")
}

// network reports an option for a NIC: by its alias, its device path (UEFI 2.10,
// 10.3.4.12: MAC) or the words that vendors use.
func (o bootOption) network() bool {
	words := strings.ToLower(string(o.Name))
	return o.Alias == "Pxe" || o.Alias == "UefiHttp" || strings.Contains(string(o.Device), "MAC(") ||
		strings.Contains(words, "pxe") || strings.Contains(words, "http") || strings.Contains(words, "network")
}
