package redfish

import (
	"context"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// ethernetInterface is an EthernetInterface of a system (DSP0268).
type ethernetInterface struct {
	Type      text   `json:"EthernetInterfaceType"`
	MAC       text   `json:"MACAddress"`
	Permanent text   `json:"PermanentMACAddress"`
	Speed     number `json:"SpeedMbps"`
	Link      text   `json:"LinkStatus"`
	Status    state  `json:"Status"`
	VLAN      struct {
		ID     number `json:"VLANId"`
		Enable flag   `json:"VLANEnable"`
	} `json:"VLAN"`
	Links struct {
		Host link `json:"HostInterface"` // the port between host and controller
	} `json:"Links"`
}

func (e ethernetInterface) mac() string {
	if m := mac(e.Permanent); m != "" {
		return m
	}
	return mac(e.MAC)
}

// interfaces completes the ports by the system's EthernetInterfaces: addresses
// and speeds that the adapters don't tell, and ports of no adapter. It is not
// read when the adapters tell these.
func (l *look) interfaces(ctx context.Context) error {
	lacking := func(p facts.Port) bool {
		return p.MAC == "" || p.SpeedGbps == nil && p.LinkGbps == nil && (p.LinkUp == nil || *p.LinkUp)
	}
	if len(l.out.Ports) > 0 && !slices.ContainsFunc(l.out.Ports, lacking) {
		return nil
	}
	if len(l.out.Ports) == 0 {
		if err := l.baseAdapters(ctx); err != nil {
			return err
		}
	}
	unnamed := slices.ContainsFunc(l.out.Ports, func(p facts.Port) bool { return p.MAC == "" })
	_, err := each(ctx, l, "ports", l.system.EthernetInterfaces.Path, func(p path, e ethernetInterface) error {
		address := e.mac()
		if address == "" || e.Type == "Virtual" || e.Links.Host.Path != "" || e.VLAN.Enable.value || e.Status.absent() || l.read[path(address)] {
			return nil
		}
		i := slices.IndexFunc(l.out.Ports, func(have facts.Port) bool { return have.MAC == address })
		switch {
		case i >= 0:
			l.out.Ports[i] = e.complete(l.out.Ports[i])
		case !unnamed: // else it may be one of those
			l.addPort(e.complete(facts.Port{MAC: address, From: string(p)}))
		}
		return nil
	})
	return err
}

// complete returns a port with the link that its interface tells.
func (e ethernetInterface) complete(p facts.Port) facts.Port {
	if p.LinkUp == nil {
		p.LinkUp = linkUp(e.Link)
	}
	if speed := mbps(e.Speed); p.LinkGbps == nil && speed > 0 && (p.LinkUp == nil || *p.LinkUp) {
		p.LinkGbps = &speed
	}
	return p
}

// baseAdapters reads HPE's own list of cards (HpeBaseNetworkAdapter), which
// iLO 5 and before have for cards that don't speak to the controller.
func (l *look) baseAdapters(ctx context.Context) error {
	type card struct {
		Name  text `json:"Name"`
		Ports []struct {
			MAC    text   `json:"MacAddress"`
			Link   text   `json:"LinkStatus"`
			Speed  number `json:"SpeedMbps"`
			Status state  `json:"Status"`
		} `json:"PhysicalPorts"`
	}
	_, err := each(ctx, l, "ports", l.system.OEM.HPE.Links.NetworkAdapters.Path, func(p path, c card) error {
		for _, one := range c.Ports {
			if !one.Status.absent() {
				l.addPort(port{Link: one.Link, CurrentM: one.Speed, Addresses: []text{one.MAC}}.fact(p, adapter{Model: c.Name}))
			}
		}
		return nil
	})
	return err
}
