package conform

// NodeFacts is what a node tells of itself: read by a short Job on it, from
// files of the host and programs of the host's image, changing nothing. What
// could not be read is absent: nil, empty, or missing from a map.
type NodeFacts struct {
	KernelLine string            `json:"kernelLine,omitempty"` // /proc/cmdline
	Kernel     string            `json:"kernel,omitempty"`     // uname -r
	Build      string            `json:"build,omitempty"`      // uname -v: "#1 SMP PREEMPT_RT Debian 6.12.48-1 (2025-09-20)"
	OSRelease  map[string]string `json:"osRelease,omitempty"`  // /etc/os-release: "ID", "ID_LIKE", "VERSION_ID"
	Packages   *Packages         `json:"packages,omitempty"`
	Image      string            `json:"image,omitempty"`  // digest of the image that it runs from
	Verity     *bool             `json:"verity,omitempty"` // the root's content is checked by dm-verity
	Mounts     []Mount           `json:"mounts,omitempty"` // /proc/1/mounts
	CgroupV2   *bool             `json:"cgroupV2,omitempty"`
	Sysctls    map[string]string `json:"sysctls,omitempty"` // "net.ipv6.conf.all.disable_ipv6": "0"

	Virtual   *string           `json:"virtual,omitempty"` // systemd-detect-virt: "none", "kvm"
	CPU       CPU               `json:"cpu,omitzero"`
	MemoryKiB int64             `json:"memoryKiB,omitempty"` // MemTotal
	HugePages []HugePages       `json:"hugePages,omitempty"` // one for each size that the kernel supports
	Disks     []Disk            `json:"disks,omitempty"`
	NICs      []NIC             `json:"nics,omitempty"`
	Slots     []PCIeSlot        `json:"slots,omitempty"` // SMBIOS type 9
	Runtime   Runtime           `json:"runtime,omitzero"`
	Time      Clock             `json:"time,omitzero"`
	CNI       CNI               `json:"cni,omitzero"`
	Plugins   []string          `json:"plugins,omitempty"` // sockets in /var/lib/kubelet/device-plugins
	Units     []string          `json:"units,omitempty"`   // systemd units that failed
	Files     map[string]string `json:"files,omitempty"`   // path to "sha256:…" of settings that all nodes of a class share
}

// Packages is the package database of the host.
type Packages struct {
	Manager string `json:"manager"` // "dpkg" or "rpm"
	Count   int    `json:"count"`
	Digest  string `json:"digest"` // "sha256:…" of the sorted lines "name version"
}

// Mount is one line of /proc/mounts.
type Mount struct {
	Source  string   `json:"source"`
	Target  string   `json:"target"`
	Type    string   `json:"type"`
	Options []string `json:"options"`
}

// CPU is what the kernel shows of the processors.
type CPU struct {
	Model        string           `json:"model,omitempty"`
	Flags        []string         `json:"flags,omitempty"`    // of /proc/cpuinfo
	Sockets      int              `json:"sockets,omitempty"`  // 0 is unknown
	Cores        []int            `json:"cores,omitempty"`    // of each socket
	Siblings     map[string][]int `json:"siblings,omitempty"` // CPU number to all threads of its core, itself among them
	SMTActive    *bool            `json:"smtActive,omitempty"`
	SMTControl   string           `json:"smtControl,omitempty"` // /sys/devices/system/cpu/smt/control: "on", "off", "notsupported"
	NUMANodes    int              `json:"numaNodes,omitempty"`  // 0 is unknown
	IsolatedCPUs string           `json:"isolatedCPUs,omitempty"`
}

// HugePages is the pool of one size.
type HugePages struct {
	SizeKiB int64 `json:"sizeKiB"` // 2048, 1048576
	Total   int64 `json:"total"`   // pages
	Free    int64 `json:"free"`
}

// Disk is one block device.
type Disk struct {
	Name       string   `json:"name"`
	Bytes      int64    `json:"bytes"`
	Rotational *bool    `json:"rotational,omitempty"`
	Holds      []string `json:"holds,omitempty"` // mount points on it: "/var/lib/etcd"
}

// NIC is one physical function, or what stands for one in a virtual machine.
type NIC struct {
	Name     string `json:"name"`
	Driver   string `json:"driver,omitempty"`
	MAC      string `json:"mac,omitempty"`
	Mbps     int    `json:"mbps,omitempty"`     // of the link as it runs; 0 is down or unknown
	TotalVFs *int   `json:"totalVFs,omitempty"` // sriov_totalvfs; nil where the file isn't there
	VFs      *int   `json:"vfs,omitempty"`      // sriov_numvfs
	ZeroCopy *bool  `json:"zeroCopy,omitempty"` // netdev xdp-features has xsk-zerocopy
	PTPClock *bool  `json:"ptpClock,omitempty"` // it has a PTP hardware clock
	Physical bool   `json:"physical"`           // it has a device, and is no virtual function
}

// PCIeSlot is one slot that SMBIOS describes.
type PCIeSlot struct {
	Name       string `json:"name"`
	Generation int    `json:"generation"` // 0 is unknown
	Lanes      int    `json:"lanes"`      // 0 is unknown
}

// Runtime is the container runtime, as its own programs and its CRI socket say.
type Runtime struct {
	Name       string `json:"name,omitempty"`       // "containerd"
	Version    string `json:"version,omitempty"`    //
	CRI        string `json:"cri,omitempty"`        // RuntimeApiVersion of the Version call: "v1"
	OCIName    string `json:"ociName,omitempty"`    // "runc"
	OCIVersion string `json:"ociVersion,omitempty"` //
	OCISpec    string `json:"ociSpec,omitempty"`    // "1.3.0", the line "spec:" of runc --version
}

// Clock is what the time service says.
type Clock struct {
	Service string  `json:"service,omitempty"` // "chrony"
	Synced  *bool   `json:"synced,omitempty"`
	Source  string  `json:"source,omitempty"` // reference of chronyc tracking
	Offset  float64 `json:"offset,omitempty"` // seconds, of the system clock
	NTS     *bool   `json:"nts,omitempty"`    // the source is authenticated (RFC 8915)
}

// CNI is what the runtime finds of networks.
type CNI struct {
	Configs []CNIConfig `json:"configs,omitempty"` // of /etc/cni/net.d, in the order in which they count
	Bin     []string    `json:"bin,omitempty"`     // names in /opt/cni/bin
}

// CNIConfig is one configuration of a network.
type CNIConfig struct {
	File  string   `json:"file"`
	Name  string   `json:"name"`
	Types []string `json:"types"` // of its plugins, in order: "flannel", "portmap"
}
