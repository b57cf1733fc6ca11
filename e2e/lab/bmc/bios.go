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

// DefaultBIOS is a plain server as it leaves the factory: SMT and SR-IOV are off.
func DefaultBIOS() Attributes { return plain().factory() }

// attribute is one entry of the attribute registry (DSP0268
// AttributeRegistry).
type attribute struct {
	name, kind, display, help string
	values                    []string
	readOnly                  bool
	start                     any    // as it leaves the factory
	on                        any    // the value that switches it on; nil for what is no switch
	needs, needsValue         string // it is read only unless that attribute has that value
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
		if id, message := c.check(name, value); id != "" {
			fail(w, http.StatusBadRequest, id, message)
			return
		}
	}
	if c.kind.habits.busyInPOST && c.power.progress == inPOST {
		fail(w, http.StatusBadRequest, "iLO.2.15.UnableToModifyDuringSystemPOST", "the system is in POST; the property can't be changed now")
		return
	}
	if c.kind.habits.commitsOnce && c.job != nil && c.job.ended.IsZero() {
		fail(w, http.StatusBadRequest, "IDRAC.2.7.SYS011", "Pending configuration values are already committed, unable to perform another set operation.")
		return
	}
	if c.pending == nil {
		c.pending = Attributes{}
	}
	maps.Copy(c.pending, attributes)
	if f := c.cfg.Faults; c.kind.tasks != "" || f.StickJob || f.PurgeJob {
		c.accepted(w, c.begin())
		return
	}
	reply(w, http.StatusOK, object{"@Message.ExtendedInfo": []object{
		info("Base.1.18.SettingsApplied", "the attributes are pending and come in force at the next reset"),
	}})
}

// check returns the message of what is wrong with an attribute.
func (c *Controller) check(name string, value any) (id, message string) {
	a, ok := c.kind.attribute(name)
	if !ok {
		return "Base.1.18.PropertyUnknown", "there is no attribute " + name
	}
	text, isText := value.(string)
	_, isNumber := value.(json.Number)
	_, isBool := value.(bool)
	right := map[string]bool{"Integer": isNumber, "Boolean": isBool}
	if _, other := right[a.kind]; !other {
		right[a.kind] = isText
	}
	switch {
	case a.readOnly, a.needs != "" && c.bios[a.needs] != a.needsValue && c.pending[a.needs] != a.needsValue:
		return "Base.1.18.PropertyNotWritable", "the attribute " + name + " is read only"
	case !right[a.kind]:
		return "Base.1.18.PropertyValueTypeError", "the value of the attribute " + name + " is not of the type " + a.kind
	case a.kind == "Enumeration" && !slices.Contains(a.values, text):
		return "Base.1.18.PropertyValueNotInList", "the value " + text + " of the attribute " + name + " is not in the list of acceptable values"
	}
	return "", ""
}

// registryResource is the attribute registry itself.
func (c *Controller) registryResource() object {
	entries, conditions := []object{}, []object{}
	for _, a := range c.kind.attributes {
		e := object{"AttributeName": a.name, "DisplayName": a.display, "HelpText": a.help, "Type": a.kind, "ReadOnly": a.readOnly, "ResetRequired": true}
		if a.values != nil {
			values := []object{}
			for _, v := range a.values {
				values = append(values, object{"ValueName": v, "ValueDisplayName": v})
			}
			e["Value"] = values
		}
		entries = append(entries, e)
		if a.needs != "" {
			conditions = append(conditions, object{"DependencyFor": a.name, "Type": "Map", "Dependency": object{
				"MapFrom":        []object{{"MapFromAttribute": a.needs, "MapFromCondition": "NEQ", "MapFromProperty": "CurrentValue", "MapFromValue": a.needsValue}},
				"MapToAttribute": a.name, "MapToProperty": "ReadOnly", "MapToValue": true,
			}})
		}
	}
	o := resource(registryPath+"/Registry.json", "AttributeRegistry.v1_3_8.AttributeRegistry", "BiosAttributeRegistry", "BIOS Attribute Registry")
	o["RegistryVersion"], o["Language"], o["OwningEntity"] = "1.0.0", "en", vendor
	o["RegistryEntries"] = object{"Attributes": entries, "Dependencies": conditions}
	return o
}
