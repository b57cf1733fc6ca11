package redfish

import (
	"math"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// maxGbps is above what any port does.
const maxGbps = 3200

// maxVFs is what the PCIe SR-IOV capability can count.
const maxVFs = 65535

// port is a Port (speeds in Gb/s) or a NetworkPort (Mb/s), as Redfish called
// it before; some firmwares have both for one card, some mix them.
type port struct {
	Status     state  `json:"Status"`
	Protocol   text   `json:"PortProtocol"`
	Network    text   `json:"LinkNetworkTechnology"`
	Technology text   `json:"ActiveLinkTechnology"`
	Link       text   `json:"LinkStatus"`
	Current    number `json:"CurrentSpeedGbps"`
	Max        number `json:"MaxSpeedGbps"`
	CurrentM   number `json:"CurrentLinkSpeedMbps"`
	Addresses  []text `json:"AssociatedNetworkAddresses"`
	Ethernet   struct {
		Addresses []text `json:"AssociatedMACAddresses"`
	} `json:"Ethernet"`
	Configuration []struct {
		Capable []number `json:"CapableLinkSpeedGbps"`
	} `json:"LinkConfiguration"`
	Capabilities []struct {
		Network text     `json:"LinkNetworkTechnology"`
		Speed   number   `json:"LinkSpeedMbps"`
		Capable []number `json:"CapableLinkSpeedMbps"`
	} `json:"SupportedLinkCapabilities"`
}

// technology returns what runs over the port; "" is untold.
func (p port) technology() text {
	words := []text{p.Technology, p.Network, p.Protocol}
	for _, c := range p.Capabilities {
		words = append(words, c.Network)
	}
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// ethernet reports whether the technology is Ethernet; an untold one may be.
func ethernet(technology text) bool {
	return technology == "" || strings.Contains(strings.ToLower(string(technology)), "ethernet")
}

func (p port) mac() string {
	for _, a := range append(slices.Clone(p.Ethernet.Addresses), p.Addresses...) {
		if m := mac(a); m != "" {
			return m
		}
	}
	return ""
}

// capable returns the fastest that the port says it can do, 0 when it doesn't.
func (p port) capable() float64 {
	best := gbps(p.Max)
	for _, c := range p.Configuration {
		for _, n := range c.Capable {
			best = max(best, gbps(n))
		}
	}
	for _, c := range p.Capabilities {
		for _, n := range c.Capable {
			best = max(best, mbps(n))
		}
	}
	return best
}

// link returns what the link runs at, 0 when it is down or untold. One
// vendor's LinkSpeedMbps, among the abilities, is that too.
func (p port) link() float64 {
	if up := linkUp(p.Link); up != nil && !*up {
		return 0
	}
	best := max(gbps(p.Current), mbps(p.CurrentM))
	for _, c := range p.Capabilities {
		best = max(best, mbps(c.Speed))
	}
	return best
}

// fact turns a port of a card into a fact. The card's names tell the speed
// when the port doesn't; a link that is faster is right.
func (p port) fact(at path, card adapter) facts.Port {
	out := facts.Port{MAC: p.mac(), Adapter: card.name(), LinkUp: linkUp(p.Link), SRIOV: card.sriov(), MaxVFs: card.maxVFs(), From: string(at)}
	speed, link := p.capable(), p.link()
	if speed == 0 {
		named, name := namedSpeed(card.names()...)
		if speed = named; named > 0 {
			out.From += "; speed from the card's name \"" + string(name) + "\""
		}
	}
	if speed > 0 {
		speed = max(speed, link)
		out.SpeedGbps = &speed
	}
	if link > 0 {
		out.LinkGbps = &link
	}
	return out
}

// gbps returns a speed told in Gb/s. Some firmwares say Mb/s, as the property
// of the same meaning did before; no port does ten thousand Gb/s.
func gbps(n number) float64 {
	v, ok := n.within(1e12)
	switch {
	case !ok:
		return 0
	case v > maxGbps:
		return mbps(n)
	}
	return v
}

// mbps returns a speed told in Mb/s, in Gb/s. Some firmwares say bit/s in the
// same property, one of them by powers of two; no port does ten million Mb/s.
func mbps(n number) float64 {
	v, ok := n.within(1e13)
	switch {
	case !ok:
		return 0
	case v >= 1e7 && math.Mod(v, 1<<30) == 0:
		v /= 1 << 30
	case v >= 1e7:
		v /= 1e9
	default:
		v /= 1e3
	}
	if v > maxGbps {
		return 0
	}
	return v
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

// mac returns an Ethernet address in lower case with colons, or "". A WWN has
// eight bytes.
func mac(word text) string {
	digits := strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "").Replace(string(word)))
	if len(digits) != 12 || strings.Trim(digits, "0123456789abcdef") != "" || strings.Trim(digits, "0") == "" || strings.Trim(digits, "f") == "" {
		return ""
	}
	var parts []string
	for i := 0; i < 12; i += 2 {
		parts = append(parts, digits[i:i+2])
	}
	return strings.Join(parts, ":")
}
