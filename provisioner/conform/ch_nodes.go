package conform

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// cpuAllocation is ra2.ch.006: on each node what pods request, and what they
// are limited to, stays below what the node can give. A workload's container
// without a limit can take everything; the platform's own pods have none by
// habit, and what they use is reserved (ra2.k8s.008).
func cpuAllocation(s Snapshot) []Finding {
	return s.each(func(n corev1.Node) Finding {
		var requests, limits resource.Quantity
		var unlimited []string
		for _, p := range s.podsOn[n.Name] {
			if podEnded(p) {
				continue
			}
			for _, c := range lasting(p) {
				requests.Add(*c.Resources.Requests.Cpu())
				limits.Add(*c.Resources.Limits.Cpu())
				if c.Resources.Limits.Cpu().IsZero() && !isPlatform(p.Namespace) {
					unlimited = append(unlimited, p.Namespace+"/"+p.Name)
				}
			}
		}
		can := n.Status.Allocatable[corev1.ResourceCPU]
		want := "the pods' CPU requests and limits below " + can.String()
		got := fmt.Sprintf("requests %s, limits %s", requests.String(), limits.String())
		if len(unlimited) > 0 {
			got += "; without a limit: " + few(unlimited)
		}
		good := requests.Cmp(can) < 0 && limits.Cmp(can) < 0 && len(unlimited) == 0
		return either(good, ofNode(n), want, got, "give every workload a CPU limit equal to its request (LimitRange), and a ResourceQuota to its namespace",
			s.saw(Nodes, ofNode(n), ".status.allocatable.cpu", can.String()),
			Evidence{Command: "kubectl describe node/" + n.Name, Object: ofNode(n), Path: "Allocated resources", Value: got, Time: s.Told[Pods]})
	})
}

// lasting returns the containers that run as long as the pod: an init container
// that is always restarted (a sidecar) is one of them.
func lasting(p corev1.Pod) []corev1.Container {
	all := slices.Clone(p.Spec.Containers)
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			all = append(all, c)
		}
	}
	return all
}

// nodeDualStack is ra2.ch.007: a node has an address of each family that is
// good beyond its link.
func nodeDualStack(s Snapshot) []Finding {
	return s.each(func(n corev1.Node) Finding {
		var got []string
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				got = append(got, a.Address)
			}
		}
		return either(bothFamilies(got), ofNode(n), "an IPv4 and an IPv6 address that are not link-local", strings.Join(got, ", "),
			"give the node both addresses, and the kubelet --node-ip=V4,V6",
			s.saw(Nodes, ofNode(n), `.status.addresses[?(@.type=="InternalIP")].address`, strings.Join(got, " ")))
	})
}

// localStorage is ra2.ch.010, by what the kubelet measures of the file system
// that holds images and containers. GB is 10^9 bytes.
func localStorage(s Snapshot) []Finding {
	least := s.threshold("ra2.ch.010", "local_fs_gb_min")
	return s.each(func(n corev1.Node) Finding {
		want := fmt.Sprintf("%.0f GB of local file system for images and containers", least)
		has, told := n.Status.Capacity[corev1.ResourceEphemeralStorage]
		if !told {
			return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Missing: []string{"nodes: the kubelet tells no capacity of ephemeral-storage"}}
		}
		gb := has.AsApproximateFloat64() / 1e9
		return either(gb >= least, ofNode(n), want, fmt.Sprintf("%.1f GB", gb), "use a larger disk, or waive the row",
			s.saw(Nodes, ofNode(n), ".status.capacity.ephemeral-storage", has.String()))
	})
}

// nodeMemory is ra2.ch.012 by what a node tells. The kernel's MemTotal is
// smaller than what is installed, so it is rounded up to GiB.
func nodeMemory(s Snapshot, n corev1.Node) Finding {
	least := s.threshold("ra2.ch.012", "ram_gb_min")
	has := n.Status.Capacity[corev1.ResourceMemory]
	gb := math.Ceil(has.AsApproximateFloat64()/(1<<30)) * (1 << 30) / 1e9
	return either(gb >= least, ofNode(n), fmt.Sprintf("%.0f GB of memory", least), fmt.Sprintf("%.1f GB (MemTotal, rounded up to GiB)", gb),
		"add memory, or waive the row", s.saw(Nodes, ofNode(n), ".status.capacity.memory", has.String()))
}

func enoughVCPUs(s Snapshot, n corev1.Node) Finding {
	has := n.Status.Capacity[corev1.ResourceCPU]
	least := s.threshold("ra2.ch.011", "vcpu_min")
	return either(has.AsApproximateFloat64() >= least, ofNode(n), fmt.Sprintf("%.0f or more vCPUs", least), has.String(), "give the virtual machine more vCPUs",
		s.saw(Nodes, ofNode(n), ".status.capacity.cpu", has.String()))
}

// immutable is ra2.ch.017, as far as a node shows it: its system runs from an
// image, and nothing can be written to it.
func immutable(s Snapshot) []Finding {
	const want = "a root file system that can't be written, from a known image"
	return s.each(func(n corev1.Node) Finding {
		told, lack := s.toldBy(n, want)
		if lack != nil {
			lack.Missing = lack.Missing[:1] // a controller knows nothing of this
			return *lack
		}
		i := slices.IndexFunc(told.Mounts, func(m Mount) bool { return m.Target == "/" })
		if i < 0 {
			return untold(n, want, "its mounts")
		}
		root := told.Mounts[i]
		fixed := slices.Contains(root.Options, "ro") || slices.Contains([]string{"squashfs", "erofs"}, root.Type) || forgets(root, told.Mounts)
		image := n.Labels[labelImage]
		got := fmt.Sprintf("/ is %s (%s), image %s", root.Type, few(root.Options), orNone(few(slices.DeleteFunc([]string{image, told.Image}, func(t string) bool { return t == "" }))))
		return either(fixed && image+told.Image != "", ofNode(n), want, got, "install the node from an image (ra2-deploy does), and change nodes by replacing them",
			s.heard(n.Name, "findmnt /", root), s.saw(Nodes, ofNode(n), labelPath(labelImage), image))
	})
}

// forgets reports whether a root is an overlay whose changes are kept in memory.
func forgets(root Mount, mounts []Mount) bool {
	var upper, kind string
	for _, o := range root.Options {
		if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
			upper = dir
		}
	}
	longest := 0
	for _, m := range mounts {
		if m.Target != "/" && strings.HasPrefix(upper+"/", m.Target+"/") && len(m.Target) > longest {
			longest, kind = len(m.Target), m.Type
		}
	}
	return root.Type == "overlay" && upper != "" && (kind == "tmpfs" || kind == "ramfs")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// featureDiscovery is ra2.ch.018: NFD runs on every node and labels it. Its
// labels are counted by their prefix: any node has twenty others.
func featureDiscovery(s Snapshot) []Finding {
	const do = "deploy node-feature-discovery"
	found := s.find(roleFeatures)
	if len(found) == 0 {
		return []Finding{bad("", "Node Feature Discovery on every node", "it is not deployed", do, s.absent(roleFeatures).Evidence...)}
	}
	var all []Finding
	for _, d := range found {
		all = append(all, either(d.ready, d.object, "all of its pods ready", "ready: "+fmt.Sprint(d.ready), do, s.saying([]deployed{d})...))
	}
	return append(all, s.each(func(n corev1.Node) Finding {
		var features []string
		for key := range n.Labels {
			if strings.HasPrefix(key, featurePrefix) {
				features = append(features, key)
			}
		}
		return either(len(features) > 0, ofNode(n), "labels "+featurePrefix+"…", fmt.Sprintf("%d: %s", len(features), orNone(few(features))), do,
			s.saw(Nodes, ofNode(n), ".metadata.labels", few(features)))
	})...)
}

// zeroCopy is ra2.ch.019, asked where AF_XDP is offered.
func zeroCopy(s Snapshot) []Finding {
	if len(s.find(roleAFXDP)) == 0 {
		return []Finding{s.absent(roleAFXDP)}
	}
	const want = "a network device whose driver does AF_XDP zero copy"
	workers := where(s.Nodes, isWorker)
	var all []Finding
	for _, n := range workers {
		told, lack := s.toldBy(n, want)
		if lack != nil {
			lack.Missing = lack.Missing[:1]
			all = append(all, *lack)
			continue
		}
		var can, cannot []string
		for _, nic := range told.NICs {
			switch {
			case nic.ZeroCopy != nil && *nic.ZeroCopy:
				can = append(can, nic.Name)
			case nic.ZeroCopy != nil:
				cannot = append(cannot, nic.Name)
			}
		}
		if len(can)+len(cannot) == 0 {
			all = append(all, untold(n, want, "what its drivers can do for AF_XDP"))
			continue
		}
		all = append(all, either(len(can) > 0, ofNode(n), want, orNone(few(can)), "use a card with such a driver (ice, i40e, ixgbe, mlx5_core)",
			s.heard(n.Name, "ynl --family netdev --dump dev-get", can)))
	}
	return all
}
