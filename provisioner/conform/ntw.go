package conform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// network binds the rows about networking. Those about load balancers stand in
// balancer.go, those about further networks of a pod in attach.go.
func network() map[string]binding {
	return map[string]binding{
		"ra2.ntw.001": setting(administered, workloadParts()...),
		"ra2.ntw.002": setting(byCNI, workloadParts(Nodes)...),
		"ra2.ntw.003": behaviour(fiveAttachments, workloadParts(CustomTypes)...),
		"ra2.ntw.004": setting(requested, CustomTypes),
		"ra2.ntw.005": setting(multiplexer, workloadParts()...),
		"ra2.ntw.006": setting(multiplexed(throughCNI), workloadParts(Nodes)...),
		"ra2.ntw.007": behaviour(multiplexed(always(ProbeTwoPlugins, "one pod with attachments of two plugin types", "see the log of the multiplexer on the pod's node")), workloadParts()...),
		"ra2.ntw.008": setting(ofHighPerformance(sriovPlugin), workloadParts(Nodes)...),
		"ra2.ntw.009": setting(multiplexed(attachmentConfigs), workloadParts(CustomOf(attachments))...),
		"ra2.ntw.010": setting(ofHighPerformance(userPlane), Nodes),
		"ra2.ntw.011": behaviour(natLess),
		"ra2.ntw.012": setting(ofHighPerformance(accelerators), Nodes),
		"ra2.ntw.013": setting(podFamilies, Nodes, Pods),
		"ra2.ntw.014": behaviour(networkPolicy, workloadParts(Served)...),
		"ra2.ntw.015": setting(multiplexed(addressManagement), workloadParts(CustomOf(attachments), CustomTypes)...),
		"ra2.ntw.016": setting(multiplexed(networkDefinitions), workloadParts(CustomTypes)...),
		"ra2.ntw.017": behaviour(balances, workloadParts(Services)...),
		"ra2.ntw.018": behaviour(loadBalancerService, Services),
		"ra2.ntw.019": setting(gatewayAPI, CustomTypes, CustomOf(gatewayClasses)),
		"ra2.ntw.020": behaviour(advertised, workloadParts(CustomTypes)...),
		"ra2.ntw.021": behaviour(multipath, workloadParts(CustomTypes)...),
		"ra2.ntw.022": behaviour(failover),
		"ra2.ntw.023": setting(ofRealTime(timeSensitive), Nodes),
	}
}

// always judges by one probe, whatever the cluster is like.
func always(name, want, do string) func(Snapshot) []Finding { return probed(name, want, do) }

// dualStack is ra2.k8s.010: both families for services, nodes and pods. RA2
// names a gate that is gone since 1.25; what the cluster does is what counts.
func dualStack(s Snapshot) []Finding {
	const do = "form the cluster with two pod and two service networks (podSubnet, serviceSubnet)"
	var cidrs []string
	for _, c := range s.ServiceCIDRs {
		cidrs = append(cidrs, c.Spec.CIDRs...)
	}
	all := []Finding{either(bothFamilies(cidrs), "", "service addresses of both families", orNone(few(cidrs)), do, s.saw(ServiceCIDRs, "servicecidrs", ".items[*].spec.cidrs", cidrs))}
	all = append(all, s.each(func(n corev1.Node) Finding {
		if len(n.Spec.PodCIDRs) == 0 {
			f := notApplicable("the CNI gives pods addresses by itself: the node has no podCIDRs", s.saw(Nodes, ofNode(n), ".spec.podCIDRs", ""))
			f.Subject = ofNode(n)
			return f
		}
		return either(bothFamilies(n.Spec.PodCIDRs), ofNode(n), "pod addresses of both families", few(n.Spec.PodCIDRs), do, s.saw(Nodes, ofNode(n), ".spec.podCIDRs", n.Spec.PodCIDRs))
	})...)
	all = append(all, podFamilies(s)...)
	if _, done := s.probe(ProbeDualStack); done {
		all = append(all, s.byProbe(ProbeDualStack, "pods of two nodes reach each other by both families", do))
	}
	return all
}

// podFamilies is ra2.ntw.013: pods on each node really have an address of each
// family. Pods on the node's own network say nothing of the CNI.
func podFamilies(s Snapshot) []Finding {
	var all []Finding
	for _, n := range sortedNodes(s.Nodes) {
		var good, one []string
		for _, p := range s.podsOn[n.Name] {
			if p.Spec.HostNetwork || podEnded(p) || len(p.Status.PodIPs) == 0 {
				continue
			}
			var ips []string
			for _, ip := range p.Status.PodIPs {
				ips = append(ips, ip.IP)
			}
			if bothFamilies(ips) {
				good = append(good, ofPod(p))
			} else {
				one = append(one, ofPod(p))
			}
		}
		if len(good)+len(one) == 0 {
			continue // nothing runs there that would tell
		}
		example := append(slices.Clone(one), good...)[0]
		got := fmt.Sprintf("%d have both, %d one", len(good), len(one))
		all = append(all, either(len(one) == 0, ofNode(n), "pods with an address of each family", got, "use a CNI that has both families", s.saw(Pods, example, ".status.podIPs", got)))
	}
	if _, done := s.probe(ProbeDualStack); done {
		all = append(all, s.byProbe(ProbeDualStack, "pods of two nodes reach each other by both families", "use a CNI that has both families"))
	}
	return all
}

// administered is ra2.ntw.001: the pod network is objects of the cluster.
func administered(s Snapshot) []Finding {
	const want = "the pod network is deployed and configured by objects of the API"
	found := s.find(roleCNI)
	if len(found) == 0 {
		return []Finding{{Verdict: Unknown, Want: want, Missing: []string{"no CNI that is known was found among the images of DaemonSets, Deployments, StatefulSets and static pods"}}}
	}
	return []Finding{ok("", want, productsOf(found)+", as "+found[0].object, s.saying(found)...)}
}

// byCNI is ra2.ntw.002: a kubelet since 1.24 has no other way to a pod network
// than CNI, and says Ready only when the runtime has loaded one.
func byCNI(s Snapshot) []Finding {
	return s.each(func(n corev1.Node) Finding {
		v := n.Status.NodeInfo.KubeletVersion
		var ready corev1.NodeCondition
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				ready = c
			}
		}
		seen := s.saw(Nodes, ofNode(n), `.status.conditions[?(@.type=="Ready")].message`, ready.Message)
		const want = "a CNI plugin that the runtime has loaded"
		switch broken := strings.Contains(strings.ToLower(ready.Message), "cni") || strings.Contains(ready.Message, "NetworkPluginNotReady"); {
		case broken:
			return bad(ofNode(n), want, ready.Message, "see the CNI's pods on it: kubectl get pods -A -o wide --field-selector spec.nodeName="+n.Name, seen)
		case !isReady(n):
			return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Got: ready.Message, Evidence: []Evidence{seen}, Missing: []string{"nodes: the node is not Ready"}}
		case minor(v) >= 24:
			return ok(ofNode(n), want, "the kubelet "+v+" is Ready, which takes one; "+orNone(productsOf(s.find(roleCNI))), seen)
		}
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Missing: []string{"nodes: kubelets before 1.24 may use kubenet, and this one is " + v}}
	})
}

// networkPolicy is ra2.k8s.014 and ra2.ntw.014: policies are enforced. The API
// is always served, so only doing proves it; that a CNI doesn't enforce them
// is known without.
func networkPolicy(s Snapshot) []Finding {
	const want, do = "network policies are enforced", "use a CNI that enforces them (Calico, Cilium, Antrea, kube-router), or add kube-network-policies"
	if !slices.ContainsFunc(s.Served, func(g GroupVersion) bool {
		return g.String() == "networking.k8s.io/v1" && slices.Contains(g.Resources, "networkpolicies")
	}) {
		return []Finding{bad("", want, "the API server doesn't serve networkpolicies", do, s.saw(Served, "GET /apis/networking.k8s.io/v1", ".resources[*].name", ""))}
	}
	if _, done := s.probe(ProbeNetworkPolicy); done {
		return []Finding{s.byProbe(ProbeNetworkPolicy, want, do)}
	}
	cni, enforcing := s.find(roleCNI), s.find(rolePolicy)
	if len(cni) > 0 && len(enforcing) == 0 && !slices.ContainsFunc(cni, func(d deployed) bool { return d.product != "flannel" }) {
		return []Finding{bad("", want, "flannel carries pods and enforces no policy, and nothing beside it does", do, s.saying(cni)...)}
	}
	f := s.byProbe(ProbeNetworkPolicy, want, do)
	f.Evidence = append(f.Evidence, s.saying(enforcing)...)
	return []Finding{f}
}

// natLess is ra2.ntw.011, asked where a workload needs its own address to be
// seen; nothing in a cluster tells that it does.
func natLess(s Snapshot) []Finding {
	if _, done := s.probe(ProbeNATLess); done {
		return []Finding{s.byProbe(ProbeNATLess, "somebody outside sees the pod's own address", "use an address pool without NAT")}
	}
	return []Finding{notApplicable("nothing in the cluster says that a workload needs its addresses preserved; ask for the probe " + ProbeNATLess + " if one does")}
}

// sriovPlugin is ra2.ntw.008.
func sriovPlugin(s Snapshot, n corev1.Node) Finding {
	const want, do = "an SR-IOV device plugin that announces virtual functions", "deploy sriov-network-device-plugin, and list the functions in its pools"
	found := s.find(roleSRIOV)
	if len(found) == 0 {
		return bad(ofNode(n), want, "no such plugin is deployed", do, s.absent(roleSRIOV).Evidence...)
	}
	pools, others := extended(n, func(name string) bool { return networkPool.MatchString(name) })
	seen := append(s.saying(found), s.saw(Nodes, ofNode(n), ".status.allocatable", orNone(few(append(slices.Clone(pools), others...)))))
	if len(pools) == 0 && len(others) > 0 {
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Got: few(others), Evidence: seen, Missing: []string{"nodes: their names don't say whether these resources are virtual functions"}}
	}
	return either(len(pools) > 0, ofNode(n), want, orNone(few(pools)), do, seen...)
}

// networkPool matches names by which pools of virtual functions are called.
// The operator chooses them freely.
var networkPool = regexp.MustCompile(`(?i)(sriov|vf|netdev|dpdk|vfio|rdma|\bnic|net_|_net\b)`)

// extended returns the resources of device plugins that a node offers: those
// that match, and the others.
func extended(n corev1.Node, match func(name string) bool) (matching, others []string) {
	for name, q := range n.Status.Allocatable {
		switch {
		case isNative(name) || q.Value() == 0:
		case match(string(name)):
			matching = append(matching, fmt.Sprintf("%s: %s", name, q.String()))
		default:
			others = append(others, fmt.Sprintf("%s: %s", name, q.String()))
		}
	}
	return matching, others
}

// isNative reports whether a resource is Kubernetes' own.
func isNative(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), "kubernetes.io/")
}

// userPlane is ra2.ntw.010: the CNI plugins are there, by what a node tells.
func userPlane(s Snapshot, n corev1.Node) Finding {
	const want, do = "a CNI plugin for DPDK, VPP or SR-IOV", "install sriov-cni or userspace CNI"
	told, lack := s.toldBy(n, want)
	if lack != nil {
		lack.Missing = lack.Missing[:1]
		return *lack
	}
	if told.CNI.Bin == nil {
		return untold(n, want, "its CNI plugins")
	}
	var found []string
	for _, name := range []string{"sriov", "ib-sriov", "userspace", "ovs", "vpp", "accelerated-bridge", "host-device"} {
		if slices.Contains(told.CNI.Bin, name) {
			found = append(found, name)
		}
	}
	return either(len(found) > 0, ofNode(n), want, orNone(few(found)), do, s.heard(n.Name, "ls /opt/cni/bin", told.CNI.Bin))
}

// accelerators is ra2.ntw.012: each accelerator that NFD sees (PCI class 12,
// processing accelerators; 0300 and 0302, displays and 3D) has a resource.
func accelerators(s Snapshot, n corev1.Node) Finding {
	var cards []string
	labelled := false
	for key := range n.Labels {
		feature, ok := strings.CutPrefix(key, featurePrefix)
		labelled = labelled || ok
		if rest, pci := strings.CutPrefix(feature, "pci-"); ok && pci && (strings.HasPrefix(rest, "12") || strings.HasPrefix(rest, "0302")) {
			cards = append(cards, feature)
		}
	}
	switch {
	case !labelled:
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: "a device plugin for each accelerator", Missing: []string{"nodes: Node Feature Discovery doesn't label this one, so its accelerators are not known"}}
	case len(cards) == 0:
		f := notApplicable("the node has no accelerator, says Node Feature Discovery", s.saw(Nodes, ofNode(n), ".metadata.labels", "no feature pci-12…"))
		f.Subject = ofNode(n)
		return f
	}
	devices, others := extended(n, func(name string) bool { return !networkPool.MatchString(name) && vendorOf(cards, name) })
	seen := s.saw(Nodes, ofNode(n), ".status.allocatable", orNone(few(append(slices.Clone(devices), others...))))
	others = slices.DeleteFunc(others, networkPool.MatchString)
	if len(devices) == 0 && len(others) > 0 {
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: "a device plugin for " + few(cards), Got: few(others), Evidence: []Evidence{seen}, Missing: []string{"nodes: their names don't say whether these resources are the accelerators"}}
	}
	return either(len(devices) > 0, ofNode(n), "a device plugin for "+few(cards), orNone(few(devices)), "deploy the vendor's device plugin", seen)
}

// vendorOf reports whether a resource is named by the vendor of one of the
// cards, "pci-1200_8086.present": the number behind the class is the PCI vendor.
func vendorOf(cards []string, resource string) bool {
	for number, domain := range map[string]string{"8086": "intel.", "10de": "nvidia.", "1002": "amd.", "1022": "amd.", "10ee": "xilinx.", "1da3": "habana.", "177d": "marvell."} {
		if strings.Contains(resource, domain) && slices.ContainsFunc(cards, func(c string) bool { return strings.Contains(c, "_"+number) }) {
			return true
		}
	}
	return false
}
