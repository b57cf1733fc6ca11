package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// computerSystem is what the client needs of a ComputerSystem (DSP0268).
type computerSystem struct {
	Path          path   `json:"@odata.id"`
	Name          text   `json:"Name"`
	Manufacturer  text   `json:"Manufacturer"`
	Model         text   `json:"Model"`
	SerialNumber  text   `json:"SerialNumber"`
	SKU           text   `json:"SKU"`
	UUID          text   `json:"UUID"`
	PowerState    text   `json:"PowerState"`
	BiosVersion   text   `json:"BiosVersion"`
	Status        health `json:"Status"`
	Boot          boot   `json:"Boot"`
	MemorySummary struct {
		GiB number `json:"TotalSystemMemoryGiB"`
	} `json:"MemorySummary"`
	ProcessorSummary   processorSummary `json:"ProcessorSummary"`
	TrustedModules     []trustedModule  `json:"TrustedModules"`
	Settings           settings         `json:"@Redfish.Settings"`
	Processors         link             `json:"Processors"`
	Memory             link             `json:"Memory"`
	Storage            link             `json:"Storage"`
	SimpleStorage      link             `json:"SimpleStorage"`
	EthernetInterfaces link             `json:"EthernetInterfaces"`
	NetworkInterfaces  link             `json:"NetworkInterfaces"`
	PCIeDevices        refs             `json:"PCIeDevices"`
	SecureBoot         link             `json:"SecureBoot"`
	Bios               link             `json:"Bios"`
	VirtualMedia       link             `json:"VirtualMedia"`
	Links              struct {
		Chassis   []link `json:"Chassis"`
		ManagedBy []link `json:"ManagedBy"`
	} `json:"Links"`
	OEM struct {
		HPE struct {
			Links struct {
				SmartStorage    link `json:"SmartStorage"`
				NetworkAdapters link `json:"NetworkAdapters"`
				Slots           link `json:"PCISlots"`
			} `json:"Links"`
		} `json:"Hpe"`
	} `json:"Oem"`
}

// boot is ComputerSystem.Boot.
type boot struct {
	Enabled text   `json:"BootSourceOverrideEnabled"`
	Target  text   `json:"BootSourceOverrideTarget"`
	Mode    text   `json:"BootSourceOverrideMode"`
	Targets []text `json:"BootSourceOverrideTarget@Redfish.AllowableValues"`
	Order   []text `json:"BootOrder"`
	Options link   `json:"BootOptions"`
}

// settings is the annotation that names where changes are written (DSP0266,
// "Settings resources").
type settings struct {
	Object   link      `json:"SettingsObject"`
	Times    []text    `json:"SupportedApplyTimes"`
	Time     text      `json:"Time"`     // of the last change that came in force, by the controller's clock
	Messages []message `json:"Messages"` // what became of it
}

// find returns the path of the system that this client is for.
func (c *Client) find(ctx context.Context) (path, error) {
	if c.system != "" {
		return path(c.system), nil
	}
	s, err := c.pick(ctx)
	return s.Path, err
}

// pick reads all systems and returns the one that this client is for. A
// controller may have several: other servers, or accelerator boards that call
// themselves systems.
func (c *Client) pick(ctx context.Context) (computerSystem, error) {
	root, err := c.service(ctx)
	if err != nil {
		return computerSystem{}, err
	}
	var all []computerSystem
	err = c.members(ctx, root.Systems.Path, func(p path, raw []byte, err error) error {
		if err != nil {
			return err
		}
		var s computerSystem
		if err := decode(raw, &s); err != nil {
			return c.fail("GET", string(p), err)
		}
		s.Path = p
		all = append(all, s)
		return nil
	})
	if err != nil {
		return computerSystem{}, err
	}
	s, err := choose(all, c.cfg.Serial)
	if err != nil {
		return computerSystem{}, c.fail("GET", string(root.Systems.Path), err)
	}
	c.systems, c.system = string(root.Systems.Path), string(s.Path)
	return s, nil
}

func choose(all []computerSystem, serial string) (computerSystem, error) {
	if len(all) == 1 {
		return all[0], nil
	}
	var named, bootable, hosts []computerSystem
	var words []string
	for _, s := range all {
		if serial != "" && (strings.EqualFold(string(s.SerialNumber), serial) || strings.EqualFold(string(s.SKU), serial)) {
			named = append(named, s)
		}
		if s.Boot.Enabled != "" || len(s.Boot.Targets) > 0 {
			bootable = append(bootable, s)
			if s.Bios.Path != "" {
				hosts = append(hosts, s) // accelerator boards may have Boot, with nothing to set in it
			}
		}
		words = append(words, fmt.Sprintf("%s (serial %q)", s.Path, s.SerialNumber))
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(bootable) == 1 && serial == "":
		return bootable[0], nil
	case len(hosts) == 1 && serial == "":
		return hosts[0], nil
	case len(all) == 0:
		return computerSystem{}, errors.New("the BMC tells of no system")
	}
	return computerSystem{}, fmt.Errorf("the BMC has several systems and the inventory's serial number names none: %s", strings.Join(words, ", "))
}

// read returns the system as it is now, and its ETag.
func (c *Client) read(ctx context.Context) (computerSystem, string, error) {
	p, err := c.find(ctx)
	if err != nil {
		return computerSystem{}, "", err
	}
	var s computerSystem
	etag, err := c.get(ctx, p, &s)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusNotFound {
		c.forget() // another firmware names it otherwise
		if p, err = c.find(ctx); err == nil {
			etag, err = c.get(ctx, p, &s)
		}
	}
	if err != nil {
		return s, etag, err
	}
	s.Path = p
	return s, etag, c.ours(s)
}

// ours refuses a system that is not the one of the beginning: the controller
// was swapped, or its address is another machine's now.
func (c *Client) ours(s computerSystem) error {
	if c.serial == "" {
		c.serial = string(s.SerialNumber)
	}
	if s.SerialNumber == "" || strings.EqualFold(c.serial, string(s.SerialNumber)) {
		return nil
	}
	return &Error{Host: c.cfg.Host, Method: http.MethodGet, Path: string(s.Path), Err: fmt.Errorf(
		"the system's serial number was %q and is %q", c.serial, s.SerialNumber),
		Hint: "look whether another machine has this BMC's address now"}
}

// glance is read for those who only look: a system that was read to find it
// isn't read twice.
func (c *Client) glance(ctx context.Context) (computerSystem, error) {
	if c.system == "" {
		return c.pick(ctx)
	}
	s, _, err := c.read(ctx)
	return s, err
}

// onlyOurs is the collection of systems with our system alone.
func (c *Client) onlyOurs() ([]byte, error) {
	return json.Marshal(map[string]any{
		"@odata.id": c.systems, "Name": "Systems", "Members@odata.count": 1,
		"Members": []link{{path(c.system)}},
	})
}
