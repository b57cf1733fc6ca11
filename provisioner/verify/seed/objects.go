// Package seed puts a snapshot of a cluster into a real API server: what the
// snapshot holds as values is made there as objects, and what differs between two
// snapshots is changed, by the requests that an operator's tools would send. So the
// mutations of package conform/mutate are judged of what a server tells, through
// the collector, and not only of what stands in memory. For tests.
package seed

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Object is one object of the API, as it is wanted.
type Object struct {
	Path   string // of its list: "/api/v1/namespaces/cnf/pods"
	Name   string //
	Status bool   // the type has a status that is written apart from the rest
	Body   map[string]any
}

// at is where the object is.
func (o Object) at() string { return o.Path + "/" + o.Name }

// key names an object whatever version of its type is wanted: "pods/cnf/upf-cp-a".
func (o Object) key() string {
	parts := strings.Split(o.Path, "/")
	namespace := ""
	if o.spaced() {
		namespace = parts[len(parts)-2]
	}
	return parts[len(parts)-1] + o.group() + "/" + namespace + "/" + o.Name
}

func (o Object) spaced() bool { return strings.Contains(o.Path, "/namespaces/") }

// group is ".metallb.io", or empty for the core group.
func (o Object) group() string {
	if rest, ok := strings.CutPrefix(o.Path, "/apis/"); ok {
		group, _, _ := strings.Cut(rest, "/")
		return "." + group
	}
	return ""
}

// kind is one list of a snapshot that holds API objects as they are.
type kind struct {
	version, kind, plural string
	spaced, status        bool
	items                 any
}

func kinds(s conform.Snapshot) []kind {
	return []kind{
		{"v1", "Namespace", "namespaces", false, false, s.Namespaces}, {"v1", "Node", "nodes", false, true, s.Nodes}, {"v1", "Pod", "pods", true, true, s.Pods},
		{"v1", "Service", "services", true, true, s.Services}, {"v1", "PersistentVolume", "persistentvolumes", false, true, s.Volumes},
		{"v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, true, s.VolumeClaims}, {"v1", "ResourceQuota", "resourcequotas", true, true, s.ResourceQuotas},
		{"v1", "LimitRange", "limitranges", true, false, s.LimitRanges}, {"v1", "ConfigMap", "configmaps", true, false, s.Config},
		{"apps/v1", "DaemonSet", "daemonsets", true, true, s.DaemonSets}, {"apps/v1", "Deployment", "deployments", true, true, s.Deployments},
		{"apps/v1", "StatefulSet", "statefulsets", true, true, s.StatefulSets}, {"discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true, false, s.EndpointSlices},
		{"networking.k8s.io/v1", "Ingress", "ingresses", true, true, s.Ingresses}, {"networking.k8s.io/v1", "IngressClass", "ingressclasses", false, false, s.IngressClasses},
		{"networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true, false, s.NetworkPolicies},
		{"storage.k8s.io/v1", "StorageClass", "storageclasses", false, false, s.StorageClasses}, {"storage.k8s.io/v1", "CSIDriver", "csidrivers", false, false, s.CSIDrivers},
		{"storage.k8s.io/v1", "CSINode", "csinodes", false, false, s.CSINodes}, {"autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, true, s.Autoscalers},
	}
}

// Objects returns what of a snapshot is objects of the API. The rest of it is told
// by the server itself (see Settings), by kubelets, by nodes, by probes, or by
// hosts. The ServiceCIDR "kubernetes" is the server's own, too.
func Objects(s conform.Snapshot) ([]Object, error) {
	all := append(definitions(s), registrations(s)...)
	for _, k := range kinds(s) {
		data, err := json.Marshal(k.items)
		if err != nil {
			return nil, fmt.Errorf("write the %s of the snapshot: %w", k.plural, err)
		}
		var items []map[string]any
		if err := json.Unmarshal(data, &items); err != nil {
			return nil, fmt.Errorf("read the %s of the snapshot: %w", k.plural, err)
		}
		for _, body := range items {
			body["apiVersion"], body["kind"] = k.version, k.kind
			all = append(all, object(k.version, k.plural, k.spaced, k.status, body))
		}
	}
	all = append(all, customs(s)...)
	return append(namespaces(all), all...), nil
}

// object places a body.
func object(version, plural string, spaced, status bool, body map[string]any) Object {
	meta, _ := body["metadata"].(map[string]any)
	delete(meta, "creationTimestamp") // the server's own
	name, _ := meta["name"].(string)
	path := "/apis/" + version
	if version == "v1" {
		path = "/api/v1"
	}
	if namespace, _ := meta["namespace"].(string); spaced {
		path += "/namespaces/" + namespace
	}
	return Object{path + "/" + plural, name, status, body}
}

// customs are the objects of custom resources, in the version that is served.
func customs(s conform.Snapshot) []Object {
	var all []Object
	for _, c := range s.CustomTypes {
		for _, o := range s.Custom[c.Name()] {
			body := maps.Clone(map[string]any(o))
			version := c.Group + "/" + c.Versions[0]
			body["apiVersion"], body["kind"] = version, kindOf(c)
			all = append(all, object(version, c.Plural, true, false, body))
		}
	}
	return all
}

// kindOf makes a name where the snapshot has none; no row reads it.
func kindOf(c conform.CustomType) string {
	if c.Kind != "" {
		return c.Kind
	}
	name := strings.ReplaceAll(strings.TrimSuffix(c.Plural, "s"), "-", "")
	return strings.ToUpper(name[:1]) + name[1:]
}

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// definitions are custom resources that take whatever they are given, as far as a
// definition of ours can know.
func definitions(s conform.Snapshot) []Object {
	var all []Object
	for _, c := range s.CustomTypes {
		var versions []any
		for i, v := range c.Versions {
			versions = append(versions, map[string]any{"name": v, "served": true, "storage": i == 0, "schema": map[string]any{
				"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
			}})
		}
		kind := kindOf(c)
		all = append(all, Object{crds, c.Name(), false, map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{"name": c.Name(), "annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, of a test"}},
			"spec": map[string]any{"group": c.Group, "scope": "Namespaced", "versions": versions, "names": map[string]any{
				"plural": c.Plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List",
			}},
		}})
	}
	return all
}

// registrations are the APIs that aggregated servers serve. Those servers aren't
// there, so that the API server finds them not to be available.
func registrations(s conform.Snapshot) []Object {
	var all []Object
	for _, a := range s.APIServices {
		namespace, name, aggregated := strings.Cut(a.Service, "/")
		if !aggregated {
			continue
		}
		all = append(all, Object{"/apis/apiregistration.k8s.io/v1/apiservices", a.Version + "." + a.Group, false, map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": a.Version + "." + a.Group},
			"spec": map[string]any{"group": a.Group, "version": a.Version, "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
				"service": map[string]any{"namespace": namespace, "name": name}},
		}})
	}
	return all
}

// namespaces are those that objects lie in, where the snapshot doesn't name them.
func namespaces(all []Object) []Object {
	var out []Object
	made := map[string]bool{}
	for _, o := range all {
		if o.Path == "/api/v1/namespaces" {
			made[o.Name] = true
		}
	}
	for _, o := range all {
		namespace := strings.Split(o.key(), "/")[1]
		if namespace != "" && !made[namespace] && !slices.Contains([]string{"default", "kube-system", "kube-public"}, namespace) {
			made[namespace] = true
			out = append(out, object("v1", "namespaces", false, false, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}))
		}
	}
	return out
}
