// Package facts says what was seen: the machines and the cluster as they are.
// A fact that nobody could tell is absent (nil, empty), never guessed.
package facts

import (
	"net/netip"
	"time"
)

// Seen is everything known at one moment.
type Seen struct {
	Hosts   map[string]Host // by inventory node name
	Cluster Cluster
}

// Host is one machine as it was last seen.
type Host struct {
	BMC    BMC
	Agent  Agent // what the node's own agent said, in this run
	Member Member
}

// BMC is what the management controller tells (Redfish, DSP0266).
type BMC struct {
	Reached      bool
	Err          string // why it was not reached, or what could not be read
	Vendor       string // service root Vendor, else system Manufacturer
	Model        string
	Serial       string
	Serials      []string // all numbers by which it knows the machine: system, chassis, service tag
	UUID         string
	Power        string // "On", "Off", or what the controller says; empty is unknown
	Processors   []Processor
	MemoryGiB    *float64
	Drives       []Drive
	Ports        []Port
	Slots        []Slot // nil when the controller doesn't report slots
	BIOS         map[string]any
	PendingBIOS  map[string]any // the settings resource; nil when there is none
	BootOverride string         // BootSourceOverrideTarget while enabled, else empty
}

// Processor is one socket that holds an enabled CPU.
type Processor struct {
	Model   string
	Cores   int
	Threads int
}

// Drive is one disk.
type Drive struct {
	Name   string
	Model  string
	Serial string
	WWN    string
	Media  string // "SSD", "HDD"; empty is unknown
	Bytes  int64
}

// Port is one port of a network adapter.
type Port struct {
	MAC       string // lower case, colons
	SpeedGbps *float64
	LinkUp    *bool
	SRIOV     *bool
}

// Slot is one PCIe slot.
type Slot struct {
	Generation int // 3 for Gen3
	Lanes      int
}

// Agent is what ra2-node said of its host in this run.
type Agent struct {
	Heard      time.Time // zero when it was not heard
	Stage      string    // agent.StageInstaller or agent.StageNode
	Image      string    // digest of the image on the disk it runs from
	Generation string
	Phase      string // the kubeadm phase last done
}

// Member is the host as a node of the cluster, from the Kubernetes API.
type Member struct {
	Known        bool // the API was asked and answered
	Exists       bool
	Ready        bool
	Image        string // label ra2-deploy/image, set by the node itself
	Generation   string // label ra2-deploy/generation, set by the node itself
	ControlPlane bool
	EtcdVoter    bool // started, not a learner, healthy
	Zone         string
	NotReady     string // the kubelet's own words
}

// Cluster is the cluster as its APIs tell.
type Cluster struct {
	Answers     bool   // the API server answers /readyz on one of its addresses
	Err         string // why not
	VIPs        map[netip.Addr]bool
	Objects     string // digest of the objects that were applied, from the cluster itself
	Verified    string // digest of the set of nodes between which pods were proven to reach each other
	EtcdMembers int
	EtcdHealthy int
}
