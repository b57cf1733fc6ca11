package mutate

import (
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// served is what the API server serves: what chapter 6 makes mandatory, and
// the groups of the custom resources.
func served(s *conform.Snapshot) {
	for _, name := range []string{
		"admissionregistration.k8s.io/v1", "apiextensions.k8s.io/v1", "apiregistration.k8s.io/v1", "apps/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1",
		"autoscaling/v1", "autoscaling/v2", "batch/v1", "certificates.k8s.io/v1", "coordination.k8s.io/v1", "/v1", "discovery.k8s.io/v1", "events.k8s.io/v1",
		"flowcontrol.apiserver.k8s.io/v1", "networking.k8s.io/v1", "node.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1", "storage.k8s.io/v1",
		"metallb.io/v1beta2", "nfd.k8s-sigs.io/v1alpha1", "metrics.k8s.io/v1beta1",
	} {
		group, version, _ := strings.Cut(name, "/")
		g := conform.GroupVersion{Group: group, Version: version}
		if group == "networking.k8s.io" {
			g.Resources = []string{"ingresses", "ingressclasses", "networkpolicies"}
		}
		s.Served = append(s.Served, g)
	}
	s.APIServices = []conform.APIService{{Group: "metrics.k8s.io", Version: "v1beta1", Service: "kube-system/metrics-server", Available: true}}
	for name, versions := range map[string]string{
		"bgppeers.metallb.io": "v1beta2", "bgpadvertisements.metallb.io": "v1beta1", "l2advertisements.metallb.io": "v1beta1", "ipaddresspools.metallb.io": "v1beta1", "nodefeatures.nfd.k8s-sigs.io": "v1alpha1",
		"network-attachment-definitions.k8s.cni.cncf.io": "v1", "ippools.whereabouts.cni.cncf.io": "v1alpha1", "certificates.cert-manager.io": "v1", "clusterissuers.cert-manager.io": "v1",
		"gatewayclasses.gateway.networking.k8s.io": "v1", "ciliumegressgatewaypolicies.cilium.io": "v2", "trafficsplits.split.smi-spec.io": "v1alpha2",
		"sriovnetworknodestates.sriovnetwork.openshift.io": "v1",
	} {
		plural, group, _ := strings.Cut(name, ".")
		s.CustomTypes = append(s.CustomTypes, conform.CustomType{Group: group, Plural: plural, Versions: []string{versions}})
	}
}

// deployed is everything that RA2 has a row for.
func deployed(s *conform.Snapshot) {
	for _, d := range [][3]string{
		{"kube-system", "cilium", "quay.io/cilium/cilium:v1.20.2"}, {"kube-system", "multus", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.2.3-thick"},
		{"kube-system", "whereabouts", "ghcr.io/k8snetworkplumbingwg/whereabouts:v0.8.0"}, {"metallb-system", "speaker", "quay.io/metallb/speaker:v0.16.2"},
		{"node-feature-discovery", "nfd-worker", "registry.k8s.io/nfd/node-feature-discovery:v0.18.3"}, {"kube-system", "sriov", "ghcr.io/k8snetworkplumbingwg/sriov-network-device-plugin:v3"},
		{"kube-system", "afxdp", "intel/afxdp-device-plugin:v1"}, {"logging", "fluent-bit", "cr.fluentbit.io/fluent/fluent-bit:4.1"}, {"istio-system", "ztunnel", "docker.io/istio/ztunnel:1.28"},
	} {
		s.DaemonSets = append(s.DaemonSets, daemon(d[0], d[1], d[2]))
	}
	upf := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "cnf", Name: "upf",
		Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}, Annotations: map[string]string{"meta.helm.sh/release-name": "upf"}}}
	upf.Spec.Selector, upf.Spec.Template = template("upf", "registry.example/upf:v1")
	upf.Spec.Replicas = ptr(int32(3))
	upf.Status.Replicas, upf.Status.ReadyReplicas = 3, 3
	s.Deployments = []appsv1.Deployment{upf}
	named := func(name string, more conform.Object) conform.Object {
		o := conform.Object{"metadata": map[string]any{"name": name, "namespace": "kube-system"}}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	ready := func(kind string) conform.Object {
		return conform.Object{"status": map[string]any{"conditions": []any{map[string]any{"type": kind, "status": "True"}}}}
	}
	s.Custom["clusterissuers.cert-manager.io"] = []conform.Object{named("pki", ready("Ready"))}
	s.Custom["gatewayclasses.gateway.networking.k8s.io"] = []conform.Object{named("cilium", ready("Accepted"))}
	s.Custom["bgppeers.metallb.io"] = []conform.Object{named("tor-a", nil), named("tor-b", nil)}
	s.Custom["network-attachment-definitions.k8s.cni.cncf.io"] = []conform.Object{named("n6", conform.Object{"spec": map[string]any{
		"config": `{"cniVersion":"1.0.0","type":"macvlan","ipam":{"type":"whereabouts"}}`,
	}})}
	for _, n := range s.Nodes {
		s.Custom["sriovnetworknodestates.sriovnetwork.openshift.io"] = append(s.Custom["sriovnetworknodestates.sriovnetwork.openshift.io"], named(n.Name, conform.Object{"status": map[string]any{
			"syncStatus": "Succeeded", "interfaces": []any{map[string]any{"numVfs": float64(8)}},
		}}))
	}
}

// probed is that every probe passed.
func probed(s *conform.Snapshot) {
	names := []string{
		conform.ProbeDualStack, conform.ProbeNetworkPolicy, conform.ProbeLoadBalancer, conform.ProbeBalance, conform.ProbeScale, conform.ProbeFailover, conform.ProbeZone,
		conform.ProbeRoundRobin, conform.ProbeHealth, conform.ProbeDirectReturn, conform.ProbeStateful, conform.ProbeUDP, conform.ProbeFragments, conform.ProbeMultipath,
		conform.ProbeAdvertise, conform.ProbeIngress, conform.ProbeNodePort, conform.ProbeExternalName, conform.ProbeCertificate, conform.ProbePinning, conform.ProbeHugePages,
		conform.ProbeAttachments, conform.ProbeTwoPlugins, conform.ProbeIPAM, conform.ProbeNATLess, conform.ProbeUserPlane, conform.ProbeEphemeral, conform.ProbeVolumes,
		conform.ProbePersistent, conform.ProbeDefaultClass, conform.ProbeBalancerLogs,
	}
	for n := 18; n <= 29; n++ {
		names = append(names, conform.ProbeLogs+"-0"+strconv.Itoa(n))
	}
	for n := 34; n <= 40; n++ {
		names = append(names, conform.ProbeEgress+"-0"+strconv.Itoa(n))
	}
	for _, name := range names {
		p := conform.Probe{Name: name, Did: "tried it", Outcome: conform.Pass, Said: []string{"it does"}, Repeat: "kubectl …", Time: at()}
		if name == conform.ProbeFailover {
			p.Numbers = map[string]float64{"podOutageSeconds": 1.2, "nodeOutageSeconds": 2.3}
		}
		if name == conform.ProbePinning {
			p.Numbers = map[string]float64{"numaNodes": 1}
		}
		s.Probes = append(s.Probes, p)
	}
}
