package redfish

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Facts asks for everything that is judged before an install. What the
// controller doesn't tell stays absent. A part that can't be read is named in
// Err and the rest is still there; the error is for a controller that can't be
// spoken to at all.
func (c *Client) Facts(ctx context.Context) (facts.BMC, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return facts.BMC{Err: err.Error()}, err
	}
	defer done()
	s, _, err := c.read(ctx)
	if err != nil {
		return facts.BMC{Err: err.Error()}, err
	}
	out := facts.BMC{
		Reached: true, Vendor: string(c.root.Vendor), Model: string(s.Model), Serial: string(s.SerialNumber),
		UUID: strings.ToLower(string(s.UUID)), Power: string(s.PowerState),
	}
	if out.Vendor == "" {
		out.Vendor = string(s.Manufacturer)
	}
	if s.MemorySummary.GiB.known && s.MemorySummary.GiB.value > 0 {
		out.MemoryGiB = &s.MemorySummary.GiB.value
	}
	if s.Boot.Enabled != "" && s.Boot.Enabled != "Disabled" && s.Boot.Target != "None" {
		out.BootOverride = string(s.Boot.Target)
	}
	out.Serials = serials(s.SerialNumber, tag(out.Vendor, s.SKU))
	var missing []string
	for _, part := range []func(context.Context, computerSystem, *facts.BMC) error{
		c.processors, c.drives, c.chassis, c.settings,
	} {
		err := part(ctx, s, &out)
		var e *Error
		if errors.As(err, &e) && e.Status != 0 && e.Status != 401 || err != nil && errors.As(err, new(*partError)) {
			missing = append(missing, err.Error())
		} else if err != nil {
			return facts.BMC{Err: err.Error()}, err
		}
	}
	out.Err = strings.Join(missing, "\n")
	return out, nil
}

// partError is a resource that is no JSON: one part is missing, not all.
type partError struct{ error }

// tag returns the SKU where it is the number by which a machine is known: the
// service tag of PowerEdge servers, whose SerialNumber is that of the board.
// Elsewhere the SKU names the product, and many machines have the same.
func tag(vendor string, sku text) text {
	if strings.HasPrefix(vendor, "Dell") {
		return sku
	}
	return ""
}

func serials(words ...text) []string {
	var out []string
	for _, w := range words {
		if w != "" && !slices.Contains(out, string(w)) {
			out = append(out, string(w))
		}
	}
	return out
}

// status is the Status of a resource.
type state struct {
	State text `json:"State"`
}

// absent reports whether a resource stands for an empty place.
func (s state) absent() bool { return s.State == "Absent" }

func (c *Client) processors(ctx context.Context, s computerSystem, out *facts.BMC) error {
	return c.members(ctx, s.Processors.Path, func(p path, raw []byte) error {
		var cpu struct {
			Type    text   `json:"ProcessorType"`
			Model   text   `json:"Model"`
			Cores   number `json:"TotalCores"`
			Threads number `json:"TotalThreads"`
			Status  state  `json:"Status"`
		}
		if err := decode(raw, &cpu); err != nil {
			return &partError{c.fail("GET", string(p), err)}
		}
		if cpu.Type != "CPU" && cpu.Type != "" || cpu.Status.absent() || cpu.Status.State == "Disabled" {
			return nil
		}
		if cpu.Status.State == "" && cpu.Cores.value == 0 {
			return nil // an empty socket that says nothing of itself
		}
		out.Processors = append(out.Processors, facts.Processor{Model: string(cpu.Model), Cores: int(cpu.Cores.value), Threads: int(cpu.Threads.value)})
		return nil
	})
}

func (c *Client) settings(ctx context.Context, s computerSystem, out *facts.BMC) error {
	if s.Bios.Path == "" {
		return nil
	}
	f, err := c.firmwareAt(ctx, s.Bios.Path)
	if err != nil {
		return err
	}
	out.BIOS, out.PendingBIOS = f.now, f.pending
	if c.cfg.Attributes == nil {
		return nil
	}
	out.Registry, err = c.registry(ctx, f.registry, f.now)
	return err
}

func (c *Client) drives(ctx context.Context, s computerSystem, out *facts.BMC) error {
	seen := map[path]bool{}
	return c.members(ctx, s.Storage.Path, func(p path, raw []byte) error {
		var storage struct {
			Drives []link `json:"Drives"`
		}
		if err := decode(raw, &storage); err != nil {
			return &partError{c.fail("GET", string(p), err)}
		}
		for _, l := range storage.Drives {
			if l.Path == "" || seen[l.Path] {
				continue
			}
			seen[l.Path] = true
			d, ok, err := c.drive(ctx, l.Path)
			if err != nil {
				return err
			}
			if ok {
				out.Drives = append(out.Drives, d)
			}
		}
		return nil
	})
}

func (c *Client) drive(ctx context.Context, at path) (facts.Drive, bool, error) {
	var d struct {
		Name        text   `json:"Name"`
		Model       text   `json:"Model"`
		Serial      text   `json:"SerialNumber"`
		Media       text   `json:"MediaType"`
		Bytes       number `json:"CapacityBytes"`
		Status      state  `json:"Status"`
		Identifiers []struct {
			Name   text `json:"DurableName"`
			Format text `json:"DurableNameFormat"`
		} `json:"Identifiers"`
	}
	if _, err := c.get(ctx, at, &d); err != nil || d.Status.absent() {
		return facts.Drive{}, false, err
	}
	out := facts.Drive{Name: string(d.Name), Model: string(d.Model), Serial: string(d.Serial), Media: string(d.Media), Bytes: int64(d.Bytes.value)}
	for _, id := range d.Identifiers {
		if (id.Format == "NAA" || id.Format == "EUI" || id.Format == "NGUID") && out.WWN == "" {
			out.WWN = string(id.Name)
		}
	}
	return out, true, nil
}
