// Package replay serves a snapshot as the API server that it was taken from
// would: lists in pages, discovery, kubelets' configuration, and refusals. Tests
// ask it where a real cluster is too heavy, and those of package verify check it
// against a real API server.
package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Server serves one snapshot.
type Server struct {
	Page  int            // objects in a page at most, whatever the client allows; 0 is as it allows
	Deny  []string       // beginnings of paths that are answered with 403
	Break map[string]int // path to the page, from 0, that is answered with 410, as when a continue token has expired

	lists map[string][]json.RawMessage
	one   map[string]any

	mu   sync.Mutex
	seen []string
}

// New returns the server of a snapshot.
func New(s conform.Snapshot) (*Server, error) {
	r := &Server{Break: map[string]int{}, lists: map[string][]json.RawMessage{}, one: map[string]any{
		"/version": s.Server, "/api": discovery(s.Served, true), "/apis": discovery(s.Served, false),
	}}
	for node, config := range s.Kubelets {
		r.one["/api/v1/nodes/"+node+"/proxy/configz"] = map[string]any{"kubeletconfig": config}
	}
	for _, m := range s.Config {
		r.one["/api/v1/namespaces/kube-system/configmaps/"+m.Name] = m
	}
	err := r.add(map[string]any{
		"/api/v1/nodes": s.Nodes, "/api/v1/namespaces": s.Namespaces, "/api/v1/pods": s.Pods, "/api/v1/services": s.Services,
		"/api/v1/persistentvolumes": s.Volumes, "/api/v1/persistentvolumeclaims": s.VolumeClaims, "/api/v1/resourcequotas": s.ResourceQuotas, "/api/v1/limitranges": s.LimitRanges,
		"/apis/apps/v1/daemonsets": s.DaemonSets, "/apis/apps/v1/deployments": s.Deployments, "/apis/apps/v1/statefulsets": s.StatefulSets,
		"/apis/discovery.k8s.io/v1/endpointslices": s.EndpointSlices, "/apis/networking.k8s.io/v1/ingresses": s.Ingresses, "/apis/networking.k8s.io/v1/ingressclasses": s.IngressClasses,
		"/apis/networking.k8s.io/v1/networkpolicies": s.NetworkPolicies, "/apis/networking.k8s.io/v1/servicecidrs": s.ServiceCIDRs,
		"/apis/storage.k8s.io/v1/storageclasses": s.StorageClasses, "/apis/storage.k8s.io/v1/csidrivers": s.CSIDrivers, "/apis/storage.k8s.io/v1/csinodes": s.CSINodes,
		"/apis/autoscaling/v2/horizontalpodautoscalers": s.Autoscalers, "/api/v1/secrets": releases(s.HelmReleases),
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions": definitions(s.CustomTypes), "/apis/apiregistration.k8s.io/v1/apiservices": registrations(s.APIServices),
	})
	for _, c := range s.CustomTypes {
		for _, v := range c.Versions {
			if err == nil {
				err = r.add(map[string]any{"/apis/" + c.Group + "/" + v + "/" + c.Plural: s.Custom[c.Name()]})
			}
		}
	}
	return r, err
}

// add keeps lists by their paths.
func (r *Server) add(lists map[string]any) error {
	for path, list := range lists {
		data, err := json.Marshal(list)
		if err != nil {
			return fmt.Errorf("serve %s: %w", path, err)
		}
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return fmt.Errorf("serve %s: %w", path, err)
		}
		r.lists[path] = items
	}
	return nil
}

// Seen returns the requests that came: "GET /api/v1/nodes?limit=500".
func (r *Server) Seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// ServeHTTP implements http.Handler.
func (r *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, req.Method+" "+req.URL.RequestURI())
	r.mu.Unlock()
	path := req.URL.Path
	items, isList := r.lists[path]
	one, isOne := r.one[path]
	denied := slices.ContainsFunc(r.Deny, func(p string) bool { return strings.HasPrefix(path, p) })
	switch {
	case req.Method != http.MethodGet:
		refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, "this server is only read")
	case denied:
		refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(`%s is forbidden: User "auditor" cannot get it`, path))
	case isList:
		r.list(w, path, req.URL.Query(), items)
	case isOne:
		answer(w, http.StatusOK, one)
	default:
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
	}
}

// list answers with one page.
func (r *Server) list(w http.ResponseWriter, path string, query url.Values, items []json.RawMessage) {
	limit, _ := strconv.Atoi(query.Get("limit"))
	if r.Page > 0 && (limit == 0 || limit > r.Page) {
		limit = r.Page
	}
	from, _ := strconv.Atoi(query.Get("continue"))
	if page, breaks := r.Break[path]; breaks && limit > 0 && from/limit == page {
		refuse(w, http.StatusGone, metav1.StatusReasonExpired, "The provided continue parameter is too old")
		return
	}
	rest, meta := items[min(from, len(items)):], map[string]any{"resourceVersion": "1"}
	if limit > 0 && len(rest) > limit {
		rest, meta["continue"] = rest[:limit], strconv.Itoa(from+limit)
	}
	answer(w, http.StatusOK, map[string]any{"kind": "List", "apiVersion": "v1", "metadata": meta, "items": append([]json.RawMessage{}, rest...)})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	answer(w, int(code), metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: reason, Message: message, Code: code,
	})
}

// discovery is the aggregated form of what is served.
func discovery(all []conform.GroupVersion, core bool) any {
	var items []map[string]any
	at := map[string]int{}
	for _, g := range all {
		if (g.Group == "") != core {
			continue
		}
		resources := []map[string]any{}
		for _, name := range g.Resources {
			resources = append(resources, map[string]any{"resource": name})
		}
		version := map[string]any{"version": g.Version, "resources": resources}
		i, known := at[g.Group]
		if !known {
			at[g.Group] = len(items)
			items = append(items, map[string]any{"metadata": map[string]any{"name": g.Group}, "versions": []any{version}})
			continue
		}
		items[i]["versions"] = append(items[i]["versions"].([]any), version)
	}
	return map[string]any{"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}
}

func definitions(all []conform.CustomType) []any {
	out := []any{}
	for _, c := range all {
		versions := []any{}
		for _, v := range c.Versions {
			versions = append(versions, map[string]any{"name": v, "served": true})
		}
		out = append(out, map[string]any{"metadata": map[string]any{"name": c.Name()}, "spec": map[string]any{
			"group": c.Group, "names": map[string]any{"plural": c.Plural, "kind": c.Kind}, "versions": versions,
		}})
	}
	return out
}

func registrations(all []conform.APIService) []any {
	out := []any{}
	for _, a := range all {
		spec := map[string]any{"group": a.Group, "version": a.Version}
		if ns, name, ok := strings.Cut(a.Service, "/"); ok {
			spec["service"] = map[string]any{"namespace": ns, "name": name}
		}
		status := map[bool]string{true: "True", false: "False"}[a.Available]
		out = append(out, map[string]any{"metadata": map[string]any{"name": a.Version + "." + a.Group}, "spec": spec, "status": map[string]any{
			"conditions": []any{map[string]any{"type": "Available", "status": status}},
		}})
	}
	return out
}

// releases are the Secrets of Helm as metadata.
func releases(all []conform.HelmRelease) []metav1.PartialObjectMetadata {
	out := []metav1.PartialObjectMetadata{}
	for _, h := range all {
		out = append(out, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: h.Namespace, Name: "sh.helm.release.v1." + h.Name + ".v" + h.Revision,
			Labels: map[string]string{"owner": "helm", "name": h.Name, "version": h.Revision, "status": h.Status},
		}})
	}
	return out
}
