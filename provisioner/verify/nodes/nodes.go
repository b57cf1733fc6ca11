// Package nodes names what is read on a node for its facts, and turns what
// ra2-read (images/guest/read) printed of it into facts. It is pure: who runs
// ra2-read is somebody else, and a reader can do what it does with cat.
package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Said is the document of ra2-read.
type Said struct {
	Files   map[string]string `json:"files"`
	Bytes   map[string][]byte `json:"bytes"`
	Digests map[string]string `json:"digests"`
	Links   map[string]string `json:"links"`
	Names   []string          `json:"names"`
	Runs    map[string]struct {
		Output string `json:"output"`
		Exit   int    `json:"exit"`
	} `json:"runs"`
	Lacks map[string]string `json:"lacks"`
	Done  bool              `json:"done"`
}

// What ra2-read is asked for, in its own words.
const (
	cpus      = "/sys/devices/system/cpu"
	links     = "/sys/class/net"
	pools     = "/sys/kernel/mm/hugepages"
	smbiosAt  = "/sys/firmware/dmi/tables/DMI"
	networks  = "/etc/cni/net.d"
	plugins   = "/var/lib/kubelet/device-plugins"
	debs      = "dpkg-query -W -f=${Package}=${Version}\\n"
	rpms      = "rpm -qa --qf=%{NAME}=%{VERSION}-%{RELEASE}.%{ARCH}\\n"
	machine   = "systemd-detect-virt --vm"
	tracking  = "chronyc -c -n tracking"
	sources   = "chronyc -c -n authdata"
	runc      = "runc --version"
	crun      = "crun --version"
	container = "containerd --version"
)

// kept are the folders in which a node keeps what is Kubernetes': what disk they are
// on matters.
func kept() []string {
	return []string{"/", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/containers"}
}

// Ask returns the arguments of ra2-read: all that is read on a node, and nothing
// that holds a secret.
func Ask() []string {
	all := map[string][]string{
		"-file": {
			"/proc/cmdline", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/version", "/proc/meminfo", "/proc/cpuinfo", "/proc/1/mounts", "/proc/1/mountinfo", "/etc/os-release",
			"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding", "/proc/sys/net/ipv6/conf/all/disable_ipv6",
			cpus + "/smt/active", cpus + "/smt/control", cpus + "/isolated", "/sys/devices/system/node/has_cpu",
			cpus + "/cpu[0-9]*/topology/physical_package_id", cpus + "/cpu[0-9]*/topology/die_id", cpus + "/cpu[0-9]*/topology/core_id", cpus + "/cpu[0-9]*/topology/thread_siblings_list",
			pools + "/*/nr_hugepages", pools + "/*/free_hugepages",
			"/sys/block/*/size", "/sys/block/*/queue/rotational", "/sys/block/*/dm/uuid",
			links + "/*/type", links + "/*/address", links + "/*/speed", links + "/*/device/sriov_totalvfs", links + "/*/device/sriov_numvfs",
			smbiosAt, networks + "/*.conf", networks + "/*.conflist", networks + "/*.json",
		},
		"-digest": {"/etc/containerd/config.toml", "/etc/crio/crio.conf", "/etc/chrony/chrony.conf", "/etc/chrony.conf", "/etc/sysctl.conf", "/etc/sysctl.d/*.conf", "/usr/lib/sysctl.d/*.conf", "/etc/modules-load.d/*.conf"},
		"-link":   {"/sys/dev/block/*", links + "/*/device/driver", links + "/*/device/subsystem"},
		"-name":   append(kept(), "/sys/fs/cgroup/cgroup.controllers", links+"/*/device", links+"/*/device/physfn", links+"/*/device/ptp/ptp*", "/sys/block/*/slaves/*", "/opt/cni/bin/*", "/usr/lib/cni/*", plugins+"/*.sock"),
		"-run":    {debs, rpms, machine, tracking, sources, runc, crun, container},
	}
	var args []string
	for _, flag := range []string{"-file", "-digest", "-link", "-name", "-run"} {
		for _, value := range all[flag] {
			args = append(args, flag, value)
		}
	}
	return args
}

// Read reads a document. One that is cut off, or that ra2-read didn't end, is an
// error and no half of a node.
func Read(data []byte) (Said, error) {
	var s Said
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read what ra2-read printed (%d bytes): %w", len(data), err)
	}
	if !s.Done {
		return s, errors.New("ra2-read was ended before it had read all")
	}
	return s, nil
}

// Facts returns what a document says of the node.
func (s Said) Facts() conform.NodeFacts {
	return conform.NodeFacts{
		KernelLine: s.text("/proc/cmdline"), Kernel: s.text("/proc/sys/kernel/osrelease"), Build: s.text("/proc/sys/kernel/version"), OSRelease: s.release(), Packages: s.packages(),
		Verity: s.verity(), Mounts: s.mounts(), CgroupV2: s.unified(), Sysctls: s.sysctls(), Virtual: s.virtual(), CPU: s.cpu(),
		MemoryKiB: s.memory(), HugePages: s.hugePages(), Disks: s.disks(), NICs: s.nics(), Slots: s.slots(), Runtime: s.runtime(), Time: s.clock(),
		CNI: s.cni(), Plugins: s.named(plugins, "*.sock"), Files: s.Digests,
	}
}

// text returns a file that is one value; empty where it isn't there.
func (s Said) text(path ...string) string { return strings.TrimSpace(s.Files[strings.Join(path, "/")]) }

// number returns a file that is one whole number.
func (s Said) number(path ...string) (int64, bool) {
	n, err := strconv.ParseInt(s.text(path...), 10, 64)
	return n, err == nil
}

// has reports whether a path is there.
func (s Said) has(path string) bool { return slices.Contains(s.Names, path) }

// named returns the names in a folder, sorted; nil when there are none.
func (s Said) named(dir, glob string) []string {
	var all []string
	for _, name := range s.Names {
		if ok, _ := path.Match(dir+"/"+glob, name); ok {
			all = append(all, path.Base(name))
		}
	}
	slices.Sort(all)
	return all
}

// folders returns the names of what lies in dir, of which a file or a name below
// was told, sorted.
func (s Said) folders(dir string) []string {
	seen := map[string]bool{}
	note := func(p string) {
		if rest, ok := strings.CutPrefix(p, dir+"/"); ok {
			if name, _, deeper := strings.Cut(rest, "/"); deeper {
				seen[name] = true
			}
		}
	}
	for p := range s.Files {
		note(p)
	}
	for _, p := range s.Names {
		note(p)
	}
	all := make([]string, 0, len(seen))
	for name := range seen {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
