// Package facts says what was seen: the machines and the cluster as they are.
// A fact that nobody could tell is absent (nil, empty), never guessed.
package facts

import (
	"net/netip"
	"time"
)

// Seen is everything known at one moment.
type Seen struct {
	Hosts   map[string]Host `json:"hosts,omitempty"` // by inventory node name
	Cluster Cluster         `json:"cluster"`
}

// Host is one machine as it was last seen.
type Host struct {
	BMC    BMC    `json:"bmc"`
	Agent  Agent  `json:"agent"` // what the node's own agent said, in this run
	Member Member `json:"member"`
}

// BMC is what the management controller tells (Redfish, DSP0266).
type BMC struct {
	Reached      bool           `json:"reached"`
	Err          string         `json:"err,omitempty"`    // why it was not reached, or what could not be read
	Vendor       string         `json:"vendor,omitempty"` // service root Vendor, else system Manufacturer
	Model        string         `json:"model,omitempty"`
	Serial       string         `json:"serial,omitempty"`
	Serials      []string       `json:"serials,omitempty"` // all numbers by which it knows the machine: system, chassis, service tag
	UUID         string         `json:"uuid,omitempty"`
	Power        string         `json:"power,omitempty"` // "On", "Off", or what the controller says; empty is unknown
	Processors   []Processor    `json:"processors,omitempty"`
	MemoryGiB    *float64       `json:"memoryGiB,omitempty"`
	Drives       []Drive        `json:"drives,omitempty"`
	Ports        []Port         `json:"ports,omitempty"`
	Slots        []Slot         `json:"slots,omitempty"` // nil when the controller doesn't report slots
	BIOS         map[string]any `json:"bios,omitempty"`
	PendingBIOS  map[string]any `json:"pendingBIOS,omitempty"`  // the settings resource; nil when there is none
	BootOverride string         `json:"bootOverride,omitempty"` // BootSourceOverrideTarget while enabled, else empty
}

// Processor is one socket that holds an enabled CPU.
type Processor struct {
	Model   string `json:"model,omitempty"`
	Cores   int    `json:"cores"`
	Threads int    `json:"threads"`
}

// Drive is one disk.
type Drive struct {
	Name   string `json:"name,omitempty"`
	Model  string `json:"model,omitempty"`
	Serial string `json:"serial,omitempty"`
	WWN    string `json:"wwn,omitempty"`
	Media  string `json:"media,omitempty"` // "SSD", "HDD"; empty is unknown
	Bytes  int64  `json:"bytes,omitempty"`
}

// Port is one port of a network adapter.
type Port struct {
	MAC       string   `json:"mac,omitempty"` // lower case, colons
	SpeedGbps *float64 `json:"speedGbps,omitempty"`
	LinkUp    *bool    `json:"linkUp,omitempty"`
	SRIOV     *bool    `json:"sriov,omitempty"`
}

// Slot is one PCIe slot.
type Slot struct {
	Generation int `json:"generation"` // 3 for Gen3
	Lanes      int `json:"lanes"`
}

// Agent is what ra2-node said of its host in this run.
type Agent struct {
	Heard      time.Time `json:"heard,omitzero"`  // zero when it was not heard
	Stage      string    `json:"stage,omitempty"` // agent.StageInstaller or agent.StageNode
	Image      string    `json:"image,omitempty"` // digest of the image on the disk it runs from
	Generation string    `json:"generation,omitempty"`
	Phase      string    `json:"phase,omitempty"` // the kubeadm phase last done
}

// Member is the host as a node of the cluster, from the Kubernetes API.
type Member struct {
	Known        bool   `json:"known"` // the API was asked and answered
	Exists       bool   `json:"exists"`
	Ready        bool   `json:"ready"`
	Image        string `json:"image,omitempty"`      // label ra2-deploy/image, set by the node itself
	Generation   string `json:"generation,omitempty"` // label ra2-deploy/generation, set by the node itself
	ControlPlane bool   `json:"controlPlane"`
	EtcdVoter    bool   `json:"etcdVoter"` // started, not a learner, healthy
	Zone         string `json:"zone,omitempty"`
	NotReady     string `json:"notReady,omitempty"` // the kubelet's own words
}

// Cluster is the cluster as its APIs tell.
type Cluster struct {
	Answers     bool                `json:"answers"`       // the API server answers /readyz on one of its addresses
	Err         string              `json:"err,omitempty"` // why not
	VIPs        map[netip.Addr]bool `json:"vips,omitempty"`
	Objects     string              `json:"objects,omitempty"`  // digest of the objects that were applied, from the cluster itself
	Verified    string              `json:"verified,omitempty"` // digest of the set of nodes between which pods were proven to reach each other
	EtcdMembers int                 `json:"etcdMembers"`
	EtcdHealthy int                 `json:"etcdHealthy"`
}
