package provisioner

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// knower returns what the controller of a host said in the last look.
type knower func(node string) facts.BMC

// kept is what a machine told of itself, and of which machine: it counts for
// as long as its controller says the same of serial number and UUID.
type kept struct {
	Time     time.Time      `json:"time"`
	Serial   string         `json:"serial"` // by the controller
	UUID     string         `json:"uuid"`   // by the controller
	Machine  identity       `json:"machine"`
	Hardware facts.Hardware `json:"hardware"`
}

// identity is what a machine says that it is.
type identity struct {
	Serial string `json:"serial"`
	UUID   string `json:"uuid"`
}

// fileHardware is where the hardware of a host is kept.
func fileHardware(node string) string { return path.Join("hardware", node+".json") }

// keepHardware keeps what a host told with its claim, so that it need not be
// booted for that again. A claim of an older installer tells nothing.
func (s state) keepHardware(c agent.Claim, bmc facts.BMC, now time.Time) error {
	if c.Facts.Hardware == nil {
		return nil
	}
	data, err := json.MarshalIndent(kept{now.UTC(), bmc.Serial, bmc.UUID, identity{c.Facts.Serial, c.Facts.UUID}, *c.Facts.Hardware}, "", "  ")
	if err != nil {
		return err
	}
	return s.write(fileHardware(c.Node), append(data, '\n'))
}

// hardware returns what a host told in this run or an earlier one.
func (s state) hardware(node string) (kept, error) {
	var k kept
	data, ok, err := s.read(fileHardware(node))
	switch {
	case err != nil:
		return k, err
	case !ok:
		return k, errUntold
	}
	if err := json.Unmarshal(data, &k); err != nil {
		return k, fmt.Errorf("read %s: %w; remove it, and the host is asked again", s.path(fileHardware(node)), err)
	}
	return k, nil
}

// errUntold says that a host has never told what it is made of.
var errUntold = errors.New("it never told what it is made of")

// hasHardware returns nil when a host has told.
func (s state) hasHardware(node string) error {
	_, err := s.hardware(node)
	return err
}

// withTold adds to what was seen of hosts what they told of themselves before,
// and remembers what their controllers say for claims that come.
func (r *Run) withTold(seen facts.Seen) facts.Seen {
	r.lastLook.Store(&seen)
	hosts := maps.Clone(seen.Hosts)
	for name, h := range hosts {
		if h.Agent.Hardware != nil || !h.BMC.Reached {
			continue
		}
		k, err := r.state.hardware(name)
		if err != nil && !errors.Is(err, errUntold) {
			notices(r.tell)(name, err.Error())
		}
		if err != nil || k.Serial != h.BMC.Serial || k.UUID != h.BMC.UUID {
			continue
		}
		h.Agent.Hardware, h.Agent.Told = &k.Hardware, k.Time
		h.Agent.Serial, h.Agent.UUID = k.Machine.Serial, k.Machine.UUID
		hosts[name] = h
	}
	seen.Hosts = hosts
	return seen
}

// known implements knower.
func (r *Run) known(node string) facts.BMC {
	if seen := r.lastLook.Load(); seen != nil {
		return seen.Hosts[node].BMC
	}
	return facts.BMC{}
}
