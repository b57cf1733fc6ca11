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

// BMC is what the management controller tells (Redfish, DSP0266; or IPMI 2.0).
type BMC struct {
	Hardware
	Reached      bool                 `json:"reached"`
	Err          string               `json:"err,omitempty"`      // why it was not reached, or what could not be read
	Protocol     string               `json:"protocol,omitempty"` // "redfish" or "ipmi"
	Vendor       string               `json:"vendor,omitempty"`   // service root Vendor, else system Manufacturer
	Model        string               `json:"model,omitempty"`
	Serial       string               `json:"serial,omitempty"`
	Serials      []string             `json:"serials,omitempty"` // all numbers by which it knows the machine: system, chassis, service tag
	SKU          string               `json:"sku,omitempty"`
	UUID         string               `json:"uuid,omitempty"`
	Power        string               `json:"power,omitempty"`    // "On", "Off", or what the controller says; empty is unknown
	Health       string               `json:"health,omitempty"`   // "OK", "Warning", "Critical" (Redfish Status.HealthRollup, else Health)
	Firmware     []Firmware           `json:"firmware,omitempty"` // of the controller and of the BIOS
	Clock        *Clock               `json:"clock,omitempty"`    // nil when the controller tells no time
	BIOS         map[string]any       `json:"bios,omitempty"`
	PendingBIOS  map[string]any       `json:"pendingBIOS,omitempty"`  // attributes that the next POST will change; nil when there is no settings resource
	Registry     map[string]Attribute `json:"registry,omitempty"`     // attributes that were looked up in the BIOS attribute registry; nil when nobody asked or it isn't there
	Keys         *Keys                `json:"keys,omitempty"`         // of Secure Boot; nil when nobody asked or the controller tells nothing
	BootOverride string               `json:"bootOverride,omitempty"` // BootSourceOverrideTarget while enabled, else empty
	BootTargets  []string             `json:"bootTargets,omitempty"`  // what BootSourceOverrideTarget may be
}

// Keys is what a controller tells of Secure Boot beyond whether it is in force
// (DSP0268 SecureBoot and SecureBootDatabase).
type Keys struct {
	Enabled *bool    `json:"enabled,omitempty"` // from the next start on; nil when not told
	Setup   bool     `json:"setup"`             // the firmware has no platform key: anyone may give it one
	Offered bool     `json:"offered"`           // the databases can be seen
	DB      []string `json:"db,omitempty"`      // fingerprints of the certificates in db, "sha256:<hex>"
}

// Numbers returns all serial numbers by which the controller knows the machine.
func (b BMC) Numbers() []string {
	if len(b.Serials) == 0 && b.Serial != "" {
		return []string{b.Serial}
	}
	return b.Serials
}

// Agrees reports whether controller and machine tell one identity: a serial
// number or the UUID is the same. On a Dell the machine tells the service tag,
// which the controller tells beside its system's number. It isn't known where
// one of them tells no serial number.
func (h Host) Agrees() (known, same bool) {
	if SameUUID(h.BMC.UUID, h.Agent.UUID) {
		return true, true
	}
	for _, n := range h.BMC.Numbers() {
		known = known || Told(n)
		same = same || SameName(n, h.Agent.Serial)
	}
	return known && Told(h.Agent.Serial), same
}

// Firmware is one firmware and its version.
type Firmware struct {
	Name    string `json:"name"` // "BMC", "BIOS"
	Version string `json:"version"`
}

// Clock is the controller's time beside ours.
type Clock struct {
	Time time.Time     `json:"time"`
	Skew time.Duration `json:"skew"` // its time minus ours; nanoseconds in JSON
}

// Attribute is one entry of a BIOS attribute registry (DSP0268
// AttributeRegistry), as far as it decides what may be written.
type Attribute struct {
	Display  string   `json:"display,omitempty"`  // DisplayName
	Type     string   `json:"type,omitempty"`     // "Enumeration", "String", "Integer", "Boolean", "Password"
	ReadOnly bool     `json:"readOnly,omitempty"` // as it stands now, its dependencies counted
	Why      string   `json:"why,omitempty"`      // what makes it read-only: "SysProfile is PerfOptimized"
	Values   []string `json:"values,omitempty"`   // each allowed value of an enumeration, as it is written: ValueName, or ValueDisplayName where the firmware itself uses that
	Labels   []string `json:"labels,omitempty"`   // ValueDisplayName of each of Values; nil when they are the same
	Least    *float64 `json:"least,omitempty"`    // LowerBound of an integer
	Most     *float64 `json:"most,omitempty"`     // UpperBound of an integer

	Depends []Dependency `json:"depends,omitempty"` // what values of other attributes do to it
}

// Agent is what ra2-node said of its host in this run.
type Agent struct {
	Heard      time.Time `json:"heard,omitzero"`   // zero when it was not heard
	Stage      string    `json:"stage,omitempty"`  // agent.StageInstaller or agent.StageNode
	Started    time.Time `json:"started,omitzero"` // when the installed system first spoke after it was silent; zero when it didn't
	Image      string    `json:"image,omitempty"`  // digest of the image on the disk it runs from
	Generation string    `json:"generation,omitempty"`
	Phase      string    `json:"phase,omitempty"`    // the kubeadm phase last done
	Root       *Root     `json:"root,omitempty"`     // what it says of its root file system; nil when it said nothing
	Hardware   *Hardware `json:"hardware,omitempty"` // what the machine sees of itself, in this run or in an earlier one; nil when it never told
	Told       time.Time `json:"told,omitzero"`      // when it told its hardware
	Serial     string    `json:"serial,omitempty"`   // what it says of itself beside its hardware: the system's serial number
	UUID       string    `json:"uuid,omitempty"`     // and UUID (SMBIOS type 1)
}

// Root is what a node says of the system that it started: whether its root file
// system is verified (ra2.os.001; Linux, admin-guide/device-mapper/verity), and
// whether its kernel got the line that it should have.
type Root struct {
	Verity string `json:"verity"`        // RootVerified, RootUnverified or RootCorrupt
	Why    string `json:"why,omitempty"` // what keeps it from being verified; which block is wrong

	Lacks []string `json:"lacks,omitempty"` // of the kernel line that the node's class wants: what is not in force, and why
	Line  string   `json:"line,omitempty"`  // what is wrong with a kernel line that is all signed; "" when nothing is, and where it isn't signed
}

// Words of Root.Verity.
const (
	RootVerified   = "on"      // the kernel checks each block that it reads
	RootUnverified = "absent"  // nothing checks what is read; it may be whole
	RootCorrupt    = "corrupt" // the kernel read a block that isn't what the image had
)

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
	Corrupt      string `json:"corrupt,omitempty"`  // which block of its root is wrong, as the node itself said; empty when it said nothing
	Line         string `json:"line,omitempty"`     // what is wrong with its signed kernel line, as the node itself said

	Renewed time.Time `json:"renewed,omitzero"` // when its kubelet last renewed its Lease, by the node's clock; zero when it has none
}

// Since returns the node as one whose system started then, if that is known. Kubernetes
// goes on calling a node Ready for the best part of a minute after it lost its power
// (kube-controller-manager, --node-monitor-grace-period), and that is no word of the
// system that runs now: only a kubelet that has renewed its Lease since says something.
// A kubelet does so every ten seconds, so that a clock that is slow only delays it.
func (m Member) Since(started time.Time) Member {
	if m.Ready && !m.Renewed.IsZero() && m.Renewed.Before(started) {
		m.Ready = false
		m.NotReady = "its kubelet has not been heard since the system started; Ready is from before"
	}
	return m
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
