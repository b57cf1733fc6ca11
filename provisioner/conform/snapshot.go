package conform

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/version"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// Part names one part of a snapshot, as its field is called in JSON.
type Part string

// The parts that are told, or missing, as a whole.
const (
	Server          Part = "server"
	Served          Part = "served"
	Nodes           Part = "nodes"
	Namespaces      Part = "namespaces"
	Pods            Part = "pods"
	Services        Part = "services"
	EndpointSlices  Part = "endpointSlices"
	DaemonSets      Part = "daemonSets"
	Deployments     Part = "deployments"
	StatefulSets    Part = "statefulSets"
	Ingresses       Part = "ingresses"
	IngressClasses  Part = "ingressClasses"
	NetworkPolicies Part = "networkPolicies"
	ServiceCIDRs    Part = "serviceCIDRs"
	StorageClasses  Part = "storageClasses"
	CSIDrivers      Part = "csiDrivers"
	CSINodes        Part = "csiNodes"
	Volumes         Part = "volumes"
	VolumeClaims    Part = "volumeClaims"
	ResourceQuotas  Part = "resourceQuotas"
	LimitRanges     Part = "limitRanges"
	Autoscalers     Part = "autoscalers"
	CustomTypes     Part = "customTypes"
	APIServices     Part = "apiServices"
	HelmReleases    Part = "helmReleases"
	Config          Part = "config"
	Inventory       Part = "inventory"
	Hosts           Part = "hosts"
)

// The parts of which there is one for each node, probe or resource. The plain
// name stands for all of them: what it says is missing is missing everywhere.
const (
	kubelets Part = "kubelets"
	told     Part = "facts"
	probes   Part = "probes"
	custom   Part = "custom"
)

// KubeletOf is the part that holds the running configuration of a node's kubelet.
func KubeletOf(node string) Part { return kubelets + "/" + Part(node) }

// FactsOf is the part that holds what a node told of itself.
func FactsOf(node string) Part { return told + "/" + Part(node) }

// ProbeOf is the part that holds the outcome of a probe.
func ProbeOf(name string) Part { return probes + "/" + Part(name) }

// CustomOf is the part that holds the objects of a custom resource, by its full
// name: "bgppeers.metallb.io".
func CustomOf(resource string) Part { return custom + "/" + Part(resource) }

// Snapshot is all that is judged. Lists of API objects hold what their one list
// request returned; they are to be read only together with Has.
type Snapshot struct {
	Cluster string             `json:"cluster"`           // where it was taken: the API server's URL
	Began   time.Time          `json:"began"`             //
	Ended   time.Time          `json:"ended"`             // waivers are judged by this moment
	Told    map[Part]time.Time `json:"told"`              // when each part that is there was told
	Missing map[Part]string    `json:"missing,omitempty"` // why a part is not there: "not allowed: …", "not asked: …"

	Server          version.Info                            `json:"server"`          // GET /version
	Served          []GroupVersion                          `json:"served"`          // GET /api and /apis
	Nodes           []corev1.Node                           `json:"nodes"`           //
	Namespaces      []corev1.Namespace                      `json:"namespaces"`      //
	Pods            []corev1.Pod                            `json:"pods"`            // of all namespaces
	Services        []corev1.Service                        `json:"services"`        //
	EndpointSlices  []discoveryv1.EndpointSlice             `json:"endpointSlices"`  //
	DaemonSets      []appsv1.DaemonSet                      `json:"daemonSets"`      //
	Deployments     []appsv1.Deployment                     `json:"deployments"`     //
	StatefulSets    []appsv1.StatefulSet                    `json:"statefulSets"`    //
	Ingresses       []networkingv1.Ingress                  `json:"ingresses"`       //
	IngressClasses  []networkingv1.IngressClass             `json:"ingressClasses"`  //
	NetworkPolicies []networkingv1.NetworkPolicy            `json:"networkPolicies"` //
	ServiceCIDRs    []networkingv1.ServiceCIDR              `json:"serviceCIDRs"`    //
	StorageClasses  []storagev1.StorageClass                `json:"storageClasses"`  //
	CSIDrivers      []storagev1.CSIDriver                   `json:"csiDrivers"`      //
	CSINodes        []storagev1.CSINode                     `json:"csiNodes"`        //
	Volumes         []corev1.PersistentVolume               `json:"volumes"`         //
	VolumeClaims    []corev1.PersistentVolumeClaim          `json:"volumeClaims"`    //
	ResourceQuotas  []corev1.ResourceQuota                  `json:"resourceQuotas"`  //
	LimitRanges     []corev1.LimitRange                     `json:"limitRanges"`     //
	Autoscalers     []autoscalingv2.HorizontalPodAutoscaler `json:"autoscalers"`     //
	CustomTypes     []CustomType                            `json:"customTypes"`     // CustomResourceDefinitions
	APIServices     []APIService                            `json:"apiServices"`     //
	HelmReleases    []HelmRelease                           `json:"helmReleases"`    // from the metadata of their Secrets; the data is never read

	// Config holds the ConfigMaps of kube-system in which kubeadm keeps what it set
	// up: kubeadm-config, kubelet-config, kube-proxy; and coredns.
	Config []corev1.ConfigMap `json:"config"`

	Kubelets map[string]kubeletv1beta1.KubeletConfiguration `json:"kubelets"` // by node: GET /api/v1/nodes/NODE/proxy/configz
	Facts    map[string]NodeFacts                           `json:"facts"`    // by node: what a short Job on it told
	Probes   []Probe                                        `json:"probes"`   // what was found out by doing
	Custom   map[string][]Object                            `json:"custom"`   // by full name of the resource: "bgppeers.metallb.io"

	Want  *inventory.Cluster `json:"-"`               // what the inventory wants; nil without one
	Hosts *facts.Seen        `json:"hosts,omitempty"` // what the management controllers of the inventory's hosts told

	derived // by Judge
}

// derived is what many rows need of a snapshot, made once.
type derived struct {
	catalogue *ra2.Catalogue
	hardware  []rules.Finding         // of Hosts
	claims    map[string]bool         // nodes that claim the high-performance profile
	products  map[role][]deployed     // that were found
	podsOn    map[string][]corev1.Pod // by node
	sought    map[Part]bool           // parts that were looked for and aren't there; nil where nobody wants to know
}

// Has reports whether a part is there. An empty list that was told is there.
func (s Snapshot) Has(p Part) bool {
	if p == Inventory {
		return s.Want != nil
	}
	_, ok := s.Told[p]
	if !ok && s.sought != nil {
		s.sought[p] = true
	}
	return ok
}

// Lacks says why a part is not there, in words that begin with its name.
func (s Snapshot) Lacks(p Part) string {
	for _, name := range []Part{p, p.kind()} {
		if why := s.Missing[name]; why != "" {
			return string(p) + ": " + why
		}
	}
	return string(p) + ": not asked"
}

// kind returns "kubelets" of "kubelets/cp-a".
func (p Part) kind() Part {
	for i := range p {
		if p[i] == '/' {
			return p[:i]
		}
	}
	return p
}

// GroupVersion is one version of an API group that the server serves.
type GroupVersion struct {
	Group     string   `json:"group"`     // empty is the core group
	Version   string   `json:"version"`   // "v1", "v1beta1"
	Resources []string `json:"resources"` // plural names, without subresources
}

// String returns "apps/v1", or "v1" for the core group.
func (g GroupVersion) String() string {
	if g.Group == "" {
		return g.Version
	}
	return g.Group + "/" + g.Version
}

// CustomType is what matters of a CustomResourceDefinition.
type CustomType struct {
	Group    string   `json:"group"`
	Plural   string   `json:"plural"`
	Kind     string   `json:"kind"`
	Versions []string `json:"versions"` // that are served
}

// Name returns the full name of the resource, which is the definition's own:
// "bgppeers.metallb.io".
func (c CustomType) Name() string { return c.Plural + "." + c.Group }

// APIService is one version of a group, and who serves it.
type APIService struct {
	Group     string `json:"group"`
	Version   string `json:"version"`
	Service   string `json:"service,omitempty"` // "kube-system/metrics-server" of an aggregated one; empty is the API server itself
	Available bool   `json:"available"`
}

// HelmRelease is one revision of a release, as the labels of its Secret tell
// (type helm.sh/release.v1).
type HelmRelease struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Revision  string `json:"revision"`
	Status    string `json:"status"` // "deployed", "failed"
}

// Object is an object of a custom resource, as JSON has it.
type Object map[string]any

// Text returns a text inside the object, empty when there is none.
func (o Object) Text(path ...string) string {
	text, _ := o.at(path).(string)
	return text
}

// Number returns a number inside the object, zero when there is none.
func (o Object) Number(path ...string) int {
	switch n := o.at(path).(type) {
	case float64:
		return int(n)
	case int64:
		return int(n)
	}
	return 0
}

// List returns the objects of a list inside the object.
func (o Object) List(path ...string) []Object {
	list, _ := o.at(path).([]any)
	var out []Object
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func (o Object) at(path []string) any {
	var value any = map[string]any(o)
	for _, name := range path {
		inside, _ := value.(map[string]any)
		value = inside[name]
	}
	return value
}

// customType returns the definition of a custom resource by its full name.
func (s Snapshot) customType(name string) (CustomType, bool) {
	i := slices.IndexFunc(s.CustomTypes, func(c CustomType) bool { return c.Name() == name })
	if i < 0 {
		return CustomType{}, false
	}
	return s.CustomTypes[i], true
}
