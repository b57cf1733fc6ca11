package bmc

import "strconv"

// network adds EthernetInterfaces of the system and NetworkAdapters with
// Ports and NetworkDeviceFunctions of the chassis.
func (c *Controller) network(t map[string]func() object) {
	var interfaces, adapters []string
	for i, nic := range c.cfg.Hardware.NICs {
		adapters = append(adapters, c.adapter(t, i, nic))
		for j, port := range nic.Ports {
			interfaces = append(interfaces, c.ethernet(t, "NIC."+strconv.Itoa(i+1)+"-"+strconv.Itoa(j+1), port))
		}
	}
	list(t, systemPath+"/EthernetInterfaces", "EthernetInterfaceCollection", interfaces...)
	list(t, chassisPath+"/NetworkAdapters", "NetworkAdapterCollection", adapters...)
}

func (p Port) linkStatus() string {
	if p.Down {
		return "LinkDown"
	}
	return "LinkUp"
}

// speed returns the current speed; a port that is down has none.
func (p Port) speed() float64 {
	if p.Down {
		return 0
	}
	return p.SpeedGbps
}

func (c *Controller) ethernet(t map[string]func() object, id string, port Port) string {
	p := systemPath + "/EthernetInterfaces/" + id
	t[p] = func() object {
		o := health(resource(p, "EthernetInterface.v1_12_2.EthernetInterface", id, "System Ethernet Interface"))
		o["MACAddress"], o["PermanentMACAddress"] = port.MAC, port.MAC
		o["SpeedMbps"], o["LinkStatus"], o["InterfaceEnabled"] = int(port.speed()*1000), port.linkStatus(), true
		return o
	}
	return p
}

func (c *Controller) adapter(t map[string]func() object, index int, nic NIC) string {
	id := "NIC." + strconv.Itoa(index+1)
	p := chassisPath + "/NetworkAdapters/" + id
	var ports, functions []string
	for j, port := range nic.Ports {
		ports = append(ports, c.port(t, p, strconv.Itoa(j+1), port))
		functions = append(functions, c.function(t, p, strconv.Itoa(j+1), nic, port))
	}
	list(t, p+"/Ports", "PortCollection", ports...)
	list(t, p+"/NetworkDeviceFunctions", "NetworkDeviceFunctionCollection", functions...)
	t[p] = func() object {
		o := health(resource(p, "NetworkAdapter.v1_11_0.NetworkAdapter", id, "Network Adapter"))
		o["Manufacturer"], o["Model"] = vendor, nic.Model
		o["Ports"], o["NetworkDeviceFunctions"] = link(p+"/Ports"), link(p+"/NetworkDeviceFunctions")
		o["Controllers"] = []object{{"ControllerCapabilities": object{
			"NetworkPortCount": len(nic.Ports),
			"VirtualizationOffload": object{
				"SRIOV":           object{"SRIOVVEPACapable": nic.SRIOV},
				"VirtualFunction": object{"DeviceMaxCount": 128, "NetworkPortMaxCount": 64},
			},
		}}}
		return o
	}
	return p
}

func (c *Controller) port(t map[string]func() object, adapter, id string, port Port) string {
	p := adapter + "/Ports/" + id
	t[p] = func() object {
		o := health(resource(p, "Port.v1_13_0.Port", id, "Port "+id))
		o["PortProtocol"], o["PortType"], o["LinkNetworkTechnology"] = "Ethernet", "BidirectionalPort", "Ethernet"
		o["CurrentSpeedGbps"], o["MaxSpeedGbps"], o["LinkStatus"] = port.speed(), port.SpeedGbps, port.linkStatus()
		o["Ethernet"] = object{"AssociatedMACAddresses": []string{port.MAC}}
		return o
	}
	return p
}

func (c *Controller) function(t map[string]func() object, adapter, id string, nic NIC, port Port) string {
	p := adapter + "/NetworkDeviceFunctions/" + id
	t[p] = func() object {
		c.mu.Lock()
		defer c.mu.Unlock()
		o := health(resource(p, "NetworkDeviceFunction.v1_9_2.NetworkDeviceFunction", id, "Function "+id))
		o["NetDevFuncType"] = "Ethernet"
		o["VirtualFunctionsEnabled"] = nic.SRIOV && c.kind.on(c.bios, c.kind.sriov)
		o["MaxVirtualFunctions"] = 64
		o["Ethernet"] = object{"MACAddress": port.MAC, "PermanentMACAddress": port.MAC}
		o["AssignablePhysicalNetworkPorts"] = []object{link(adapter + "/Ports/" + id)}
		return o
	}
	return p
}
