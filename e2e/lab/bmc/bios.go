package bmc

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Names of BIOS attributes, as on PowerEdge servers.
const (
	AttrSMT   = "LogicalProc"       // "Enabled", "Disabled"
	AttrSRIOV = "SriovGlobalEnable" // "Enabled", "Disabled"
	AttrVT    = "ProcVirtualization"
)

// Attributes are BIOS attributes: name to string, bool or json.Number.
type Attributes map[string]any

func (a Attributes) clone() Attributes { return maps.Clone(a) }

// DefaultBIOS is a server as it leaves the factory: SMT and SR-IOV are off.
func DefaultBIOS() Attributes {
	return Attributes{
		AttrSMT: Disabled, AttrSRIOV: Disabled, AttrVT: Enabled,
		"SysProfile": "PerfPerWattOptimizedDapc", "BootMode": "Uefi", "AssetTag": "",
		"AcPwrRcvryUserDelay": json.Number("60"), "SystemBiosVersion": "1.0.0",
	}
}

// attribute is one entry of the attribute registry (DSP0268
// AttributeRegistry).
type attribute struct {
	name, kind, display, help string
	values                    []string
	readOnly                  bool
}

func registry() []attribute {
	onOff := []string{Enabled, Disabled}
	return []attribute{
		{name: AttrSMT, kind: "Enumeration", display: "Logical Processor", values: onOff, help: "Each core supports up to two logical processors when enabled."},
		{name: AttrSRIOV, kind: "Enumeration", display: "SR-IOV Global Enable", values: onOff, help: "Configures BIOS for Single Root I/O Virtualization devices."},
		{name: AttrVT, kind: "Enumeration", display: "Virtualization Technology", values: onOff, help: "Virtualization, with Directed I/O."},
		{name: "SysProfile", kind: "Enumeration", display: "System Profile", values: []string{"PerfPerWattOptimizedDapc", "PerfOptimized", "Custom"}},
		{name: "BootMode", kind: "Enumeration", display: "Boot Mode", values: []string{"Uefi", "Bios"}},
		{name: "AssetTag", kind: "String", display: "Asset Tag"},
		{name: "AcPwrRcvryUserDelay", kind: "Integer", display: "User Defined Delay (60s to 600s)"},
		{name: "SystemBiosVersion", kind: "String", display: "System BIOS Version", readOnly: true},
	}
}

func (c *Controller) biosResource() object {
	o := resource(biosPath, "Bios.v1_2_1.Bios", "Bios", "BIOS attributes in force")
	o["AttributeRegistry"] = "BiosAttributeRegistry"
	o["Attributes"] = c.bios.clone()
	settings := object{
		"@odata.type": "#Settings.v1_3_5.Settings", "SettingsObject": link(settingsPath),
		"SupportedApplyTimes": []string{"OnReset"},
	}
	if !c.applied.IsZero() {
		settings["Time"] = c.applied.UTC().Format(time.RFC3339)
		settings["Messages"] = []object{info("Base.1.18.Success", "the pending attributes were applied")}
	}
	o["@Redfish.Settings"] = settings
	return o
}

// settingsResource shows all attributes as they will be after the next POST.
func (c *Controller) settingsResource() object {
	o := resource(settingsPath, "Bios.v1_2_1.Bios", "Settings", "BIOS attributes after the next reset")
	o["AttributeRegistry"] = "BiosAttributeRegistry"
	all := c.bios.clone()
	maps.Copy(all, c.pending)
	o["Attributes"] = all
	return o
}

func (c *Controller) patchSettings(w http.ResponseWriter, in map[string]any) {
	attributes, ok := in["Attributes"].(map[string]any)
	if !ok {
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyMissing", "the property Attributes is required")
		return
	}
	for name, value := range attributes {
		if id, message := check(name, value); id != "" {
			fail(w, http.StatusBadRequest, id, message)
			return
		}
	}
	if c.pending == nil {
		c.pending = Attributes{}
	}
	maps.Copy(c.pending, attributes)
	if f := c.cfg.Faults; f.StickJob || f.PurgeJob {
		c.accepted(w, c.begin())
		return
	}
	reply(w, http.StatusOK, object{"@Message.ExtendedInfo": []object{
		info("Base.1.18.SettingsApplied", "the attributes are pending and come in force at the next reset"),
	}})
}

// check returns the message of what is wrong with an attribute.
func check(name string, value any) (id, message string) {
	all := registry()
	i := slices.IndexFunc(all, func(a attribute) bool { return a.name == name })
	if i < 0 {
		return "Base.1.18.PropertyUnknown", "there is no attribute " + name
	}
	a := all[i]
	text, isText := value.(string)
	_, isNumber := value.(json.Number)
	switch {
	case a.readOnly:
		return "Base.1.18.PropertyNotWritable", "the attribute " + name + " is read only"
	case a.kind == "Integer" && !isNumber, a.kind != "Integer" && !isText:
		return "Base.1.18.PropertyValueTypeError", "the value of the attribute " + name + " is not of the type " + a.kind
	case a.kind == "Enumeration" && !slices.Contains(a.values, text):
		return "Base.1.18.PropertyValueNotInList", "the value " + text + " of the attribute " + name + " is not in the list of acceptable values"
	}
	return "", ""
}

// registryResource is the attribute registry itself.
func registryResource() object {
	entries := []object{}
	for _, a := range registry() {
		e := object{"AttributeName": a.name, "DisplayName": a.display, "HelpText": a.help, "Type": a.kind, "ReadOnly": a.readOnly, "ResetRequired": true}
		if a.values != nil {
			values := []object{}
			for _, v := range a.values {
				values = append(values, object{"ValueName": v, "ValueDisplayName": v})
			}
			e["Value"] = values
		}
		entries = append(entries, e)
	}
	o := resource(registryPath+"/Registry.json", "AttributeRegistry.v1_3_8.AttributeRegistry", "BiosAttributeRegistry", "BIOS Attribute Registry")
	o["RegistryVersion"], o["Language"], o["OwningEntity"] = "1.0.0", "en", vendor
	o["RegistryEntries"] = object{"Attributes": entries}
	return o
}
