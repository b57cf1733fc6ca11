package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// page is how many objects one answer holds at most.
const page = 500

// resource is one list that a snapshot is made of.
type resource struct {
	part conform.Part
	path string              // with its query, without limit
	form func(*rest.Request) // nil is whole objects
	add  func(item []byte) error
}

// into adds each object to a list.
func into[T any](list *[]T) func([]byte) error {
	return func(item []byte) error {
		var one T
		if err := json.Unmarshal(item, &one); err != nil {
			return err
		}
		*list = append(*list, one)
		return nil
	}
}

// converted adds of each object what matters of it.
func converted[A, T any](list *[]T, convert func(A) T) func([]byte) error {
	return func(item []byte) error {
		var one A
		if err := json.Unmarshal(item, &one); err != nil {
			return err
		}
		*list = append(*list, convert(one))
		return nil
	}
}

// resources are the lists of every snapshot.
func resources(s *conform.Snapshot) []resource {
	const core, apps, net, storage = "/api/v1/", "/apis/apps/v1/", "/apis/networking.k8s.io/v1/", "/apis/storage.k8s.io/v1/"
	return []resource{
		{conform.Nodes, core + "nodes", nil, into(&s.Nodes)},
		{conform.Namespaces, core + "namespaces", nil, into(&s.Namespaces)},
		{conform.Pods, core + "pods", nil, into(&s.Pods)},
		{conform.Services, core + "services", nil, into(&s.Services)},
		{conform.Volumes, core + "persistentvolumes", nil, into(&s.Volumes)},
		{conform.VolumeClaims, core + "persistentvolumeclaims", nil, into(&s.VolumeClaims)},
		{conform.ResourceQuotas, core + "resourcequotas", nil, into(&s.ResourceQuotas)},
		{conform.LimitRanges, core + "limitranges", nil, into(&s.LimitRanges)},
		{conform.DaemonSets, apps + "daemonsets", nil, into(&s.DaemonSets)},
		{conform.Deployments, apps + "deployments", nil, into(&s.Deployments)},
		{conform.StatefulSets, apps + "statefulsets", nil, into(&s.StatefulSets)},
		{conform.EndpointSlices, "/apis/discovery.k8s.io/v1/endpointslices", nil, into(&s.EndpointSlices)},
		{conform.Ingresses, net + "ingresses", nil, into(&s.Ingresses)},
		{conform.IngressClasses, net + "ingressclasses", nil, into(&s.IngressClasses)},
		{conform.NetworkPolicies, net + "networkpolicies", nil, into(&s.NetworkPolicies)},
		{conform.ServiceCIDRs, net + "servicecidrs", nil, into(&s.ServiceCIDRs)},
		{conform.StorageClasses, storage + "storageclasses", nil, into(&s.StorageClasses)},
		{conform.CSIDrivers, storage + "csidrivers", nil, into(&s.CSIDrivers)},
		{conform.CSINodes, storage + "csinodes", nil, into(&s.CSINodes)},
		{conform.Autoscalers, "/apis/autoscaling/v2/horizontalpodautoscalers", nil, into(&s.Autoscalers)},
		{conform.CustomTypes, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", nil, converted(&s.CustomTypes, customType)},
		{conform.APIServices, "/apis/apiregistration.k8s.io/v1/apiservices", nil, converted(&s.APIServices, apiService)},
		// Secrets are asked for as metadata: what they hold never leaves the server.
		{conform.HelmReleases, core + "secrets?labelSelector=owner%3Dhelm&fieldSelector=type%3Dhelm.sh%2Frelease.v1", accept("PartialObjectMetadataList"), converted(&s.HelmReleases, helmRelease)},
	}
}

// taking is a snapshot while it is taken.
type taking struct {
	cluster *Cluster
	*conform.Snapshot
}

// take lists one resource, in pages. A list of which a page is missing is
// missing.
func (t taking) take(ctx context.Context, r resource) {
	next := ""
	for {
		more, err := t.page(ctx, r, next)
		if err != nil {
			delete(t.Told, r.part)
			t.Missing[r.part] = why(err)
			return
		}
		if next = more; next == "" {
			break
		}
	}
	t.Told[r.part] = time.Now().UTC()
}

func (t taking) page(ctx context.Context, r resource, from string) (next string, err error) {
	sep := "?"
	if strings.Contains(r.path, "?") {
		sep = "&"
	}
	path := fmt.Sprintf("%s%slimit=%d", r.path, sep, page)
	if from != "" {
		path += "&continue=" + url.QueryEscape(from)
	}
	var form []func(*rest.Request)
	if r.form != nil {
		form = append(form, r.form)
	}
	body, err := t.cluster.get(ctx, string(r.part), path, form...)
	if err != nil {
		return "", err
	}
	var list struct {
		Metadata metav1.ListMeta   `json:"metadata"`
		Items    []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return "", fmt.Errorf("read the answer to GET %s: %w", path, err)
	}
	for _, item := range list.Items {
		clean, err := scrubbed(item)
		if err == nil {
			err = r.add(clean)
		}
		if err != nil {
			return "", fmt.Errorf("read the answer to GET %s: %w", path, err)
		}
	}
	return list.Metadata.Continue, nil
}

// definition is what is read of a CustomResourceDefinition.
type definition struct {
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Plural string `json:"plural"`
			Kind   string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
}

func customType(d definition) conform.CustomType {
	c := conform.CustomType{Group: d.Spec.Group, Plural: d.Spec.Names.Plural, Kind: d.Spec.Names.Kind}
	for _, v := range d.Spec.Versions {
		if v.Served {
			c.Versions = append(c.Versions, v.Name)
		}
	}
	return c
}

// registration is what is read of an APIService.
type registration struct {
	Spec struct {
		Group   string `json:"group"`
		Version string `json:"version"`
		Service *struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"service"`
	} `json:"spec"`
	Status struct {
		Conditions []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

func apiService(r registration) conform.APIService {
	a := conform.APIService{Group: r.Spec.Group, Version: r.Spec.Version}
	if r.Spec.Service != nil {
		a.Service = r.Spec.Service.Namespace + "/" + r.Spec.Service.Name
	}
	for _, c := range r.Status.Conditions {
		a.Available = a.Available || c.Type == "Available" && c.Status == metav1.ConditionTrue
	}
	return a
}

func helmRelease(m metav1.PartialObjectMetadata) conform.HelmRelease {
	return conform.HelmRelease{Namespace: m.Namespace, Name: m.Labels["name"], Revision: m.Labels["version"], Status: m.Labels["status"]}
}
