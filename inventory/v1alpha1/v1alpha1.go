// Package v1alpha1 is the inventory as a user writes it, apiVersion
// ra2-deploy/v1alpha1. The struct tags are the single source of the strict
// decoder and of the JSON Schema: a json name without omitempty is required,
// enum and pattern are those of JSON Schema 2020-12.
package v1alpha1

// The values of the two fields that every file begins with.
const (
	APIVersion = "ra2-deploy/v1alpha1"
	Kind       = "Cluster"
)

// File is one inventory file: one cluster.
type File struct {
	APIVersion string   `json:"apiVersion" jsonschema:"enum=ra2-deploy/v1alpha1" jsonschema_description:"Version of this format."`
	Kind       string   `json:"kind" jsonschema:"enum=Cluster"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names the cluster.
type Metadata struct {
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$,maxLength=63" jsonschema_description:"Name of the cluster: an RFC 1123 label."`
}

// Spec is everything about the cluster.
type Spec struct {
	Kubernetes   Kubernetes       `json:"kubernetes,omitempty"`
	Image        Image            `json:"image,omitempty"`
	SecureBoot   *SecureBoot      `json:"secureBoot,omitempty" jsonschema_description:"The site's own key for UEFI Secure Boot. Without it nothing is signed."`
	Provisioning Provisioning     `json:"provisioning"`
	Classes      map[string]Class `json:"classes,omitempty" jsonschema_description:"Named sets of host settings."`
	Zones        []string         `json:"zones" jsonschema:"minItems=1,uniqueItems=true,pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" jsonschema_description:"Fault domains: racks, power feeds, rooms. Every zone needs a control plane and a worker (ra2.k8s.003, ra2.k8s.004)."`
	Nodes        []Node           `json:"nodes" jsonschema:"minItems=1"`
	Waivers      []Waiver         `json:"waivers,omitempty" jsonschema_description:"RA2 requirements set aside, each with a reason and an end."`
}

// Kubernetes is the wanted cluster.
type Kubernetes struct {
	Version      string   `json:"version,omitempty" jsonschema:"pattern=^v1\\.[0-9]+\\.[0-9]+$,default=v1.37.2" jsonschema_description:"Kubernetes version."`
	Endpoint     Endpoint `json:"endpoint,omitempty"`
	PodCIDRs     []string `json:"podCIDRs,omitempty" jsonschema:"maxItems=2" jsonschema_description:"Addresses of pods, one CIDR per family."`
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty" jsonschema:"maxItems=2" jsonschema_description:"Addresses of services, one CIDR per family."`
	Etcd         Etcd     `json:"etcd,omitempty"`
}

// Endpoint is where the API server answers.
type Endpoint struct {
	Host string   `json:"host,omitempty" jsonschema_description:"DNS name of the API; default api.<cluster>.internal. Nodes resolve it by themselves."`
	VIPs []string `json:"vips,omitempty" jsonschema:"maxItems=2" jsonschema_description:"Virtual addresses of the API, one per family, inside the provisioning networks."`
	Port int      `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535,default=6443"`
}

// Etcd says how many members there are and where (ra2.k8s.002).
type Etcd struct {
	Members   int    `json:"members,omitempty" jsonschema:"minimum=1,maximum=7" jsonschema_description:"3, 5 or 7; default is the number of control planes."`
	Placement string `json:"placement,omitempty" jsonschema:"enum=stacked,default=stacked" jsonschema_description:"stacked: on the control planes."`
}

// Image is the disposable operating system.
type Image struct {
	Distribution string       `json:"distribution,omitempty" jsonschema:"enum=debian-13,enum=debian-12,enum=ubuntu-24.04,enum=fedora-44,default=debian-13"`
	Kernel       string       `json:"kernel,omitempty" jsonschema:"enum=generic,enum=cloud,default=generic" jsonschema_description:"generic for servers, cloud for virtual machines."`
	Kubernetes   *bool        `json:"kubernetes,omitempty" jsonschema:"default=true" jsonschema_description:"false: install the hosts and form no cluster."`
	Repositories []Repository `json:"repositories,omitempty" jsonschema_description:"Of an rpm distribution, in the place of its own: a site's mirror, for one."`
}

// Repository is a place of rpm packages, where repodata/repomd.xml lies.
type Repository struct {
	Name   string   `json:"name" jsonschema:"pattern=^[a-z0-9-]+$"`
	URL    string   `json:"url" jsonschema_description:"May hold $releasever and $basearch."`
	Keys   []string `json:"keys" jsonschema:"minItems=1" jsonschema_description:"Files of the machine that builds: public keys, one of which must have signed each package."`
	Signed bool     `json:"signed,omitempty" jsonschema_description:"Its list of packages is signed too (repomd.xml.asc)."`
}

// SecureBoot is the site's own key for UEFI Secure Boot.
type SecureBoot struct {
	Certificate string     `json:"certificate" jsonschema:"minLength=1" jsonschema_description:"File of the X.509 certificate (RSA, 2048 bits or more), PEM or DER. Each host's firmware must have it in db."`
	Key         *SecretRef `json:"key,omitempty" jsonschema_description:"Its private key, PEM. Needed where an image is built, or an inventory changed; never copied."`
	Enroll      *bool      `json:"enroll,omitempty" jsonschema:"default=true" jsonschema_description:"false: the firmware of all hosts has the certificate and Secure Boot on, and nothing in it is changed."`
	PlatformKey string     `json:"platformKey,omitempty" jsonschema:"minLength=1" jsonschema_description:"File of the certificate that becomes PK where firmware has none (setup mode)."`
	ExchangeKey string     `json:"exchangeKey,omitempty" jsonschema:"minLength=1" jsonschema_description:"File of the certificate that becomes KEK where firmware has none (setup mode)."`
}

// Provisioning is the network that hosts boot from.
type Provisioning struct {
	Interface string   `json:"interface" jsonschema:"minLength=1,maxLength=15" jsonschema_description:"Network interface of the machine that runs ra2-deploy."`
	CIDR      string   `json:"cidr,omitempty" jsonschema:"oneof_required=cidr" jsonschema_description:"Address of this machine on the interface and prefix length, like 10.17.0.1/24."`
	CIDRs     []string `json:"cidrs,omitempty" jsonschema:"oneof_required=cidrs,minItems=1,maxItems=2" jsonschema_description:"The same for two families, like [10.17.0.1/24, 'fd00:17::1/64']."`
	DHCP      string   `json:"dhcp,omitempty" jsonschema:"enum=authoritative,enum=proxy,default=authoritative" jsonschema_description:"authoritative: we answer the MACs of this file; proxy: beside a site's DHCP server."`
	Gateways  []string `json:"gateways,omitempty" jsonschema:"maxItems=2"`
	DNS       []string `json:"dns,omitempty"`
	NTP       []string `json:"ntp,omitempty"`
}

// Class is a named set of host settings.
type Class struct {
	Profile   string         `json:"profile,omitempty" jsonschema:"enum=basic,enum=high-performance,default=basic" jsonschema_description:"RA2 node profile."`
	BIOS      BIOS           `json:"bios,omitempty"`
	HugePages map[string]int `json:"hugepages,omitempty" jsonschema_description:"Number of huge pages by size: 2Mi, 1Gi."`
	Reserved  string         `json:"reservedCPUs,omitempty" jsonschema:"pattern=^[0-9]+(-[0-9]+)?(\\,[0-9]+(-[0-9]+)?)*$" jsonschema_description:"CPUs that stay with the system and Kubernetes, like 0-1: the two threads of one core at least (ra2.k8s.008). With profile high-performance all others are isolated."`
	Edge      bool           `json:"edge,omitempty" jsonschema_description:"true: hosts of an edge site, which may have one socket and fewer cores (the edge table behind ra2.ch.008)."`
}

// BIOS is what the class wants of the firmware. What is not named is left.
type BIOS struct {
	SMT   string `json:"smt,omitempty" jsonschema:"enum=enabled,enum=disabled" jsonschema_description:"Simultaneous multi-threading (ra2.ch.004)."`
	SRIOV string `json:"sriov,omitempty" jsonschema:"enum=enabled,enum=disabled" jsonschema_description:"SR-IOV (ra2.ch.003)."`
	IOMMU string `json:"iommu,omitempty" jsonschema:"enum=enabled,enum=disabled" jsonschema_description:"VT-d or AMD-Vi."`

	NUMAPerSocket int    `json:"numaPerSocket,omitempty" jsonschema:"enum=1,enum=2,enum=4" jsonschema_description:"NUMA nodes of each socket: sub-NUMA clustering, or nodes per socket (NPS)."`
	PowerProfile  string `json:"powerProfile,omitempty" jsonschema:"enum=performance,enum=balanced,enum=efficient" jsonschema_description:"performance: clocks stay high; balanced: clocks follow the load; efficient: power is saved at the cost of speed."`
	BootMode      string `json:"bootMode,omitempty" jsonschema:"enum=uefi,enum=legacy"`
	Turbo         string `json:"turbo,omitempty" jsonschema:"enum=enabled,enum=disabled" jsonschema_description:"Clocks above the nominal one."`
	CStates       string `json:"cStates,omitempty" jsonschema:"enum=enabled,enum=disabled" jsonschema_description:"Idle states of a core deeper than C1."`

	Attributes map[string]any `json:"attributes,omitempty" jsonschema_description:"The vendor's own attributes, name to text, number or true or false. Refused where the host's attribute registry doesn't know them."`
}

// Node is one host and its place in the cluster.
type Node struct {
	Name      string   `json:"name" jsonschema:"pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$,maxLength=63" jsonschema_description:"An RFC 1123 label."`
	Zone      string   `json:"zone"`
	Roles     []string `json:"roles" jsonschema:"minItems=1,uniqueItems=true,enum=control-plane,enum=worker"`
	Class     string   `json:"class,omitempty"`
	Serial    string   `json:"serial,omitempty" jsonschema_description:"Serial number of the chassis, as the BMC reports it."`
	BMC       BMC      `json:"bmc"`
	Boot      Boot     `json:"boot"`
	Disk      Disk     `json:"disk"`
	Addresses []string `json:"addresses" jsonschema:"minItems=1,maxItems=2" jsonschema_description:"Address and prefix length, one per family."`
}

// BMC is how the host's management controller is reached.
type BMC struct {
	URL         string      `json:"url" jsonschema:"pattern=^((redfish\\+)?https|ipmi)://" jsonschema_description:"Like redfish+https://10.17.1.11, or ipmi://10.17.1.11 for a BMC without Redfish."`
	IPMI        string      `json:"ipmi,omitempty" jsonschema:"pattern=^ipmi://" jsonschema_description:"The same BMC by IPMI, like ipmi://10.17.1.11, for when its Redfish doesn't switch the power or keep the boot override."`
	Credentials Credentials `json:"credentials"`
	Fingerprint string      `json:"fingerprint,omitempty" jsonschema:"pattern=^[sS][hH][aA]256:[0-9a-fA-F:]+$" jsonschema_description:"SHA-256 of the BMC's certificate; without it the system's roots decide."`
}

// Credentials name the secrets of a BMC; no secret is written here.
type Credentials struct {
	Username string     `json:"username,omitempty" jsonschema:"oneof_required=login,minLength=1"`
	Password *SecretRef `json:"password,omitempty" jsonschema:"oneof_required=login"`
	Env      string     `json:"env,omitempty" jsonschema:"oneof_required=env,pattern=^[A-Za-z_][A-Za-z0-9_]*$" jsonschema_description:"Environment variable that holds user:password."`
	File     string     `json:"file,omitempty" jsonschema:"oneof_required=file,minLength=1" jsonschema_description:"File (mode 0600) that holds user:password."`
}

// SecretRef names one secret. Exactly one field is set.
type SecretRef struct {
	Env  string `json:"env,omitempty" jsonschema:"oneof_required=env,pattern=^[A-Za-z_][A-Za-z0-9_]*$" jsonschema_description:"Environment variable that holds the secret."`
	File string `json:"file,omitempty" jsonschema:"oneof_required=file,minLength=1" jsonschema_description:"File (mode 0600) that holds the secret."`
}

// Boot is how the host boots from the network.
type Boot struct {
	MAC    string `json:"mac" jsonschema:"pattern=^[0-9a-fA-F]{2}([-:][0-9a-fA-F]{2}){5}$"`
	Method string `json:"method,omitempty" jsonschema:"enum=uefi-http,enum=uefi-pxe,enum=bios-pxe,enum=virtual-media,default=uefi-http"`
}

// Disk names the disk that may be erased. Exactly one field is set.
type Disk struct {
	Serial string `json:"serial,omitempty" jsonschema:"oneof_required=serial,pattern=^[^/]+$" jsonschema_description:"Serial number of the disk."`
	WWN    string `json:"wwn,omitempty" jsonschema:"oneof_required=wwn,pattern=^[^/]+$" jsonschema_description:"World Wide Name of the disk."`
}

// Waiver sets a requirement aside.
type Waiver struct {
	Requirement string   `json:"requirement" jsonschema:"pattern=^ra2\\.[a-z0-9]+\\.[0-9]{3}$"`
	Nodes       []string `json:"nodes,omitempty" jsonschema:"uniqueItems=true" jsonschema_description:"Default is the whole cluster."`
	Reason      string   `json:"reason" jsonschema:"minLength=1"`
	Until       string   `json:"until" jsonschema:"pattern=^[0-9]{4}-[0-9]{2}-[0-9]{2}$" jsonschema_description:"Last day on which the waiver holds, like 2027-06-30."`
}

// Instead tells what to write when the value is not a mapping: the usual
// mistake is the secret itself, which must never be repeated in a message.
func (SecretRef) Instead() (wrong, fix string) {
	return "a secret in plain text is refused",
		"write it as {env: NAME} or {file: PATH} and keep the secret itself out of the inventory"
}

// Instead is like that of SecretRef.
func (Credentials) Instead() (wrong, fix string) {
	return "credentials in plain text are refused",
		"write {username: admin, password: {env: NAME}}, or {env: NAME} where the variable holds user:password"
}

// Instead tells how a disk is named: kernel names change between boots.
func (Disk) Instead() (wrong, fix string) {
	return "a disk is named by its serial number or WWN, never by a device path: paths change between boots",
		"write it as {serial: S6CKNT0W700868} or {wwn: 5002538f0123abcd}, as printed on the disk or told by the BMC"
}
