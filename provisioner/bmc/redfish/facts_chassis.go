package redfish

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// chassis reads ports, slots and serial numbers of the boxes that the system
// is in.
func (c *Client) chassis(ctx context.Context, s computerSystem, out *facts.BMC) error {
	boxes := s.Links.Chassis
	if len(boxes) == 0 {
		return nil
	}
	for _, box := range boxes {
		var b struct {
			Serial   text `json:"SerialNumber"`
			SKU      text `json:"SKU"`
			Slots    link `json:"PCIeSlots"`
			Adapters link `json:"NetworkAdapters"`
		}
		if box.Path == "" {
			continue
		}
		if _, err := c.get(ctx, box.Path, &b); err != nil {
			return err
		}
		out.Serials = serials(append(texts(out.Serials), b.Serial, tag(out.Vendor, b.SKU))...)
		if err := c.slots(ctx, b.Slots.Path, out); err != nil {
			return err
		}
		if err := c.members(ctx, b.Adapters.Path, func(p path, raw []byte) error { return c.adapter(ctx, p, raw, out) }); err != nil {
			return err
		}
	}
	for _, p := range out.Ports {
		if p.MAC != "" {
			return nil
		}
	}
	return c.interfaces(ctx, s, out)
}

func texts(words []string) []text {
	var out []text
	for _, w := range words {
		out = append(out, text(w))
	}
	return out
}

func (c *Client) slots(ctx context.Context, at path, out *facts.BMC) error {
	if at == "" {
		return nil
	}
	var all struct {
		Slots []struct {
			Type  text   `json:"PCIeType"` // "Gen4"
			Lanes number `json:"Lanes"`
		} `json:"Slots"`
	}
	if _, err := c.get(ctx, at, &all); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Status == http.StatusNotFound {
			return nil
		}
		return err
	}
	if out.Slots == nil {
		out.Slots = []facts.Slot{}
	}
	for _, s := range all.Slots {
		generation, _ := strconv.Atoi(strings.TrimPrefix(string(s.Type), "Gen")) // unknown is 0, which meets no minimum
		out.Slots = append(out.Slots, facts.Slot{Generation: generation, Lanes: int(s.Lanes.value)})
	}
	return nil
}

// adapter is a NetworkAdapter; its ports are Ports, or NetworkPorts on older
// controllers.
func (c *Client) adapter(ctx context.Context, p path, raw []byte, out *facts.BMC) error {
	var a struct {
		Status       state `json:"Status"`
		Ports        link  `json:"Ports"`
		NetworkPorts link  `json:"NetworkPorts"`
		Controllers  []struct {
			Capabilities struct {
				Offload struct {
					SRIOV struct {
						Capable flag `json:"SRIOVVEPACapable"`
					} `json:"SRIOV"`
					Functions struct {
						Max number `json:"DeviceMaxCount"`
					} `json:"VirtualFunction"`
				} `json:"VirtualizationOffload"`
			} `json:"ControllerCapabilities"`
		} `json:"Controllers"`
	}
	if err := decode(raw, &a); err != nil {
		return &partError{c.fail("GET", string(p), err)}
	}
	if a.Status.absent() {
		return nil
	}
	var sriov *bool
	for _, one := range a.Controllers {
		o := one.Capabilities.Offload
		if !o.SRIOV.Capable.known && !o.Functions.Max.known {
			continue
		}
		can := o.SRIOV.Capable.value || o.Functions.Max.value > 0 || sriov != nil && *sriov
		sriov = &can
	}
	at := a.Ports.Path
	if at == "" {
		at = a.NetworkPorts.Path
	}
	return c.members(ctx, at, func(p path, raw []byte) error {
		port, ok, err := readPort(raw)
		if err != nil {
			return &partError{c.fail("GET", string(p), err)}
		}
		if ok {
			port.SRIOV = sriov
			out.Ports = append(out.Ports, port)
		}
		return nil
	})
}

// readPort decodes a Port or a NetworkPort; ok is false for one that carries
// no Ethernet.
func readPort(raw []byte) (facts.Port, bool, error) {
	var p struct {
		Status     state  `json:"Status"`
		Protocol   text   `json:"PortProtocol"`
		Technology text   `json:"ActiveLinkTechnology"`
		Link       text   `json:"LinkStatus"`
		Current    number `json:"CurrentSpeedGbps"`
		Max        number `json:"MaxSpeedGbps"`
		CurrentM   number `json:"CurrentLinkSpeedMbps"`
		Addresses  []text `json:"AssociatedNetworkAddresses"`
		Ethernet   struct {
			Addresses []text `json:"AssociatedMACAddresses"`
		} `json:"Ethernet"`
		Capabilities []struct {
			Speed   number   `json:"LinkSpeedMbps"`
			Capable []number `json:"CapableLinkSpeedMbps"`
		} `json:"SupportedLinkCapabilities"`
	}
	if err := decode(raw, &p); err != nil {
		return facts.Port{}, false, err
	}
	for _, word := range []text{p.Protocol, p.Technology} {
		if word == "FC" || word == "FibreChannel" || word == "InfiniBand" || word == "NVLink" || word == "PCIe" {
			return facts.Port{}, false, nil
		}
	}
	if p.Status.absent() {
		return facts.Port{}, false, nil
	}
	out := facts.Port{LinkUp: linkUp(p.Link)}
	for _, a := range append(p.Ethernet.Addresses, p.Addresses...) {
		if out.MAC == "" {
			out.MAC = mac(a)
		}
	}
	speeds := []float64{p.Current.value, p.Max.value, gbps(p.CurrentM.value)}
	for _, s := range p.Capabilities {
		speeds = append(speeds, gbps(s.Speed.value))
		for _, n := range s.Capable {
			speeds = append(speeds, gbps(n.value))
		}
	}
	out.SpeedGbps = fastest(speeds)
	return out, true, nil
}

// gbps converts from Mbit/s. Some controllers say bit/s in the same property;
// no port does a million Mbit/s.
func gbps(speed float64) float64 {
	if speed >= 1e6 {
		return speed / 1e9
	}
	return speed / 1e3
}

// fastest returns what the port can do. Zero is the speed of a port without a
// link and says nothing.
func fastest(speeds []float64) *float64 {
	best := 0.0
	for _, s := range speeds {
		best = max(best, s)
	}
	if best == 0 {
		return nil
	}
	return &best
}

func linkUp(word text) *bool {
	var up bool
	switch word {
	case "LinkUp", "Up":
		up = true
	case "LinkDown", "Down", "NoLink":
	default:
		return nil
	}
	return &up
}

// mac returns an Ethernet address in lower case with colons, or "".
func mac(word text) string {
	digits := strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "").Replace(string(word)))
	if len(digits) != 12 || strings.Trim(digits, "0123456789abcdef") != "" || strings.Trim(digits, "0") == "" {
		return ""
	}
	var parts []string
	for i := 0; i < 12; i += 2 {
		parts = append(parts, digits[i:i+2])
	}
	return strings.Join(parts, ":")
}

// interfaces reads the system's EthernetInterfaces, for controllers that tell
// no addresses with their adapters.
func (c *Client) interfaces(ctx context.Context, s computerSystem, out *facts.BMC) error {
	var found []facts.Port
	err := c.members(ctx, s.EthernetInterfaces.Path, func(p path, raw []byte) error {
		var e struct {
			Type      text   `json:"EthernetInterfaceType"`
			MAC       text   `json:"MACAddress"`
			Permanent text   `json:"PermanentMACAddress"`
			Speed     number `json:"SpeedMbps"`
			Link      text   `json:"LinkStatus"`
		}
		if err := decode(raw, &e); err != nil {
			return &partError{c.fail("GET", string(p), err)}
		}
		port := facts.Port{MAC: mac(e.Permanent), LinkUp: linkUp(e.Link), SpeedGbps: fastest([]float64{gbps(e.Speed.value)})}
		if port.MAC == "" {
			port.MAC = mac(e.MAC)
		}
		if port.MAC != "" && e.Type != "Virtual" {
			found = append(found, port)
		}
		return nil
	})
	if err == nil && len(found) > len(out.Ports) { // else the adapters tell more: speeds and abilities
		out.Ports = found
	}
	return err
}
