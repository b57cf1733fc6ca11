package conform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// kubernetes binds the rows about Kubernetes itself.
func kubernetes() map[string]binding {
	return map[string]binding{
		"ra2.k8s.001":  cannot("the row asks whether the CNCF lists the product as conformant, which no cluster tells: look at cncf.io/training/certification/software-conformance, and waive the row with what you found"),
		"ra2.k8s.002":  setting(etcdMembers, Nodes, Pods),
		"ra2.k8s.003":  setting(zones("a Ready control plane", isControlPlane), Nodes),
		"ra2.k8s.012a": setting(controlPlane, Nodes, Pods),
		"ra2.k8s.004":  setting(zones("a Ready worker", isWorker), Nodes),
		"ra2.k8s.005":  setting(versions, Nodes, Server),
		"ra2.k8s.006":  setting(aligned, Nodes),
		"ra2.k8s.007":  setting(ofHighPerformance(devicePlugins), Nodes),
		"ra2.k8s.008":  setting(reserved, Nodes),
		"ra2.k8s.009":  behaviour(pinning, Nodes),
		"ra2.k8s.010":  setting(dualStack, Nodes, Pods, ServiceCIDRs),
		"ra2.k8s.011":  setting(profileLabels, Nodes),
		"ra2.k8s.012b": setting(unstable("alpha"), Served, CustomTypes, APIServices, Pods),
		"ra2.k8s.013":  setting(stableAPIs, Served),
		"ra2.k8s.014":  behaviour(networkPolicy, workloadParts(Served)...),
		"ra2.k8s.015":  behaviour(loadBalancerService, Services),
		"ra2.k8s.016":  behaviour(ingress, IngressClasses),
		"ra2.k8s.017":  behaviour(probed(ProbeNodePort, "a Service of type NodePort answers on every node", "see the mode and nodePortAddresses of kube-proxy: kubectl get -n kube-system configmap/kube-proxy -o yaml")),
		"ra2.k8s.018":  behaviour(probed(ProbeExternalName, "a Service of type ExternalName resolves in a pod", "see the cluster's DNS: kubectl logs -n kube-system -l k8s-app=kube-dns")),
		"ra2.k8s.019":  setting(unstable("beta"), Served, CustomTypes, APIServices, Pods),
		"ra2.k8s.020":  setting(certificates, CustomTypes, CustomOf(clusterIssuers)),
		"ra2.k8s.021":  setting(allocation, Nodes, Pods, Served, StorageClasses, Volumes),
		"ra2.k8s.022":  setting(images, Nodes, Pods),
		"ra2.k8s.023":  setting(observed, APIServices, Served),
		"ra2.k8s.024":  setting(sidecars, Server, Nodes, Pods),
	}
}

// probed judges by one probe alone.
func probed(name, want, do string) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding { return []Finding{s.byProbe(name, want, do)} }
}

// etcdMembers is ra2.k8s.002: 3, 5 or 7 members, each on a control plane of
// its own. Members are what kubeadm's static pods show; a cluster with etcd
// elsewhere names its endpoints in kubeadm-config.
func etcdMembers(s Snapshot) []Finding {
	const want, do = "3, 5 or 7 members, on control planes or nodes of their own", "have 3, 5 or 7 control planes"
	members := s.component("etcd")
	if len(members) == 0 {
		return []Finding{s.externalEtcd(want, do)}
	}
	hosts := map[string]int{}
	var names, wrong []string
	for _, m := range members {
		hosts[m.Spec.NodeName]++
		names = append(names, m.Name)
		i := slices.IndexFunc(s.Nodes, func(n corev1.Node) bool { return n.Name == m.Spec.NodeName })
		switch {
		case i < 0 || !isControlPlane(s.Nodes[i]):
			wrong = append(wrong, m.Name+" is not on a control plane")
		case !podReady(m.Pod):
			wrong = append(wrong, m.Name+" is not ready")
		case hosts[m.Spec.NodeName] > 1:
			wrong = append(wrong, m.Spec.NodeName+" holds two")
		}
	}
	got := fmt.Sprintf("%d: %s", len(members), few(names))
	if len(wrong) > 0 {
		got += "; " + few(wrong)
	}
	good := slices.Contains([]int{3, 5, 7}, len(members)) && len(wrong) == 0
	return []Finding{either(good, "", want, got, do, Evidence{
		Command: "kubectl get pods -n kube-system -l component=etcd -o wide", Object: "pods", Path: ".spec.nodeName", Value: Trim(few(slices.Collect(maps.Keys(hosts)))), Time: s.Told[Pods],
	})}
}

func (s Snapshot) externalEtcd(want, do string) Finding {
	text := s.config("kubeadm-config")["ClusterConfiguration"]
	_, external, found := strings.Cut(text, "external:")
	if !found {
		f := Finding{Verdict: Unknown, Want: want, Missing: []string{"pods: none of etcd is shown (label component=etcd in kube-system), and kubeadm-config names no external one"}}
		if !s.Has(Config) {
			f.Missing = append(f.Missing, s.Lacks(Config))
		}
		return f
	}
	n := strings.Count(external, "- https://") + strings.Count(external, "- http://")
	return either(slices.Contains([]int{3, 5, 7}, n), "", want, fmt.Sprintf("%d external endpoints", n), do,
		s.saw(Config, "configmap/kube-system/kubeadm-config", ".data.ClusterConfiguration", external))
}

// zones judges that each zone has a node of a kind. A node without a zone
// leaves it open which zones there are.
func zones(want string, kind func(corev1.Node) bool) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		has := map[string][]string{}
		var all []Finding
		for _, n := range sortedNodes(s.Nodes) {
			zone := n.Labels[labelZone]
			if zone == "" {
				all = append(all, Finding{Verdict: Unknown, Subject: ofNode(n), Want: want + " in every zone", Missing: []string{"the node's zone: it has no label " + labelZone}})
				continue
			}
			if has[zone] == nil {
				has[zone] = []string{}
			}
			if kind(n) && isReady(n) {
				has[zone] = append(has[zone], n.Name)
			}
		}
		for _, zone := range slices.Sorted(maps.Keys(has)) {
			all = append(all, either(len(has[zone]) > 0, "zone/"+zone, want+" in every zone", orNone(few(has[zone])), "add such a node to the zone, or bring its own back", Evidence{
				Command: "kubectl get nodes -l " + labelZone + "=" + zone, Object: "nodes", Path: labelPath(labelZone), Value: orNone(few(has[zone])), Time: s.Told[Nodes],
			}))
		}
		return all
	}
}

// controlPlane is ra2.k8s.012a: each control plane runs the three components.
// A managed one shows no node and no pods.
func controlPlane(s Snapshot) []Finding {
	planes := where(s.Nodes, isControlPlane)
	if len(planes) == 0 {
		return []Finding{{Verdict: Unknown, Want: "API server, scheduler and controller manager on every control plane", Missing: []string{"nodes: none has the label " + labelControlPlane + ": the control plane is not shown (a managed cluster)"}}}
	}
	var all []Finding
	for _, n := range planes {
		for _, name := range []string{"kube-apiserver", "kube-scheduler", "kube-controller-manager"} {
			pods := slices.DeleteFunc(s.component(name), func(r running) bool { return r.Spec.NodeName != n.Name })
			good := slices.ContainsFunc(pods, func(r running) bool { return podReady(r.Pod) })
			got, seen := "no such pod", Evidence{
				Command: "kubectl get pods -n kube-system -l component=" + name + " -o wide", Object: "pods", Path: ".spec.nodeName", Value: "none on " + n.Name, Time: s.Told[Pods],
			}
			if len(pods) > 0 {
				got = fmt.Sprintf("%s, ready: %v", pods[0].Name, good)
				seen = s.saw(Pods, ofPod(pods[0].Pod), `.status.conditions[?(@.type=="Ready")].status`, good)
			}
			all = append(all, either(good, ofNode(n), name+" runs", got, "see why it doesn't run: kubectl describe pod -n kube-system "+name+"-"+n.Name, seen))
		}
	}
	return all
}

// versions is ra2.k8s.005: not older than the version that this release of RA2
// names, and kubelets at most three minors behind.
func versions(s Snapshot) []Finding {
	named, skew := -1, int(s.threshold("ra2.k8s.005", "max_skew_minors"))
	if s.catalogue != nil {
		named = minor(s.catalogue.Source.Kubernetes)
	}
	server := minor(s.Server.GitVersion)
	all := []Finding{either(server >= named && named > 0, "", fmt.Sprintf("Kubernetes 1.%d or newer", named), s.Server.GitVersion, "upgrade the cluster",
		s.saw(Server, "GET /version", ".gitVersion", s.Server.GitVersion))}
	return append(all, s.each(func(n corev1.Node) Finding {
		v := n.Status.NodeInfo.KubeletVersion
		behind := server - minor(v)
		return either(minor(v) > 0 && behind >= 0 && behind <= skew, ofNode(n), fmt.Sprintf("a kubelet at most %d minors behind %s, and not newer", skew, s.Server.GitVersion), v,
			"rebuild the node", s.saw(Nodes, ofNode(n), ".status.nodeInfo.kubeletVersion", v))
	})...)
}

// profileLabels is ra2.k8s.011, with keys that can exist.
func profileLabels(s Snapshot) []Finding {
	const want = labelBasic + "=true or " + labelIntensive + "=true"
	var all []Finding
	for _, n := range where(s.Nodes, isWorker) {
		var got []string
		for _, key := range []string{labelBasic, labelIntensive, labelProfile} {
			if v := n.Labels[key]; v != "" {
				got = append(got, key+"="+v)
			}
		}
		named := n.Labels[labelProfile]
		good := n.Labels[labelBasic] == "true" || n.Labels[labelIntensive] == "true" || named == "basic" || named == "network-intensive"
		all = append(all, either(good, ofNode(n), want, orNone(few(got)), "label the node once it meets the rows of its profile: kubectl label "+ofNode(n)+" "+labelBasic+"=true",
			s.saw(Nodes, ofNode(n), ".metadata.labels", orNone(few(got)))))
	}
	return all
}
