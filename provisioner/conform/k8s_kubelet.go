package conform

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// configured returns the configuration of a node's kubelet, or the finding that
// it is missing.
func (s Snapshot) configured(n corev1.Node, want string) (kubeletv1beta1.KubeletConfiguration, *Finding) {
	if s.Has(KubeletOf(n.Name)) {
		return s.Kubelets[n.Name], nil
	}
	f := s.missing(ofNode(n), want, KubeletOf(n.Name))
	return kubeletv1beta1.KubeletConfiguration{}, &f
}

// configz is the evidence of a field of a kubelet's configuration.
func (s Snapshot) configz(n corev1.Node, field string, value any) Evidence {
	return s.saw(KubeletOf(n.Name), "GET /api/v1/nodes/"+n.Name+"/proxy/configz", ".kubeletconfig."+field, value)
}

// numa is ra2.k8s.006. The gates that RA2 names beside the policies are gone.
func numa(s Snapshot, n corev1.Node) Finding {
	const want = "topologyManagerPolicy single-numa-node and cpuManagerPolicy static"
	c, lack := s.configured(n, want)
	if lack != nil {
		return *lack
	}
	return either(c.TopologyManagerPolicy == "single-numa-node" && c.CPUManagerPolicy == "static", ofNode(n), want,
		fmt.Sprintf("%s and %s", orNone(c.TopologyManagerPolicy), orNone(c.CPUManagerPolicy)), "rebuild the node with these policies",
		s.configz(n, "topologyManagerPolicy", c.TopologyManagerPolicy), s.configz(n, "cpuManagerPolicy", c.CPUManagerPolicy))
}

// aligned adds to the policies that a pod that was pinned has processors of one NUMA
// node, where one was pinned.
func aligned(s Snapshot) []Finding {
	all := ofHighPerformance(numa)(s)
	p, done := s.probe(ProbePinning)
	nodes, measured := p.Numbers["numaNodes"]
	if len(s.claimants()) == 0 || !done || p.Outcome != Pass || !measured || nodes == 0 {
		return all
	}
	f := s.byProbe(ProbePinning, "", "")
	return append(all, either(nodes == 1, "", "a pod with processors of one NUMA node", fmt.Sprintf("of %.0f", nodes), "see kubelet_topology_manager_admission_errors_total: kubectl get --raw /api/v1/nodes/NODE/proxy/metrics", f.Evidence...))
}

// devicePlugins is ra2.k8s.007: they can't be switched off since 1.26, when the
// gate became a constant; it is gone since 1.28.
func devicePlugins(s Snapshot, n corev1.Node) Finding {
	const want = "device plugins on"
	v := n.Status.NodeInfo.KubeletVersion
	seen := s.saw(Nodes, ofNode(n), ".status.nodeInfo.kubeletVersion", v)
	if m := minor(v); m >= 26 {
		return ok(ofNode(n), want, "they can't be switched off in "+v, seen)
	}
	c, lack := s.configured(n, want)
	if lack != nil {
		return *lack
	}
	on, set := c.FeatureGates["DevicePlugins"]
	return either(on || !set, ofNode(n), want, fmt.Sprintf("gate DevicePlugins set: %v, on: %v", set, on || !set), "remove the gate", seen, s.configz(n, "featureGates", c.FeatureGates))
}

// reserved is ra2.k8s.008: two SMT threads or more in the kubelet's list of
// reserved processors.
func reserved(s Snapshot) []Finding {
	least := int(s.threshold("ra2.k8s.008", "reserved_smt_threads"))
	want := fmt.Sprintf("%d or more threads in reservedSystemCPUs", least)
	return s.each(func(n corev1.Node) Finding {
		c, lack := s.configured(n, want)
		if lack != nil {
			return *lack
		}
		cpus := cpuList(c.ReservedSystemCPUs)
		got := fmt.Sprintf("%d (%s)", len(cpus), orNone(c.ReservedSystemCPUs))
		if told := s.Facts[n.Name]; s.Has(FactsOf(n.Name)) && len(cpus) > 0 && !siblings(cpus, told.CPU.Siblings) {
			got += "; they are not all threads of whole cores"
		}
		return either(len(cpus) >= least, ofNode(n), want, got, "reserve the two threads of one core for the system: reservedSystemCPUs of the kubelet", s.configz(n, "reservedSystemCPUs", c.ReservedSystemCPUs))
	})
}

// cpuList reads the kernel's form of a list: "0-1,40".
func cpuList(text string) []int {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		last := first
		if ranged {
			if last, err = strconv.Atoi(to); err != nil || last-first > 1<<16 {
				continue
			}
		}
		for n := first; n <= last; n++ {
			all = append(all, n)
		}
	}
	return all
}

// siblings reports whether, of each core that a list has a thread of, it has
// all. A node that told of no siblings is taken to be in order.
func siblings(cpus []int, of map[string][]int) bool {
	in := map[int]bool{}
	for _, n := range cpus {
		in[n] = true
	}
	for _, n := range cpus {
		for _, other := range of[strconv.Itoa(n)] {
			if !in[other] {
				return false
			}
		}
	}
	return true
}

// pinning is ra2.k8s.009: the policy on each node, and that a pod was pinned by way
// of trial. A policy that isn't set decides it alone.
func pinning(s Snapshot) []Finding {
	all := ofHighPerformance(staticPolicy)(s)
	if worst(all) != Pass {
		return all
	}
	return append(all, s.byProbe(ProbePinning, "a Guaranteed pod with whole CPUs has them alone", "see /var/lib/kubelet/cpu_manager_state on the node that the probe names"))
}

func staticPolicy(s Snapshot, n corev1.Node) Finding {
	const want = "cpuManagerPolicy static"
	c, lack := s.configured(n, want)
	if lack != nil {
		return *lack
	}
	return either(c.CPUManagerPolicy == "static", ofNode(n), want, orNone(c.CPUManagerPolicy), "rebuild the node with this policy", s.configz(n, "cpuManagerPolicy", c.CPUManagerPolicy))
}
