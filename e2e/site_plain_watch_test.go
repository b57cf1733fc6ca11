package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watched returns a kubeconfig that leads to the cluster by a proxy that notes each
// request: method and path. Whoever has only this kubeconfig can send nothing else.
func (b *bench) watched(kubeconfig string) (file string, requests func() []string) {
	b.Helper()
	server, err := url.Parse(plainServer)
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(server) }, Transport: b.plainKube(kubeconfig).Transport, FlushInterval: -1}
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Method+" "+r.RequestURI)
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	b.Cleanup(at.Close)
	file = filepath.Join(filepath.Dir(b.dir), "watched.conf")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: plain, cluster: {server: %q}}]
contexts: [{name: plain, context: {cluster: plain, user: administrator}}]
users: [{name: administrator, user: {}}]
current-context: plain
`, at.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), all...)
	}
}

// restless are the resources that a cluster changes by itself, all the time.
func restless() []string {
	return []string{"events", "leases", "nodes", "bindings", "componentstatuses"}
}

// plainObjects returns of all that the API server keeps the version of each object, by
// what it is. A pod's own status changes by itself: of pods it is the identity.
func (b *bench) plainObjects(kubeconfig string) map[string]string {
	b.Helper()
	all := map[string]string{}
	for _, list := range b.plainLists(kubeconfig) {
		var found metav1.PartialObjectMetadataList
		status, text := ask(b.plainKube(kubeconfig), http.MethodGet, plainServer+list, "", func(r *http.Request) {
			r.Header.Set("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
		})
		if status != http.StatusOK || json.Unmarshal([]byte(text), &found) != nil {
			b.Fatalf("GET %s: %d %s", list, status, text)
		}
		for _, o := range found.Items {
			version := string(o.UID) + " " + o.ResourceVersion
			if list == "/api/v1/pods" {
				version = string(o.UID)
			}
			all[list+" "+o.Namespace+"/"+o.Name] = version
		}
	}
	return all
}

// plainLists returns the paths of all lists that the API server serves, of what rests.
func (b *bench) plainLists(kubeconfig string) []string {
	b.Helper()
	var groups metav1.APIGroupList
	if err := b.plainGet(kubeconfig, "/apis", &groups); err != nil {
		b.Fatal(err)
	}
	versions := []string{"/api/v1"}
	for _, g := range groups.Groups {
		versions = append(versions, "/apis/"+g.PreferredVersion.GroupVersion)
	}
	var all []string
	for _, v := range versions {
		var list metav1.APIResourceList
		if err := b.plainGet(kubeconfig, v, &list); err != nil {
			b.Fatal(err)
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && !slices.Contains(restless(), r.Name) {
				all = append(all, v+"/"+r.Name)
			}
		}
	}
	return all
}

// plainGet reads an object, or a list.
func (b *bench) plainGet(kubeconfig, path string, into any) error {
	b.Helper()
	status, text := ask(b.plainKube(kubeconfig), http.MethodGet, plainServer+path, "", nil)
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, status, text)
	}
	return json.Unmarshal([]byte(text), into)
}
