package bmc

import (
	"net/http"
	"slices"
)

// Values of BootSourceOverrideEnabled and BootSourceOverrideTarget, DSP0268
// ComputerSystem.Boot.
const (
	Disabled       = "Disabled"
	Once           = "Once"
	Continuous     = "Continuous"
	TargetNone     = "None"
	TargetPxe      = "Pxe"
	TargetUefiHttp = "UefiHttp"
	TargetHdd      = "Hdd"
	ModeUEFI       = "UEFI"
	ModeLegacy     = "Legacy"
)

// Enabled is the value of a BIOS attribute that is switched on; Disabled is
// the other.
const Enabled = "Enabled"

type override struct{ Enabled, Target, Mode string }

// Override returns the boot override as a client sees it.
func (c *Controller) Override() (enabled, target, mode string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.override.Enabled, c.override.Target, c.override.Mode
}

func (c *Controller) targets() []string {
	switch {
	case c.cfg.BootMode == ModeLegacy:
		return []string{TargetNone, TargetPxe, TargetHdd, TargetCd}
	case c.kind.targets != nil:
		return c.kind.targets
	}
	return []string{TargetNone, TargetPxe, TargetHdd, TargetCd, TargetUefiHttp}
}

// patch changes the boot override or the pending BIOS attributes. A stale
// If-Match is refused with 412 (RFC 9110 section 13.1.1).
func (c *Controller) patch(w http.ResponseWriter, r *http.Request, p string) {
	var in map[string]any
	if !decode(w, r, &in) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.system
	if p == settingsPath {
		now = c.settingsResource
	}
	switch match := r.Header.Get("If-Match"); {
	case match == "" && (c.cfg.RequireMatch || c.kind.habits.mustMatch):
		fail(w, http.StatusPreconditionRequired, "Base.1.18.PreconditionRequired", "the request needs an If-Match header")
		return
	case match != "" && !c.matches(match, etag(now())):
		fail(w, http.StatusPreconditionFailed, "Base.1.18.PreconditionFailed", "the ETag in If-Match is not that of the resource")
		return
	}
	if p == settingsPath {
		c.patchSettings(w, in)
		return
	}
	c.patchBoot(w, in)
}

func (c *Controller) patchBoot(w http.ResponseWriter, in map[string]any) {
	boot, ok := in["Boot"].(map[string]any)
	if !ok || len(in) != 1 {
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyNotWritable", "only Boot can be written on this resource")
		return
	}
	next := c.override
	if _, named := boot["BootSourceOverrideEnabled"]; !named && c.kind.habits.enabledFalls {
		next.Enabled = Once
	}
	if _, named := boot["BootSourceOverrideMode"]; named && c.kind.habits.modeRestarts {
		c.power.extra = true
	}
	for key, v := range boot {
		value, _ := v.(string)
		var field *string
		var allowed []string
		switch key {
		case "BootSourceOverrideEnabled":
			field, allowed = &next.Enabled, []string{Disabled, Once, Continuous}
		case "BootSourceOverrideTarget":
			field, allowed = &next.Target, c.targets()
		case "BootSourceOverrideMode":
			field, allowed = &next.Mode, []string{ModeUEFI, ModeLegacy}
		default:
			fail(w, http.StatusBadRequest, "Base.1.18.PropertyUnknown", "the property Boot/"+key+" is not known")
			return
		}
		if !slices.Contains(allowed, value) {
			fail(w, http.StatusBadRequest, "Base.1.18.PropertyValueNotInList", "the value "+value+" of Boot/"+key+" is not in the list of acceptable values")
			return
		}
		*field = value
	}
	if next.Enabled == Disabled {
		next.Target = TargetNone
	}
	c.override = next
	reply(w, http.StatusOK, object{"@Message.ExtendedInfo": []object{info("Base.1.18.Success", "the request completed successfully")}})
}

// system is the ComputerSystem resource. c.mu is held.
func (c *Controller) system() object {
	h := c.cfg.Hardware
	o := health(resource(systemPath, "ComputerSystem.v1_22_0.ComputerSystem", "1", "System"))
	o["SystemType"] = "Physical"
	o["Manufacturer"], o["Model"] = vendor, c.kind.model
	o["SecureBoot"] = link(secureBootPath)
	o["TrustedModules"] = []object{health(object{"InterfaceType": "TPM2_0", "FirmwareVersion": "7.2.3.1"})}
	o["SerialNumber"], o["UUID"] = c.serial(), c.cfg.UUID
	o["PowerState"] = c.power.state
	o["BiosVersion"] = "1.0.0"
	o["BootProgress"] = object{"LastState": c.power.progress}
	o["Boot"] = object{
		"BootSourceOverrideEnabled":                        c.override.Enabled,
		"BootSourceOverrideTarget":                         c.override.Target,
		"BootSourceOverrideMode":                           c.override.Mode,
		"BootSourceOverrideTarget@Redfish.AllowableValues": c.targets(),
	}
	o["ProcessorSummary"] = object{
		"Count": h.Sockets, "CoreCount": h.Sockets * h.CoresPerSocket, "LogicalProcessorCount": h.Sockets * c.threads(),
		"ThreadingEnabled": c.kind.on(c.bios, c.kind.smt), "Model": processorModel,
	}
	o["MemorySummary"] = object{"TotalSystemMemoryGiB": h.MemoryGiB}
	o["Bios"] = link(biosPath)
	for _, name := range []string{"Processors", "Memory", "Storage", "EthernetInterfaces"} {
		o[name] = link(systemPath + "/" + name)
	}
	o["Links"] = object{"Chassis": []object{link(chassisPath)}, "ManagedBy": []object{link(managerPath)}}
	o["Actions"] = object{"#ComputerSystem.Reset": object{
		"target": resetPath,
		"ResetType@Redfish.AllowableValues": []string{
			ResetOn, ResetForceOff, ResetGracefulShutdown, ResetForceRestart, ResetPowerCycle,
		},
	}}
	return o
}

// serial is what the controller says. c.mu is held.
func (c *Controller) serial() string {
	if c.cfg.Faults.WrongSerial != "" {
		return c.cfg.Faults.WrongSerial
	}
	return c.cfg.Serial
}

// threads returns the usable threads of one socket. c.mu is held.
func (c *Controller) threads() int {
	if c.kind.on(c.bios, c.kind.smt) {
		return c.cfg.Hardware.CoresPerSocket * c.cfg.Hardware.Threads
	}
	return c.cfg.Hardware.CoresPerSocket
}
