package bmc

import (
	"encoding/json"
	"slices"
	"strings"
)

// A personality is what the controllers of one vendor do otherwise than the
// plain one: names, places and habits. It is data; the same machine is behind
// all of them. Identifiers of a path are its last part: "System.Embedded.1".
type personality struct {
	name            string // as a lab's file writes it
	vendor          string // of the service root; empty is none (older than ServiceRoot v1.5)
	oem             string // the one name below Oem of the service root
	product         string
	manufacturer    string // of system and chassis
	model           string // of the system
	firmware, bios  string // versions
	system, chassis string // identifiers
	manager         string
	settings        string // below the Bios resource, where changes are written
	tasks           string // path of the jobs; empty: a change makes no job
	registry        string // name of the attribute registry
	attributes      []attribute
	smt, sriov      string // the attributes that the machine obeys
	applyTimes      []string
	targets         []string // BootSourceOverrideTarget; the plain ones when nil
	sessions        int      // that there may be
	boardSerial     string   // begins SerialNumber, which is that of a board; the machine's own is the SKU
	habits          habits
}

// habits are what a controller does in its own way, each with who reported it.
type habits struct {
	flat          bool // no $expand
	weakTags      bool // ETags are weak and are taken as they were given
	mustMatch     bool // a PATCH needs If-Match
	noBasic       bool // no basic authentication
	mbitPorts     bool // NetworkPorts in Mbit/s instead of Ports (NetworkPort was deprecated by Port in 2021)
	noSlots       bool // no PCIeSlots
	enabledFalls  bool // Enabled becomes Once where a PATCH of Boot doesn't name it (Ironic release note supermicro-redfish-override)
	modeRestarts  bool // writing the boot mode costs another POST (metal-operator#81)
	busyInPOST    bool // settings are refused in POST (Ironic release note redfish-post-boot-retry)
	powerConflict bool // On soon after Off is refused with 409 (Ironic release note redfish-power-on-conflict)
	commitsOnce   bool // a second change while a job waits is refused (badfish PR#373)
}

// Vendors returns the names of all personalities; the empty one, which is not
// among them, is a controller by the book.
func Vendors() []string {
	var names []string
	for _, p := range personalities() {
		names = append(names, p.name)
	}
	return names
}

// personalityOf returns the personality with this name, or the plain one.
func personalityOf(name string) personality {
	all := personalities()
	if i := slices.IndexFunc(all, func(p personality) bool { return p.name == name }); i >= 0 {
		return all[i]
	}
	return plain()
}

// attribute returns an attribute by name.
func (p personality) attribute(name string) (attribute, bool) {
	i := slices.IndexFunc(p.attributes, func(a attribute) bool { return a.name == name })
	if i < 0 {
		return attribute{}, false
	}
	return p.attributes[i], true
}

// factory returns the attributes as the machine left the factory.
func (p personality) factory() Attributes {
	out := Attributes{}
	for _, a := range p.attributes {
		out[a.name] = a.start
	}
	return out
}

// on tells whether attributes switch something on, by the attribute's name.
func (p personality) on(now Attributes, name string) bool {
	a, ok := p.attribute(name)
	return ok && now[name] == a.on
}

// Enable returns the attributes that switch SMT and SR-IOV on, in this
// controller's own words.
func (c *Controller) Enable() Attributes {
	out := Attributes{}
	for _, name := range []string{c.kind.smt, c.kind.sriov} {
		if a, ok := c.kind.attribute(name); ok {
			out[name] = a.on
		}
	}
	return out
}

// places are the plain path of each resource that has another here, longest
// first, and the path that it has.
func (p personality) places() [][2]string {
	system, chassis, manager := root+"/Systems/"+p.system, root+"/Chassis/"+p.chassis, root+"/Managers/"+p.manager
	out := [][2]string{
		{settingsPath, system + "/Bios/" + p.settings},
		{systemPath, system}, {chassisPath, chassis}, {managerPath, manager},
	}
	if p.tasks != "" {
		out = append([][2]string{{tasksPath, p.tasks}}, out...)
	}
	return out
}

// moved returns path with its beginning, up to a slash, exchanged.
func moved(path, from, to string) (string, bool) {
	rest, ok := strings.CutPrefix(path, from)
	if !ok || rest != "" && rest[0] != '/' {
		return path, false
	}
	return to + rest, true
}

// inside returns the plain path of a resource; ok is false for a path that
// only the plain controller has.
func (p personality) inside(path string) (plain string, ok bool) {
	if p.habits.mbitPorts && strings.HasPrefix(path, root+"/Chassis/") {
		if strings.Contains(path, "/Ports") {
			return path, false
		}
		path = strings.Replace(path, "/NetworkPorts", "/Ports", 1)
	}
	for _, m := range p.places() {
		if _, plainly := moved(path, m[0], m[1]); plainly && m[0] != m[1] {
			return path, false
		}
	}
	for _, m := range p.places() {
		if to, ok := moved(path, m[1], m[0]); ok {
			return to, true
		}
	}
	return path, true
}

// outside returns a path as this controller writes it.
func (p personality) outside(path string) string {
	if p.habits.mbitPorts && strings.HasPrefix(path, chassisPath+"/") {
		path = strings.Replace(path, "/Ports", "/NetworkPorts", 1)
	}
	for _, m := range p.places() {
		if to, ok := moved(path, m[0], m[1]); ok {
			return to
		}
	}
	return path
}

// spoken returns a value with every path in it as this controller writes it.
func (p personality) spoken(v any) any {
	switch v := v.(type) {
	case string:
		return p.outside(v)
	case object:
		out := make(object, len(v))
		for key, one := range v {
			out[key] = p.spoken(one)
		}
		return out
	case []object:
		out := make([]object, len(v))
		for i, one := range v {
			out[i] = p.spoken(one).(object)
		}
		return out
	}
	return v
}

// own changes a plain resource into this controller's. c.mu is not held.
func (p personality) own(path string, o object, serial string) object {
	kind, _ := o["@odata.type"].(string)
	switch {
	case path == root:
		p.ownRoot(o)
	case path == systemPath:
		p.ownSystem(o, serial)
	case path == chassisPath:
		o["Id"], o["Manufacturer"], o["Model"] = p.chassis, p.manufacturer, p.model
		if p.habits.noSlots {
			delete(o, "PCIeSlots")
		}
	case path == managerPath:
		o["Id"], o["FirmwareVersion"], o["Model"] = p.manager, p.firmware, p.product
	case path == biosPath || path == settingsPath:
		o["AttributeRegistry"] = p.registry
		if s, ok := o["@Redfish.Settings"].(object); ok {
			delete(s, "SupportedApplyTimes")
			if p.applyTimes != nil {
				s["SupportedApplyTimes"] = p.applyTimes
			}
		}
	case p.habits.mbitPorts && strings.HasPrefix(kind, "#NetworkAdapter.v"):
		o["NetworkPorts"] = o["Ports"]
		delete(o, "Ports")
	case p.habits.mbitPorts && strings.HasPrefix(kind, "#Port.v"):
		return networkPort(o)
	}
	return o
}

func (p personality) ownRoot(o object) {
	delete(o, "Vendor")
	if p.vendor != "" {
		o["Vendor"] = p.vendor
	}
	if p.oem != "" {
		o["Oem"] = object{p.oem: object{}}
	}
	delete(o, "Product")
	if p.product != "" {
		o["Product"] = p.product
	}
	if p.habits.flat {
		delete(o, "ProtocolFeaturesSupported")
	}
}

func (p personality) ownSystem(o object, serial string) {
	o["Id"], o["Manufacturer"], o["Model"], o["BiosVersion"] = p.system, p.manufacturer, p.model, p.bios
	if p.boardSerial != "" {
		o["SerialNumber"], o["SKU"] = p.boardSerial+serial, serial
	}
}

// networkPort is a Port as NetworkPort says it: in Mbit/s.
func networkPort(o object) object {
	mbit := func(gbps any) int {
		v, _ := gbps.(float64)
		return int(v * 1000)
	}
	ethernet, _ := o["Ethernet"].(object)
	out := resource(o["@odata.id"].(string), "NetworkPort.v1_4_1.NetworkPort", o["Id"].(string), "Network Port")
	out["LinkStatus"] = strings.TrimPrefix(o["LinkStatus"].(string), "Link")
	out["ActiveLinkTechnology"], out["CurrentLinkSpeedMbps"] = "Ethernet", mbit(o["CurrentSpeedGbps"])
	out["AssociatedNetworkAddresses"] = ethernet["AssociatedMACAddresses"]
	out["SupportedLinkCapabilities"] = []object{{"LinkNetworkTechnology": "Ethernet", "LinkSpeedMbps": mbit(o["MaxSpeedGbps"])}}
	return health(out)
}

// number is a JSON number, as a decoded request has it.
func number(text string) json.Number { return json.Number(text) }
