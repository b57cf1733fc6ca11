// Package inventory says what the user wants: one cluster, its hosts and how
// they are reached. What the user writes (see Parse) and what the program uses
// (Cluster) are two types; a Cluster is complete and checked.
package inventory

import (
	"net/netip"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// Cluster is what the user wants, with all defaults filled in.
type Cluster struct {
	Name         string
	Kubernetes   Kubernetes
	Image        Image
	SecureBoot   *SecureBoot // nil: nothing is signed
	Provisioning Provisioning
	Classes      map[string]Class
	Zones        []string
	Nodes        []Node // in the order of the file
	Waivers      []Waiver
}

// Kubernetes is the wanted cluster (kubeadm v1beta4).
type Kubernetes struct {
	Version      string // "v1.37.2"
	Endpoint     Endpoint
	PodCIDRs     []netip.Prefix // one per family, IPv4 first
	ServiceCIDRs []netip.Prefix // one per family, IPv4 first
	EtcdMembers  int            // 3, 5 or 7; 1 only with a waiver of ra2.k8s.002
}

// Endpoint is where the API server answers.
type Endpoint struct {
	Host string       // DNS name; nodes resolve it by themselves
	VIPs []netip.Addr // one per family, IPv4 first, inside the provisioning networks
	Port uint16
}

// Image is the disposable operating system.
type Image struct {
	Distribution string // "debian-13", see images/recipe.yaml
	Kernel       string // "generic" (servers) or "cloud" (virtual machines)
	Kubernetes   bool   // false only for a host that is installed and not joined

	Repositories []Repository // of an rpm distribution, in the place of its own
}

// Repository is a place of rpm packages.
type Repository struct {
	Name   string
	URL    string   // repodata/repomd.xml lies below it
	Keys   []string // files of the machine that builds: public keys that packages are signed with
	Signed bool     // its list of packages is signed too
}

// SecureBoot is the site's own key for UEFI Secure Boot (UEFI 2.10, 32). Files
// are named as written, relative to the inventory.
type SecureBoot struct {
	Certificate string     // X.509, RSA; each host's firmware must have it in db
	Key         secret.Ref // its private key, PEM; no field set where it is elsewhere
	Enroll      bool       // certificate and switch are brought into hosts' firmware
	PlatformKey string     // certificate for firmware without PK; empty is none
	ExchangeKey string     // certificate for firmware without KEK; empty is none
}

// Provisioning is the network that hosts boot from.
type Provisioning struct {
	Interface string         // of the machine that runs ra2-deploy
	Networks  []netip.Prefix // as written: address of ra2-deploy and prefix length, IPv4 first
	DHCP      DHCP
	Gateways  []netip.Addr
	DNS       []netip.Addr
	NTP       []netip.Addr
}

// DHCP says how hosts get an address while they boot.
type DHCP string

// The ways of DHCP.
const (
	DHCPAuthoritative DHCP = "authoritative" // we answer inventory MACs, and nobody else does
	DHCPProxy         DHCP = "proxy"         // the site's server gives addresses, we add the boot file
)

// Class is a named set of host settings.
type Class struct {
	Profile   string // "basic" or "high-performance"
	BIOS      BIOS
	HugePages map[string]int // "2Mi", "1Gi" to a number of pages
	Reserved  CPUs           `json:",omitempty"` // that stay with the system and Kubernetes (ra2.k8s.008); empty is "none"
	Edge      bool           `json:"-"`          // judged by the minimums of the edge (ra2.ch.008); it doesn't reach the disk, so no generation holds it
}

// BIOS is what a class wants of the firmware, in neutral words; nil is
// "leave it".
type BIOS struct {
	SMT   *bool
	SRIOV *bool
	IOMMU *bool

	// What is left empty is also left out of the generation (see Generation).
	NUMAPerSocket int            `json:",omitempty"` // NUMA nodes of each socket: 1, 2 or 4
	PowerProfile  string         `json:",omitempty"` // "performance", "balanced" or "efficient"
	BootMode      string         `json:",omitempty"` // "uefi" or "legacy"
	Turbo         *bool          `json:",omitempty"` // clocks above the nominal one
	CStates       *bool          `json:",omitempty"` // idle states of a core deeper than C1
	Attributes    map[string]any `json:",omitempty"` // the vendor's own names to string, float64 or bool
}

// Node is one host and its place in the cluster.
type Node struct {
	Name         string
	Zone         string
	Class        string
	ControlPlane bool
	Worker       bool
	Serial       string // chassis serial the BMC must report; empty is "not checked"
	BMC          BMC
	Boot         Boot
	Disk         Disk
	Addresses    []netip.Prefix // address and prefix length, IPv4 first
}

// BMC is how a host's management controller is reached.
type BMC struct {
	URL         string // "https://10.17.1.11", Redfish (DSP0266), or "ipmi://10.17.1.11", IPMI 2.0
	IPMI        string // "ipmi://10.17.1.11": the fall-back beside Redfish; empty is none
	Username    string // empty: the secret holds user:password
	Password    secret.Ref
	Fingerprint string // "sha256:<hex>" of the certificate; empty means the system's roots decide
}

// OnlyIPMI reports whether the controller is spoken to by IPMI alone.
func (b BMC) OnlyIPMI() bool { return strings.HasPrefix(b.URL, "ipmi://") }

// Boot is how a host boots from the network.
type Boot struct {
	MAC    string // lower case, colons
	Method string // "uefi-http", "uefi-pxe", "bios-pxe", "virtual-media"
}

// Disk names the disk that may be erased. Exactly one field is set.
type Disk struct {
	Serial string
	WWN    string // bare hexadecimal digits, see NormalWWN
}

// String returns "serial:<s>" or "wwn:<w>".
func (d Disk) String() string {
	if d.Serial != "" {
		return "serial:" + d.Serial
	}
	return "wwn:" + d.WWN
}

// Waiver sets a requirement aside, with a reason and an end.
type Waiver struct {
	Requirement string   // "ra2.ch.016"
	Nodes       []string // empty means the whole cluster
	Reason      string
	Until       time.Time // the last second in which it holds
}
