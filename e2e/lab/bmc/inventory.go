package bmc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// inventory returns the resources that don't need the lock for their path;
// each is made at the time of the request.
func (c *Controller) inventory() map[string]func() object {
	t := map[string]func() object{}
	c.services(t)
	c.chassis(t)
	c.processors(t)
	c.drives(t)
	c.network(t)
	return t
}

func (c *Controller) services(t map[string]func() object) {
	t["/redfish"] = func() object { return object{"v1": root + "/"} }
	t[root+"/odata"] = func() object {
		return object{"@odata.context": root + "/$metadata", "value": []object{
			{"name": "Service", "kind": "Singleton", "url": root + "/"}, {"name": "Systems", "kind": "Singleton", "url": root + "/Systems"},
		}}
	}
	t[root] = func() object {
		o := resource(root+"/", "ServiceRoot.v1_16_0.ServiceRoot", "RootService", "Root Service")
		o["RedfishVersion"], o["Vendor"], o["Product"], o["UUID"] = "1.20.0", vendor, "Lab BMC", c.cfg.UUID
		for _, name := range []string{"Systems", "Chassis", "Managers", "Registries", "SessionService"} {
			o[name] = link(root + "/" + name)
		}
		o["Links"], o["Tasks"] = object{"Sessions": link(sessionsPath)}, link(root+"/TaskService")
		o["ProtocolFeaturesSupported"] = object{"ExpandQuery": object{"NoLinks": true, "Levels": true, "MaxLevels": 1}}
		return o
	}
	t[root+"/SessionService"] = func() object {
		o := health(resource(root+"/SessionService", "SessionService.v1_1_9.SessionService", "SessionService", "Session Service"))
		o["ServiceEnabled"], o["SessionTimeout"], o["Sessions"] = true, int(sessionTimeout.Seconds()), link(sessionsPath)
		return o
	}
	list(t, root+"/Systems", "ComputerSystemCollection", systemPath)
	list(t, root+"/Managers", "ManagerCollection", managerPath)
	list(t, root+"/Registries", "MessageRegistryFileCollection", registryPath)
	t[root+"/TaskService"] = func() object {
		o := health(resource(root+"/TaskService", "TaskService.v1_2_1.TaskService", "TaskService", "Task Service"))
		o["ServiceEnabled"], o["Tasks"] = true, link(tasksPath)
		return o
	}
	list(t, mediaPath, "VirtualMediaCollection", cdPath)
	t[managerPath] = func() object {
		c.mu.Lock()
		defer c.mu.Unlock()
		o := health(resource(managerPath, "Manager.v1_19_0.Manager", "1", "Manager"))
		o["ManagerType"], o["Model"], o["FirmwareVersion"], o["PowerState"] = "BMC", "Lab BMC", "1.0.0", "On"
		o["DateTime"], o["DateTimeLocalOffset"], o["VirtualMedia"] = c.now().UTC().Format(time.RFC3339), "+00:00", link(mediaPath)
		o["Links"] = object{"ManagerForServers": []object{link(systemPath)}, "ManagerForChassis": []object{link(chassisPath)}}
		return o
	}
	t[registryPath] = func() object {
		o := resource(registryPath, "MessageRegistryFile.v1_1_4.MessageRegistryFile", "BiosAttributeRegistry", "BIOS Attribute Registry File")
		o["Registry"], o["Languages"] = c.kind.registry, []string{"en"}
		o["Location"] = []object{{"Language": "en", "Uri": registryPath + "/Registry.json"}}
		return o
	}
	t[registryPath+"/Registry.json"] = c.registryResource
}

// list adds a collection whose members don't change.
func list(t map[string]func() object, p, kind string, members ...string) {
	t[p] = func() object { return collection(p, kind, strings.TrimSuffix(kind, "Collection")+"s", members...) }
}

func (c *Controller) chassis(t map[string]func() object) {
	list(t, root+"/Chassis", "ChassisCollection", chassisPath)
	t[chassisPath] = func() object {
		c.mu.Lock()
		defer c.mu.Unlock()
		o := health(resource(chassisPath, "Chassis.v1_25_0.Chassis", "1", "Chassis"))
		o["ChassisType"], o["Manufacturer"], o["Model"] = "RackMount", vendor, c.kind.model
		o["SerialNumber"], o["PowerState"] = c.serial(), c.power.state
		o["PCIeSlots"], o["NetworkAdapters"] = link(chassisPath+"/PCIeSlots"), link(chassisPath+"/NetworkAdapters")
		o["Links"] = object{"ComputerSystems": []object{link(systemPath)}, "ManagedBy": []object{link(managerPath)}}
		return o
	}
	t[chassisPath+"/PCIeSlots"] = func() object {
		o := resource(chassisPath+"/PCIeSlots", "PCIeSlots.v1_6_1.PCIeSlots", "PCIeSlots", "PCIe Slots")
		slots := []object{}
		for i, s := range c.cfg.Hardware.Slots {
			slot := object{
				"SlotType": "FullLength",
				"Location": object{"PartLocation": object{"LocationOrdinalValue": i + 1, "LocationType": "Slot"}},
			}
			if s.Generation > 0 { // 0: a controller that doesn't tell
				slot["PCIeType"], slot["Lanes"] = fmt.Sprintf("Gen%d", s.Generation), s.Lanes
			}
			slots = append(slots, health(slot))
		}
		o["Slots"] = slots
		return o
	}
}

func (c *Controller) processors(t map[string]func() object) {
	h := c.cfg.Hardware
	var members []string
	for i := range h.Sockets {
		p := systemPath + "/Processors/CPU." + strconv.Itoa(i+1)
		members = append(members, p)
		t[p] = func() object {
			c.mu.Lock()
			defer c.mu.Unlock()
			o := health(resource(p, "Processor.v1_20_0.Processor", "CPU."+strconv.Itoa(i+1), "Processor"))
			o["ProcessorType"], o["Socket"], o["Manufacturer"], o["Model"] = "CPU", "CPU."+strconv.Itoa(i+1), vendor, processorModel
			o["ProcessorArchitecture"], o["InstructionSet"], o["MaxSpeedMHz"] = "x86", "x86-64", 2400
			o["TotalCores"], o["TotalEnabledCores"], o["TotalThreads"] = h.CoresPerSocket, h.CoresPerSocket, c.threads()
			return o
		}
	}
	list(t, systemPath+"/Processors", "ProcessorCollection", members...)
	const modules = 4
	members = nil
	for i := range modules {
		p := systemPath + "/Memory/DIMM." + strconv.Itoa(i+1)
		members = append(members, p)
		t[p] = func() object {
			o := health(resource(p, "Memory.v1_20_0.Memory", "DIMM."+strconv.Itoa(i+1), "DIMM"))
			o["MemoryType"], o["MemoryDeviceType"], o["CapacityMiB"] = "DRAM", "DDR5", int(h.MemoryGiB*1024)/modules
			return o
		}
	}
	list(t, systemPath+"/Memory", "MemoryCollection", members...)
}

func (c *Controller) drives(t map[string]func() object) {
	storage := systemPath + "/Storage/1"
	var members []object
	for i, d := range c.cfg.Hardware.Drives {
		p := storage + "/Drives/" + strconv.Itoa(i)
		members = append(members, link(p))
		t[p] = func() object {
			o := health(resource(p, "Drive.v1_20_0.Drive", strconv.Itoa(i), d.Name))
			o["Manufacturer"], o["Model"], o["SerialNumber"] = vendor, d.Model, d.Serial
			o["MediaType"], o["Protocol"], o["CapacityBytes"] = d.Media, "SATA", d.Bytes
			if d.WWN != "" {
				o["Identifiers"] = []object{{"DurableName": d.WWN, "DurableNameFormat": "NAA"}}
			}
			return o
		}
	}
	list(t, systemPath+"/Storage", "StorageCollection", storage)
	t[storage] = func() object {
		o := health(resource(storage, "Storage.v1_17_0.Storage", "1", "Storage Controller"))
		o["Drives"], o["Drives@odata.count"] = members, len(members)
		o["StorageControllers"] = []object{{"@odata.id": storage + "#/StorageControllers/0", "MemberId": "0", "Name": "AHCI", "Model": "RA2 Lab AHCI"}}
		return o
	}
}
