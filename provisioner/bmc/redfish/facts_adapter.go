package redfish

import (
	"context"
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// adapter is a NetworkAdapter (DSP0268).
type adapter struct {
	Model        text   `json:"Model"`
	Name         text   `json:"Name"`
	SKU          text   `json:"SKU"`
	PartNumber   text   `json:"PartNumber"`
	Status       state  `json:"Status"`
	Ports        link   `json:"Ports"`
	NetworkPorts link   `json:"NetworkPorts"`
	Functions    link   `json:"NetworkDeviceFunctions"`
	Controllers  []nics `json:"Controllers"`
}

// nics is one controller of an adapter.
type nics struct {
	Capabilities struct {
		Ports   number `json:"NetworkPortCount"`
		Offload struct {
			SRIOV struct {
				VEPA flag `json:"SRIOVVEPACapable"`
			} `json:"SRIOV"`
			Functions struct {
				Device number `json:"DeviceMaxCount"`
				Port   number `json:"NetworkPortMaxCount"`
			} `json:"VirtualFunction"`
		} `json:"VirtualizationOffload"`
	} `json:"ControllerCapabilities"`
}

// name is what a person would call the card.
func (a adapter) name() string {
	switch {
	case a.Model != "" && a.Model != "N/A":
		return string(a.Model)
	case a.PartNumber != "":
		return string(a.PartNumber)
	case a.Name != "Network Adapter" && a.Name != "NetworkAdapter" && a.Name != "Network Adapter View":
		return string(a.Name)
	}
	return ""
}

// names are those of the card that may tell its speed. On one vendor's the
// SKU is the full name.
func (a adapter) names() []text { return []text{a.Model, a.Name, a.SKU, a.PartNumber} }

// sriov reports whether the card can do SR-IOV. SRIOVVEPACapable is of VEPA
// mode alone: cards that can't do that have virtual functions all the same.
func (a adapter) sriov() *bool {
	yes, no, zero := true, false, false
	for _, c := range a.Controllers {
		o := c.Capabilities.Offload
		if o.SRIOV.VEPA.value || o.Functions.Device.count(maxVFs) > 0 || o.Functions.Port.count(maxVFs) > 0 {
			return &yes
		}
		zero = zero || o.Functions.Device.known && o.Functions.Device.value == 0
	}
	if zero {
		return &no
	}
	return nil
}

// maxVFs returns how many virtual functions each port can have.
func (a adapter) maxVFs() *int {
	most := 0
	for _, c := range a.Controllers {
		f := c.Capabilities.Offload.Functions
		most = max(most, f.Port.count(maxVFs))
		if len(a.Controllers) == 1 && c.Capabilities.Ports.count(64) == 1 {
			most = max(most, f.Device.count(maxVFs))
		}
	}
	if most == 0 {
		return nil
	}
	return &most
}

// count returns how many ports the card has, told or named; 0 is unknown.
func (a adapter) count() int {
	n := 0
	for _, c := range a.Controllers {
		n += c.Capabilities.Ports.count(64)
	}
	if n == 0 {
		n = namedPorts(a.names()...)
	}
	return min(n, 64)
}

// adapters reads the network cards: NetworkAdapters of the chassis, else those
// that the system's NetworkInterfaces lead to, else what older firmwares have.
func (l *look) adapters(ctx context.Context) error {
	asked := false
	for _, b := range l.chassis {
		whole, err := each(ctx, l, "ports", b.Adapters.Path, func(p path, a adapter) error { return l.adapter(ctx, p, a) })
		if err != nil {
			return err
		}
		asked = asked || whole
	}
	if !asked {
		if err := l.networkInterfaces(ctx); err != nil {
			return err
		}
	}
	return l.interfaces(ctx)
}

// networkInterfaces follows a system's NetworkInterfaces to its adapters.
func (l *look) networkInterfaces(ctx context.Context) error {
	type networkInterface struct {
		Links struct {
			Adapter link `json:"NetworkAdapter"`
		} `json:"Links"`
		adapter // ports and functions are here too
	}
	_, err := each(ctx, l, "ports", l.system.NetworkInterfaces.Path, func(p path, n networkInterface) error {
		at := n.Links.Adapter.Path
		if at == "" {
			return l.adapter(ctx, p, n.adapter)
		}
		if !l.once(at) {
			return nil
		}
		var a adapter
		if _, err := l.get(ctx, at, &a); err != nil {
			l.partial("ports")
			return l.note(err)
		}
		return l.adapter(ctx, at, a)
	})
	return err
}

// adapter adds the ports of one card.
func (l *look) adapter(ctx context.Context, at path, a adapter) error {
	if a.Status.absent() {
		return nil
	}
	var found []socket
	other := false
	take := func(p path, one port) error {
		t := one.technology()
		switch {
		case one.Status.absent():
		case !ethernet(t) || t == "" && otherName(a.names()...):
			other = true
			l.strange(one.mac())
		default:
			found = append(found, socket{p.last(), one.fact(p, a)})
		}
		return nil
	}
	for _, ports := range []path{a.Ports.Path, a.NetworkPorts.Path} {
		if len(found) > 0 || other {
			break
		}
		if _, err := each(ctx, l, "ports", ports, take); err != nil {
			return err
		}
	}
	if other && len(found) == 0 {
		return nil // a card of another fabric
	}
	found, err := l.functions(ctx, a, found)
	if err != nil {
		return err
	}
	for _, s := range found {
		l.addPort(s.Port)
	}
	if len(found) == 0 {
		l.unported(at, a)
	}
	return nil
}

// socket is a port and the last segment of its path.
type socket struct {
	id string
	facts.Port
}

func (l *look) addPort(p facts.Port) {
	if len(l.out.Ports) >= maxParts {
		l.partial("ports")
		return
	}
	l.out.Ports = append(l.out.Ports, p)
}

// strange remembers an address that isn't of an Ethernet port.
func (l *look) strange(address string) {
	if address != "" {
		l.read[path(address)] = true
	}
}

// unported adds the ports of a card of which the controller tells none: where
// the card's name tells an Ethernet speed and how many, those; else it is only
// known that more ports may be there.
func (l *look) unported(at path, a adapter) {
	if otherName(a.names()...) {
		return
	}
	speed, name := namedSpeed(a.names()...)
	n := a.count()
	if speed == 0 || n == 0 {
		l.partial("ports")
		return
	}
	for range n {
		gbps := speed
		l.addPort(facts.Port{Adapter: a.name(), SpeedGbps: &gbps, SRIOV: a.sriov(), MaxVFs: a.maxVFs(),
			From: fmt.Sprintf("%s; it tells of no ports, their number and speed are from the card's name %q", at, string(name))})
	}
}
