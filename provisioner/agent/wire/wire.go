// Package wire holds the nouns of the conversation between a host's ra2-node
// and the provisioner, as they are sent and as they are kept on a node's disk.
// It is pure; package agent speaks it.
package wire

import (
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Paths of the API. Every request but the claim carries
// "Authorization: Bearer <session>".
const (
	PathClaim  = "/v1/claim"  // POST Claim, answers Session; 403 when the ticket was used or is unknown
	PathWord   = "/v1/word"   // POST Hello, answers Word (long poll, at most 25 s)
	PathReport = "/v1/report" // POST Report, answers 204
	PathImage  = "/v1/image/" // GET <digest>.raw.zst: the disk image, zstd (RFC 8878), streamed
	PathBoot   = "/v1/boot/"  // GET <digest>/kernel, <digest>/initrd: for kexec into the installed system
	PathAddon  = "/v1/addon/" // GET <digest>: a signed add-on of the kernel line
)

// Stages in which ra2-node speaks.
const (
	StageInstaller = "installer" // PID 1 of the network-booted system
	StageNode      = "node"      // service of the installed system
)

// ConditionRootCorrupt is the condition of a Node object whose status is True
// when the node's kernel read a block of the root that isn't what the image had.
const ConditionRootCorrupt = "ra2-deploy.io/RootCorrupt"

// ConditionKernelLine is the condition of a Node object whose status is True when
// the node's kernel started without the words that were signed for its class, and
// False when it has them.
const ConditionKernelLine = "ra2-deploy.io/KernelLineWrong"

// Claim is what a network-booted host says first.
type Claim struct {
	Node   string    `json:"node"`   // from the kernel line
	Ticket string    `json:"ticket"` // from the one-shot initrd piece, single use
	Facts  InBand    `json:"facts"`
	Clock  time.Time `json:"clock"` // the host's own clock
}

// InBand is what the host sees of itself (sysfs, SMBIOS).
type InBand struct {
	Serial    string          `json:"serial"`    // /sys/class/dmi/id/product_serial
	UUID      string          `json:"uuid"`      // /sys/class/dmi/id/product_uuid
	MemoryKiB int64           `json:"memoryKiB"` // MemTotal
	CPUs      int             `json:"cpus"`      // logical CPUs online
	SMT       *bool           `json:"smt"`       // /sys/devices/system/cpu/smt/active; nil when not told
	MACs      []string        `json:"macs"`
	Disks     []Disk          `json:"disks"`
	Hardware  *facts.Hardware `json:"hardware,omitempty"` // in the nouns of a BMC; nil from an installer that is older than they are
}

// Disk is one block device that holds no other.
type Disk struct {
	Name   string   `json:"name"` // kernel name, changes between boots
	Model  string   `json:"model"`
	Serial string   `json:"serial"`
	WWN    string   `json:"wwn"`
	Bytes  int64    `json:"bytes"`
	Holds  []string `json:"holds,omitempty"` // signatures found: "gpt: ra2-root", "ext4", ...
}

// Session answers a claim. The bearer is secret.
type Session struct {
	Bearer string `json:"bearer"`
}

// Hello asks for a word.
type Hello struct {
	Stage      string      `json:"stage"`
	Image      string      `json:"image,omitempty"`      // digest of the installed image
	Generation string      `json:"generation,omitempty"` // of the installed node
	Phase      string      `json:"phase,omitempty"`      // the kubeadm phase last done
	Root       *facts.Root `json:"root,omitempty"`       // of the installed system: is its root verified
	Have       string      `json:"have,omitempty"`       // digest of the word that is done: the server waits for another one
	Clock      time.Time   `json:"clock"`
}

// Word tells the host what to do. At most one field is set; an empty word
// means "nothing now, ask again".
type Word struct {
	Install *Install `json:"install,omitempty"` // to the installer
	Join    *Join    `json:"join,omitempty"`    // to a node: form or join the cluster
	Done    bool     `json:"done,omitempty"`    // to a node: it is a member; the agent's work ends
}

// Install is the order to write a disk: a Tinkerbell workflow task and the
// node's own configuration.
type Install struct {
	Actions []Action   `json:"actions"`
	Config  NodeConfig `json:"config"`
}

// Action is one action of a Tinkerbell template (tink api v1alpha1 Action):
// the environment is that of the public actions.
type Action struct {
	Name        string            `json:"name"`
	Image       string            `json:"image"`   // "image2disk", "addon", "node-config", "kexec": what ra2-node does itself
	Timeout     int64             `json:"timeout"` // seconds
	Environment map[string]string `json:"environment"`
}

// NodeConfig is what differs between two nodes of one image (ra2.os.004). It
// is written to the partition ra2-config; it holds the session, so it is secret.
type NodeConfig struct {
	Node         string            `json:"node"`
	Image        string            `json:"image"`
	Generation   string            `json:"generation"`
	MAC          string            `json:"mac"`       // of the NIC that carries Addresses
	Addresses    []string          `json:"addresses"` // CIDR, IPv4 first
	Gateways     []string          `json:"gateways,omitempty"`
	DNS          []string          `json:"dns,omitempty"`
	NTP          []string          `json:"ntp,omitempty"`
	Hosts        map[string]string `json:"hosts,omitempty"`      // address to name, for /etc/hosts
	KernelLine   string            `json:"kernelLine,omitempty"` // additions: huge pages, IOMMU
	Addon        string            `json:"addon,omitempty"`      // digest of the signed add-on on ra2-esp that has them, "sha256:<hex>"; "" where none has
	Server       string            `json:"server"`               // URL of this API
	Pin          string            `json:"pin"`                  // "sha256:<hex>" of the server's SubjectPublicKeyInfo
	Session      string            `json:"session"`              // empty in the word: the installer fills in the bearer that it holds
	ControlPlane bool              `json:"controlPlane"`
	Mirror       *Mirror           `json:"mirror,omitempty"` // nil: container images come from their registries alone
}

// Mirror is a registry that has images of other registries under their own
// names. It is asked first, and may be absent for ever.
type Mirror struct {
	URL string `json:"url"` // "https://10.17.0.1:8444"
	CA  string `json:"ca"`  // PEM: the certificate that the mirror's own is signed by
}

// Join is the order to form or to join the cluster: files to lay and kubeadm
// phases to run one by one, each tried again by itself.
type Join struct {
	// ID says which work this is. Phases done under one ID are not run again
	// when files differ (a fresh bootstrap token); another ID starts over.
	// Empty: the digest of the whole Join.
	ID     string  `json:"id,omitempty"`
	Files  []File  `json:"files"`
	Phases []Phase `json:"phases"`
}

// InterfacePlaceholder stands in a File's data for the name of the node's
// network interface, the one with NodeConfig.MAC: only the node itself knows it.
// ra2-node puts the name in its place when it lays the file.
const InterfacePlaceholder = "@ra2-interface@"

// File is one file to lay before the phases run.
type File struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	Data []byte `json:"data"` // base64 in JSON
}

// Phase is one command: kubeadm with its arguments, or one of the few other
// programs that ra2-node allows (systemctl, mkdir, ctr). A phase that was cut
// short by a restart is run again.
type Phase struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Tries   int      `json:"tries"`
	Timeout int64    `json:"timeout"` // seconds, one try
}

// Report is one thing that happened on the host.
type Report struct {
	Stage    string    `json:"stage"`
	Mark     string    `json:"mark,omitempty"` // step.Mark constants
	Phase    string    `json:"phase,omitempty"`
	Status   string    `json:"status"` // Status constants
	Note     string    `json:"note,omitempty"`
	Evidence string    `json:"evidence,omitempty"`
	Took     int64     `json:"took,omitempty"` // milliseconds
	Held     bool      `json:"held,omitempty"` // failed, and trying again mends nothing: a person is needed
	Next     string    `json:"next,omitempty"` // what the host does next, or what the person can do
	Time     time.Time `json:"time"`
}

// Statuses of a Report. A failed one ends the word that the host works on.
const (
	StatusStarted = "started"
	StatusNoted   = "noted"
	StatusDone    = "done"
	StatusFailed  = "failed"
)
