"""Asks a management controller, by sushy, for the facts that `ra2-deploy facts` asks for.

Prints one JSON object: seconds (without the start of Python), and what was told of.
"""
import json
import sys
import time

import sushy
from sushy import auth

url, username, password = sys.argv[1:4]
told = {}


def tell(name, ask):
    """A part that this sushy or this controller doesn't have is not told."""
    try:
        told[name] = ask()
    except (sushy.exceptions.SushyError, AttributeError) as e:
        told[name] = "not told: " + str(e).split("\n")[0][:100]


def drives(system):
    return [(d.serial_number, d.capacity_bytes, d.media_type and str(d.media_type)) for s in system.storage.get_members() for d in s.drives]


def ports(system):
    return [p.associated_network_addresses for c in system.chassis for a in c.network_adapters.get_members() for p in a.network_ports.get_members()]


began = time.monotonic()
connection = sushy.Sushy(url, auth=auth.BasicAuth(username=username, password=password), verify=False)
system = connection.get_system()
tell("power", lambda: str(system.power_state))
tell("memory", lambda: system.memory_summary.size_gib)
tell("boot", lambda: str(system.boot.target))
tell("processors", lambda: [(p.model, p.total_cores, p.total_threads) for p in system.processors.get_members()])
tell("drives", lambda: drives(system))
tell("interfaces", lambda: [i.mac_address for i in system.ethernet_interfaces.get_members()])
tell("ports", lambda: ports(system))
tell("bios", lambda: len(system.bios.attributes))
tell("pending", lambda: len(system.bios.pending_attributes))
tell("secureBoot", lambda: system.secure_boot.enabled)
tell("managers", lambda: [m.firmware_version for m in system.managers])
json.dump({"seconds": time.monotonic() - began, "told": told}, sys.stdout)
