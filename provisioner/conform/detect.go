package conform

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// role is what a product does for a cluster.
type role string

const (
	roleCNI          role = "pod network"
	rolePolicy       role = "network policies"
	roleMultiplexer  role = "multiplexer of pod networks"
	roleLoadBalancer role = "load balancer"
	roleIngress      role = "ingress controller"
	roleEgress       role = "egress controller"
	roleLogging      role = "logging framework"
	roleMesh         role = "service mesh"
	roleFeatures     role = "node feature discovery"
	roleSRIOV        role = "SR-IOV device plugin"
	roleAFXDP        role = "AF_XDP device plugin"
	roleIPAM         role = "cluster-wide address management"
	roleCertificates role = "certificates"
	roleMetrics      role = "collector of metrics"
	roleNodeMetrics  role = "metrics agent on nodes"
	roleEvents       role = "collector of events"
	roleAbleEvents   role = "agent that can collect events"
)

// product is software that is known by the name of its image. Charts rename
// objects and namespaces; images keep their last element through mirrors.
type product struct {
	name   string
	images []string // last element of the repository: "multus-cni" of ghcr.io/k8snetworkplumbingwg/multus-cni:v4
	roles  []role
}

// products is what is recognised.
func products() []product {
	return []product{
		{"flannel", []string{"flannel"}, []role{roleCNI}},
		{"kindnet", []string{"kindnetd"}, []role{roleCNI}},
		{"Calico", []string{"calico-node", "node"}, []role{roleCNI, rolePolicy}},
		{"Cilium", []string{"cilium"}, []role{roleCNI, rolePolicy}},
		{"Antrea", []string{"antrea-agent-ubuntu", "antrea-agent-ubi", "antrea-ubuntu"}, []role{roleCNI, rolePolicy}},
		{"kube-router", []string{"kube-router"}, []role{roleCNI, rolePolicy}},
		{"OVN-Kubernetes", []string{"ovn-kube", "ovn-kube-fedora", "ovn-kube-ubuntu"}, []role{roleCNI, rolePolicy}},
		{"Kube-OVN", []string{"kube-ovn"}, []role{roleCNI, rolePolicy}},
		{"kube-network-policies", []string{"kube-network-policies"}, []role{rolePolicy}},
		{"Multus", []string{"multus-cni", "multus"}, []role{roleMultiplexer}},
		{"DANM", []string{"netwatcher"}, []role{roleMultiplexer}},
		{"whereabouts", []string{"whereabouts"}, []role{roleIPAM}},
		{"MetalLB", []string{"speaker"}, []role{roleLoadBalancer}},
		{"PureLB", []string{"lbnodeagent"}, []role{roleLoadBalancer}},
		{"kube-vip", []string{"kube-vip", "kube-vip-cloud-provider"}, []role{roleLoadBalancer}},
		{"klipper-lb", []string{"klipper-lb"}, []role{roleLoadBalancer}},
		{"ingress-nginx", []string{"controller"}, []role{roleIngress}},
		{"F5 NGINX", []string{"nginx-ingress"}, []role{roleIngress}},
		{"Traefik", []string{"traefik"}, []role{roleIngress}},
		{"HAProxy", []string{"kubernetes-ingress", "haproxy-ingress"}, []role{roleIngress}},
		{"Contour", []string{"contour"}, []role{roleIngress}},
		{"Calico egress gateway", []string{"egress-gateway"}, []role{roleEgress}},
		{"Fluent Bit", []string{"fluent-bit"}, []role{roleLogging, roleAbleEvents}},
		{"Fluentd", []string{"fluentd", "fluentd-kubernetes-daemonset"}, []role{roleLogging}},
		{"Loki", []string{"loki", "promtail"}, []role{roleLogging}},
		{"Vector", []string{"vector"}, []role{roleLogging}},
		{"Elastic", []string{"filebeat", "elasticsearch", "elastic-agent"}, []role{roleLogging}},
		{"OpenSearch", []string{"opensearch"}, []role{roleLogging}},
		{"VictoriaLogs", []string{"victoria-logs"}, []role{roleLogging}},
		{"Istio", []string{"pilot", "proxyv2", "ztunnel"}, []role{roleMesh}},
		{"Linkerd", []string{"controller-linkerd", "proxy-injector"}, []role{roleMesh}},
		{"Kuma", []string{"kuma-cp"}, []role{roleMesh}},
		{"Consul", []string{"consul-k8s-control-plane"}, []role{roleMesh}},
		{"Node Feature Discovery", []string{"node-feature-discovery"}, []role{roleFeatures}},
		{"SR-IOV network device plugin", []string{"sriov-network-device-plugin"}, []role{roleSRIOV}},
		{"AF_XDP device plugin", []string{"afxdp-device-plugin", "afxdp-plugins-for-kubernetes"}, []role{roleAFXDP}},
		{"cert-manager", []string{"cert-manager-controller"}, []role{roleCertificates}},
		{"Prometheus", []string{"prometheus"}, []role{roleMetrics}},
		{"VictoriaMetrics", []string{"vmagent", "victoria-metrics"}, []role{roleMetrics}},
		{"OpenTelemetry Collector", []string{"opentelemetry-collector", "opentelemetry-collector-contrib", "opentelemetry-collector-k8s"}, []role{roleMetrics, roleAbleEvents}},
		{"Grafana Alloy", []string{"alloy"}, []role{roleMetrics, roleAbleEvents}},
		{"Metricbeat", []string{"metricbeat"}, []role{roleMetrics, roleNodeMetrics, roleAbleEvents}},
		{"Telegraf", []string{"telegraf"}, []role{roleMetrics, roleNodeMetrics}},
		{"node-exporter", []string{"node-exporter"}, []role{roleNodeMetrics}},
		{"kubernetes-event-exporter", []string{"kubernetes-event-exporter"}, []role{roleEvents}},
		{"eventrouter", []string{"eventrouter"}, []role{roleEvents}},
		{"kube-eventer", []string{"kube-eventer"}, []role{roleEvents}},
	}
}

// deployed is a product that was found.
type deployed struct {
	product string
	object  string // "daemonset/kube-flannel/kube-flannel-ds"
	image   string
	ready   bool // all of it that is wanted
}

// workloadParts are what detection reads.
func workloadParts(more ...Part) []Part {
	return append([]Part{DaemonSets, Deployments, StatefulSets}, more...)
}

// controllers returns all workloads that hold pods.
func (s Snapshot) controllers() []controller {
	var all []controller
	for _, d := range s.DaemonSets {
		all = append(all, controller{"daemonset", d.Namespace, d.Name, d.Labels, d.Annotations, d.Spec.Template.Spec, d.Status.DesiredNumberScheduled > 0 && d.Status.NumberReady >= d.Status.DesiredNumberScheduled, len(d.OwnerReferences) > 0})
	}
	for _, d := range s.Deployments {
		all = append(all, controller{"deployment", d.Namespace, d.Name, d.Labels, d.Annotations, d.Spec.Template.Spec, d.Status.ReadyReplicas > 0 && d.Status.ReadyReplicas >= d.Status.Replicas, len(d.OwnerReferences) > 0})
	}
	for _, d := range s.StatefulSets {
		all = append(all, controller{"statefulset", d.Namespace, d.Name, d.Labels, d.Annotations, d.Spec.Template.Spec, d.Status.ReadyReplicas > 0 && d.Status.ReadyReplicas >= d.Status.Replicas, len(d.OwnerReferences) > 0})
	}
	return all
}

// static returns the pods that a node's kubelet started by itself, from a file: what
// kubeadm's users run beside its control plane. No controller shows them.
func (s Snapshot) static() []controller {
	var all []controller
	for _, p := range s.Pods {
		if _, is := p.Annotations[corev1.MirrorPodAnnotationKey]; is && s.Has(Pods) {
			all = append(all, controller{kind: "pod", namespace: p.Namespace, name: p.Name, labels: p.Labels, annotations: p.Annotations, pod: p.Spec, ready: podReady(p)})
		}
	}
	return all
}

// forServices reports whether a kube-vip gives addresses to Services: most only carry
// the control plane's own.
func forServices(box corev1.Container) bool {
	return strings.Contains(box.Image, "cloud-provider") || slices.Contains(box.Args, "--services") || slices.ContainsFunc(box.Env, func(e corev1.EnvVar) bool { return e.Name == "svc_enable" && e.Value == "true" })
}

// controller is a DaemonSet, Deployment or StatefulSet; or a static pod, which has none.
type controller struct {
	kind, namespace, name string
	labels, annotations   map[string]string
	pod                   corev1.PodSpec
	ready                 bool
	owned                 bool // by a custom resource
}

func (c controller) object() string { return c.kind + "/" + c.namespace + "/" + c.name }

// find returns the products that have a role.
func (s Snapshot) find(r role) []deployed { return s.products[r] }

// recognised returns the products that are deployed, by their roles.
func (s Snapshot) recognised() map[role][]deployed {
	found, known := map[role][]deployed{}, products()
	for _, c := range append(s.controllers(), s.static()...) {
		for _, box := range append(slices.Clone(c.pod.InitContainers), c.pod.Containers...) {
			for _, p := range known {
				if !p.is(box.Image) || p.name == "kube-vip" && !forServices(box) {
					continue
				}
				d := deployed{p.name, c.object(), box.Image, c.ready}
				for _, r := range p.roles {
					if !slices.ContainsFunc(found[r], func(o deployed) bool { return o.object == d.object }) {
						found[r] = append(found[r], d)
					}
				}
			}
		}
	}
	return found
}

// is reports whether an image is one of the product. Names that many use say
// something only together with the folder they stand in.
func (p product) is(image string) bool {
	repository, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		repository = repository[:i]
	}
	parts := strings.Split(repository, "/")
	last := parts[len(parts)-1]
	if !slices.Contains(p.images, last) {
		return false
	}
	folders := map[string]string{"node": "calico", "speaker": "metallb", "controller": "ingress-nginx", "cilium": "cilium", "pilot": "istio", "proxyv2": "istio", "ztunnel": "istio"}
	folder, common := folders[last]
	return !common || slices.Contains(parts, folder)
}

// saying returns the evidence that products were found.
func (s Snapshot) saying(found []deployed) []Evidence {
	var all []Evidence
	for _, d := range found {
		part := map[string]Part{"daemonset": DaemonSets, "deployment": Deployments, "statefulset": StatefulSets}[strings.Split(d.object, "/")[0]]
		if strings.HasPrefix(d.object, "pod/") {
			all = append(all, s.saw(Pods, d.object, ".spec.containers[*].image", d.image))
			continue
		}
		all = append(all, s.saw(part, d.object, ".spec.template.spec.containers[*].image", d.image))
	}
	return all
}

func productsOf(found []deployed) string {
	var names []string
	for _, d := range found {
		names = append(names, d.product)
	}
	return few(names)
}

// absent says that nothing with a role was found, and where was looked.
func (s Snapshot) absent(r role) Finding {
	return notApplicable("no "+string(r)+" was found among the images of DaemonSets, Deployments, StatefulSets and static pods",
		s.saw(DaemonSets, "daemonsets,deployments,statefulsets,pods", "..image", imagesOf(append(s.controllers(), s.static()...))))
}

func imagesOf(all []controller) string {
	var names []string
	for _, c := range all {
		for _, box := range c.pod.Containers {
			names = append(names, box.Image)
		}
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", ")
}

// isPlatform reports whether a namespace holds the platform itself. What runs
// there is the operator's, not a workload; nor is what a run of ours that was cut short
// has left (ra2-verify-nodes-…, ra2-verify-probes-…).
func isPlatform(namespace string) bool {
	return strings.HasPrefix(namespace, "kube-") || strings.HasPrefix(namespace, "ra2-verify-") || strings.HasPrefix(namespace, "openshift-") || slices.Contains([]string{
		"calico-system", "calico-apiserver", "tigera-operator", "cilium", "cilium-secrets", "metallb-system", "frr-k8s-system", "node-feature-discovery",
		"cert-manager", "ingress-nginx", "traefik", "istio-system", "linkerd", "local-path-storage", "sriov-network-operator", "logging", "monitoring",
	}, namespace)
}
