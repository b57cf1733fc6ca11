package mutate

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Network returns the mutations of the rows about networking (ra2.ntw).
func Network() []Mutation {
	const nads = "network-attachment-definitions.k8s.cni.cncf.io"
	config := func(text string) change {
		return func(s *conform.Snapshot) { s.Custom[nads][0]["spec"] = map[string]any{"config": text} }
	}
	onLink := all(func(s *conform.Snapshot) {
		delete(s.Custom, "bgppeers.metallb.io")
		s.Custom["l2advertisements.metallb.io"] = []conform.Object{{"metadata": map[string]any{"name": "link", "namespace": "metallb-system"}}}
	}, without(conform.ProbeAdvertise, conform.ProbeMultipath))
	return []Mutation{
		{"ra2.ntw.002", "a node whose CNI isn't loaded", nil, node("worker-a", func(n *corev1.Node) {
			n.Status.Conditions[0].Status, n.Status.Conditions[0].Message = corev1.ConditionFalse, "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
		})},
		{"ra2.ntw.003", "a pod that didn't get five networks", nil, fails(conform.ProbeAttachments)},
		{"ra2.ntw.003", "nothing that attaches networks", nil, all(undeployed("multus"), untyped(nads), without(conform.ProbeAttachments))},
		{"ra2.ntw.004", "no type to ask by", nil, untyped(nads)},
		{"ra2.ntw.005", "a multiplexer that isn't ready", nil, func(s *conform.Snapshot) {
			for i := range s.DaemonSets {
				if s.DaemonSets[i].Name == "multus" {
					s.DaemonSets[i].Status.NumberReady = 5
				}
			}
		}},
		{"ra2.ntw.006", "another plugin comes first", nil, fact(func(f *conform.NodeFacts) {
			f.CNI.Configs = []conform.CNIConfig{{File: "05-cilium.conflist", Types: []string{"cilium-cni"}}}
		})},
		{"ra2.ntw.007", "a pod that got one of two", nil, fails(conform.ProbeTwoPlugins)},
		{"ra2.ntw.008", "no plugin", nil, undeployed("sriov-network-device-plugin")},
		{"ra2.ntw.008", "no functions announced", nil, node("worker-a", func(n *corev1.Node) {
			delete(n.Status.Allocatable, "intel.com/sriov_net")
			delete(n.Status.Allocatable, "intel.com/fpga-af")
		})},
		{"ra2.ntw.009", "a configuration without a type", nil, config(`{"cniVersion":"1.0.0"}`)},
		{"ra2.ntw.009", "a configuration that can't be read", nil, config(`{`)},
		{"ra2.ntw.010", "no plugin for user space", nil, fact(func(f *conform.NodeFacts) { f.CNI.Bin = []string{"bridge"} })},
		{"ra2.ntw.011", "an address that was changed", nil, fails(conform.ProbeNATLess)},
		{"ra2.ntw.012", "an accelerator without a plugin, beside virtual functions", nil, node("worker-a", func(n *corev1.Node) { delete(n.Status.Allocatable, "intel.com/fpga-af") })},
		{"ra2.ntw.013", "a pod with one family", nil, func(s *conform.Snapshot) {
			last := &s.Pods[len(s.Pods)-1]
			last.Status.PodIPs = last.Status.PodIPs[:1]
		}},
		{"ra2.ntw.014", "policies that don't hold", nil, fails(conform.ProbeNetworkPolicy)},
		{"ra2.ntw.015", "each node gives out its own addresses", nil, config(`{"cniVersion":"1.0.0","type":"macvlan","ipam":{"type":"host-local"}}`)},
		{"ra2.ntw.015", "the same address twice", nil, fails(conform.ProbeIPAM)},
		{"ra2.ntw.016", "the type in another version", nil, func(s *conform.Snapshot) {
			for i := range s.CustomTypes {
				if s.CustomTypes[i].Name() == nads {
					s.CustomTypes[i].Versions = []string{"v1alpha1"}
				}
			}
		}},
		{"ra2.ntw.017", "flows to one pod only", nil, fails(conform.ProbeBalance)},
		{"ra2.ntw.018", "a Service that waits for an address", nil, all(without(conform.ProbeLoadBalancer), waits)},
		{"ra2.ntw.019", "a class that isn't accepted", nil, func(s *conform.Snapshot) {
			s.Custom["gatewayclasses.gateway.networking.k8s.io"][0]["status"] = map[string]any{}
		}},
		{"ra2.ntw.020", "no route at a peer", nil, fails(conform.ProbeAdvertise)},
		{"ra2.ntw.020", "announced on the link only", nil, onLink},
		{"ra2.ntw.021", "one next hop", nil, fails(conform.ProbeMultipath)},
		{"ra2.ntw.021", "announced on the link only", nil, onLink},
		{"ra2.ntw.022", "an outage of nine seconds when a pod is lost", nil, measured(conform.ProbeFailover, "podOutageSeconds", 9)},
		{"ra2.ntw.022", "an outage of nine seconds when a node is lost", nil, measured(conform.ProbeFailover, "nodeOutageSeconds", 9)},
	}
}

// Platform returns the mutations of the rows about runtime, storage, packages
// and platform services (ra2.crt, stg, pkg, plat).
func Platform() []Mutation {
	tiller := func(s *conform.Snapshot) {
		s.Pods = append(s.Pods, pod("kube-system", "tiller", "worker-a", nil, true, corev1.Container{Name: "tiller", Image: "gcr.io/kubernetes-helm/tiller:v2.17.0"}))
	}
	byHand := func(s *conform.Snapshot) { s.Deployments[0].Annotations = nil }
	muts := []Mutation{
		{"ra2.crt.001", "an old specification", nil, fact(func(f *conform.NodeFacts) { f.Runtime.OCISpec = "0.9.0" })},
		{"ra2.crt.002", "docker below an old kubelet", nil, node("worker-a", func(n *corev1.Node) {
			n.Status.NodeInfo.ContainerRuntimeVersion, n.Status.NodeInfo.KubeletVersion = "docker://20.10.7", "v1.23.4"
		})},
		{"ra2.stg.001", "no ephemeral storage", nil, node("worker-a", func(n *corev1.Node) { delete(n.Status.Allocatable, corev1.ResourceEphemeralStorage) })},
		{"ra2.stg.001", "a pod that can't write", nil, fails(conform.ProbeEphemeral)},
		{"ra2.stg.004", "a claim that lost its volume", nil, func(s *conform.Snapshot) { s.VolumeClaims[0].Status.Phase = corev1.ClaimLost }},
		{"ra2.stg.005", "a volume that can't be read", nil, fails(conform.ProbeVolumes)},
		{"ra2.stg.005", "nothing that binds a claim", without(conform.ProbeVolumes), func(s *conform.Snapshot) {
			s.StorageClasses = nil
			for i := range s.Pods {
				s.Pods[i].Spec.Volumes = s.Pods[i].Spec.Volumes[:3]
			}
		}},
		{"ra2.stg.006", "a worker without the driver", nil, func(s *conform.Snapshot) { s.CSINodes[3].Spec.Drivers = nil; s.CSINodes[1].Spec.Drivers = nil }},
		{"ra2.stg.007", "no default class", nil, func(s *conform.Snapshot) { s.StorageClasses[0].Annotations = nil }},
		{"ra2.pkg.001", "Tiller", nil, tiller},
		{"ra2.pkg.002", "a workload that was applied by hand", nil, byHand},
		{"ra2.plat.003", "a Service that waits for an address", nil, all(without(conform.ProbeLoadBalancer), waits)},
		{"ra2.plat.005", "the failover failed", nil, fails(conform.ProbeFailover)},
		{"ra2.plat.008", "backends by chance", without(conform.ProbeRoundRobin), func(s *conform.Snapshot) { s.Config[1].Data = map[string]string{"config.conf": "mode: nftables\n"} }},
		{"ra2.plat.015", "a mesh without the interface", nil, untyped("trafficsplits.split.smi-spec.io")},
		{"ra2.plat.020", "logs without a limit", nil, kubelet("containerLogMaxSize", "")},
		{"ra2.plat.025", "a clock that follows another source", nil, fact(func(f *conform.NodeFacts) { f.Time.Source = "192.0.2.9" })},
		{"ra2.plat.030", "Tiller", nil, tiller},
		{"ra2.plat.030", "a workload that was applied by hand", nil, byHand},
	}
	for row, probe := range map[string]string{
		"004": conform.ProbeScale, "006": conform.ProbeZone, "007": conform.ProbeBalance, "009": conform.ProbeBalancerLogs, "010": conform.ProbeHealth,
		"011": conform.ProbeDirectReturn, "012": conform.ProbeStateful, "013": conform.ProbeUDP, "014": conform.ProbeFragments,
	} {
		muts = append(muts, Mutation{Row: "ra2.plat." + row, Name: "the probe " + probe + " fails", Break: fails(probe)})
	}
	for n := 18; n <= 40; n++ {
		row, probe := "0"+strconv.Itoa(n), conform.ProbeEgress
		switch {
		case n == 20 || n == 25 || n > 29 && n < 34:
			continue
		case n < 30:
			probe = conform.ProbeLogs
		}
		muts = append(muts, Mutation{Row: "ra2.plat." + row, Name: "the probe " + probe + "-" + row + " fails", Break: fails(probe + "-" + row)})
	}
	return muts
}
