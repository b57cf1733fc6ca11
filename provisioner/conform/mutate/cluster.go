package mutate

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// kubelet changes the configuration of worker-a's kubelet.
func kubelet(field string, value string) change {
	return func(s *conform.Snapshot) {
		c := s.Kubelets["worker-a"]
		switch field {
		case "reservedSystemCPUs":
			c.ReservedSystemCPUs = value
		case "cpuManagerPolicy":
			c.CPUManagerPolicy = value
		case "topologyManagerPolicy":
			c.TopologyManagerPolicy = value
		case "containerLogMaxSize":
			c.ContainerLogMaxSize = value
		}
		s.Kubelets["worker-a"] = c
	}
}

// flag gives the API server of cp-a a flag.
func flag(text string) change {
	return func(s *conform.Snapshot) {
		for i, p := range s.Pods {
			if p.Name == "kube-apiserver-cp-a" {
				s.Pods[i].Spec.Containers[0].Command = append(slices.Clone(p.Spec.Containers[0].Command), text)
			}
		}
	}
}

// serve lets the API server itself serve a version.
func serve(group, version string) change {
	return func(s *conform.Snapshot) {
		s.Served = append(s.Served, conform.GroupVersion{Group: group, Version: version})
	}
}

// Kubernetes returns the mutations of the rows about Kubernetes (ra2.k8s).
func Kubernetes() []Mutation {
	return []Mutation{
		{"ra2.k8s.002", "two members", nil, pods(func(p corev1.Pod) bool { return p.Name != "etcd-cp-c" })},
		{"ra2.k8s.002", "a member on a worker", nil, func(s *conform.Snapshot) {
			for i := range s.Pods {
				if s.Pods[i].Name == "etcd-cp-c" {
					s.Pods[i].Spec.NodeName = "worker-c"
				}
			}
		}},
		{"ra2.k8s.002", "two members on one host", nil, func(s *conform.Snapshot) {
			for i := range s.Pods {
				if s.Pods[i].Name == "etcd-cp-c" {
					s.Pods[i].Spec.NodeName = "cp-a"
				}
			}
		}},
		{"ra2.k8s.003", "a zone whose control plane is down", nil, down("cp-b")},
		{"ra2.k8s.012a", "a control plane without a scheduler", nil, pods(func(p corev1.Pod) bool { return p.Name != "kube-scheduler-cp-b" })},
		{"ra2.k8s.012a", "a controller manager that isn't ready", nil, func(s *conform.Snapshot) {
			for i := range s.Pods {
				if s.Pods[i].Name == "kube-controller-manager-cp-b" {
					s.Pods[i].Status.Conditions[0].Status = corev1.ConditionFalse
				}
			}
		}},
		{"ra2.k8s.004", "a zone whose worker is cordoned", nil, node("worker-b", func(n *corev1.Node) { n.Spec.Unschedulable = true })},
		{"ra2.k8s.005", "an older version than RA2 names", nil, func(s *conform.Snapshot) { s.Server.GitVersion = "v1.28.9" }},
		{"ra2.k8s.005", "a kubelet four minors behind", nil, node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.33.5" })},
		{"ra2.k8s.005", "a kubelet that is newer", nil, node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.38.0" })},
		{"ra2.k8s.006", "another topology policy", nil, kubelet("topologyManagerPolicy", "best-effort")},
		{"ra2.k8s.006", "a pod with processors of two NUMA nodes", nil, measured(conform.ProbePinning, "numaNodes", 2)},
		{"ra2.k8s.007", "a kubelet of 1.25 with the gate off", nil, all(node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.25.9" }), func(s *conform.Snapshot) {
			c := s.Kubelets["worker-a"]
			c.FeatureGates = map[string]bool{"DevicePlugins": false}
			s.Kubelets["worker-a"] = c
		})},
		{"ra2.k8s.008", "no reserve", nil, kubelet("reservedSystemCPUs", "")},
		{"ra2.k8s.008", "one thread", nil, kubelet("reservedSystemCPUs", "0")},
		{"ra2.k8s.009", "the policy none", nil, kubelet("cpuManagerPolicy", "none")},
		{"ra2.k8s.009", "a pod that wasn't pinned", nil, fails(conform.ProbePinning)},
		{"ra2.k8s.010", "services of one family", nil, func(s *conform.Snapshot) { s.ServiceCIDRs[0].Spec.CIDRs = []string{"10.96.0.0/16"} }},
		{"ra2.k8s.010", "a node with one pod network", nil, node("worker-a", func(n *corev1.Node) { n.Spec.PodCIDRs = n.Spec.PodCIDRs[:1] })},
		{"ra2.k8s.010", "pods that don't reach each other", nil, fails(conform.ProbeDualStack)},
		{"ra2.k8s.011", "a worker without a label", nil, node("worker-a", func(n *corev1.Node) { delete(n.Labels, "profile.anuket.io/basic") })},
		{"ra2.k8s.012b", "an alpha version", nil, serve("internal.apiserver.k8s.io", "v1alpha1")},
		{"ra2.k8s.012b", "a flag that asks for alpha", nil, flag("--runtime-config=api/alpha=true")},
		{"ra2.k8s.013", "a group that isn't served", nil, func(s *conform.Snapshot) {
			s.Served = slices.DeleteFunc(s.Served, func(g conform.GroupVersion) bool { return g.Group == "policy" })
		}},
		{"ra2.k8s.014", "policies that don't hold", nil, fails(conform.ProbeNetworkPolicy)},
		{"ra2.k8s.014", "flannel alone", all(without(conform.ProbeNetworkPolicy), flannel, func(s *conform.Snapshot) {
			s.DaemonSets = append(s.DaemonSets, daemon("kube-system", "knp", "registry.k8s.io/networking/kube-network-policies:v1"))
		}, passes(conform.ProbeNetworkPolicy)), all(undeployed("kube-network-policies"), without(conform.ProbeNetworkPolicy))},
		{"ra2.k8s.015", "a Service that doesn't answer", nil, fails(conform.ProbeLoadBalancer)},
		{"ra2.k8s.015", "a Service that waits for an address", nil, all(without(conform.ProbeLoadBalancer), waits)},
		{"ra2.k8s.016", "an Ingress that doesn't answer", nil, fails(conform.ProbeIngress)},
		{"ra2.k8s.016", "no IngressClass", nil, all(without(conform.ProbeIngress), func(s *conform.Snapshot) { s.IngressClasses = nil })},
		{"ra2.k8s.017", "a node that doesn't answer", nil, fails(conform.ProbeNodePort)},
		{"ra2.k8s.018", "a name that isn't found", nil, fails(conform.ProbeExternalName)},
		{"ra2.k8s.019", "a beta version", nil, serve("resource.k8s.io", "v1beta1")},
		{"ra2.k8s.019", "a gate that asks for all beta", nil, flag("--feature-gates=AllBeta=true")},
		{"ra2.k8s.020", "no cert-manager", nil, untyped("certificates.cert-manager.io")},
		{"ra2.k8s.020", "an issuer that isn't ready", nil, func(s *conform.Snapshot) {
			s.Custom["clusterissuers.cert-manager.io"][0]["status"] = map[string]any{}
		}},
	}
}

// down lets a node be heard of no more; then its kubelet can't be asked.
func down(name string) change {
	return all(node(name, func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }), func(s *conform.Snapshot) {
		part := conform.KubeletOf(name)
		delete(s.Told, part)
		forget(s, part)
		s.Missing[part] = "not asked: the node's kubelet has not been heard of"
	})
}

// flannel replaces the pod network by one that enforces nothing.
func flannel(s *conform.Snapshot) {
	undeployed("cilium")(s)
	s.DaemonSets = append(s.DaemonSets, daemon("kube-flannel", "kube-flannel-ds", "docker.io/flannel/flannel:v0.28.10"))
}

// passes tells of a probe again that it passed.
func passes(name string) change {
	return func(s *conform.Snapshot) { s.Told[conform.ProbeOf(name)] = at() }
}

// waits adds a Service that has had no address for an hour.
func waits(s *conform.Snapshot) {
	s.Services = append(s.Services, corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "cnf", Name: "waits", CreationTimestamp: metav1.NewTime(at().Add(-time.Hour))},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	})
}
