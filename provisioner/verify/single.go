package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// one asks for one thing and reads it.
func (t taking) one(ctx context.Context, what, path string, to any) error {
	body, err := t.cluster.get(ctx, what, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("read the answer to GET %s%s: %w", t.cluster.host, path, err)
	}
	return nil
}

// note keeps that a part was told, or why it is missing.
func (t taking) note(p conform.Part, err error) {
	if err != nil {
		t.Missing[p] = why(err)
		return
	}
	t.Told[p] = time.Now().UTC()
}

// discovered is the answer to GET /apis in its aggregated form
// (apidiscovery.k8s.io/v2, stable since Kubernetes 1.30).
type discovered struct {
	Items []struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Versions []struct {
			Version   string `json:"version"`
			Resources []struct {
				Resource string `json:"resource"`
			} `json:"resources"`
		} `json:"versions"`
	} `json:"items"`
}

// aggregated asks for all groups, versions and resources at once.
const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

// served asks what the API server serves.
func (t taking) served(ctx context.Context) {
	for _, path := range []string{"/api", "/apis"} {
		body, err := t.cluster.get(ctx, "served", path, header(aggregated))
		var d discovered
		if err == nil {
			err = json.Unmarshal(body, &d)
		}
		if err == nil && len(d.Items) == 0 {
			err = fmt.Errorf("GET %s: this API server doesn't know aggregated discovery (Kubernetes 1.26 and later do)", path)
		}
		if t.note(conform.Served, err); err != nil {
			delete(t.Told, conform.Served)
			return
		}
		for _, group := range d.Items {
			for _, v := range group.Versions {
				g := conform.GroupVersion{Group: group.Metadata.Name, Version: v.Version}
				for _, r := range v.Resources {
					g.Resources = append(g.Resources, r.Resource)
				}
				t.Served = append(t.Served, g)
			}
		}
	}
}

// config asks for what kubeadm keeps of how it set the cluster up. One that
// isn't there is told: another tool installed the cluster.
func (t taking) config(ctx context.Context) {
	for _, name := range []string{"kubeadm-config", "kubelet-config", "kube-proxy", "coredns"} {
		var m corev1.ConfigMap
		err := t.one(ctx, "configuration "+name, "/api/v1/namespaces/kube-system/configmaps/"+name, &m)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			t.note(conform.Config, err)
			return
		}
		m.ManagedFields, m.Annotations = nil, nil
		for key, text := range m.Data {
			m.Data[key] = conform.Redact(text)
		}
		t.Config = append(t.Config, m)
	}
	t.note(conform.Config, nil)
}

// custom asks for the custom resources that rows read, where they are served.
func (t taking) custom(ctx context.Context) {
	for _, name := range conform.CustomResources() {
		part := conform.CustomOf(name)
		i := slices.IndexFunc(t.CustomTypes, func(c conform.CustomType) bool { return c.Name() == name && len(c.Versions) > 0 })
		if _, told := t.Told[conform.CustomTypes]; !told {
			t.Missing[part] = t.Lacks(conform.CustomTypes)
			continue
		}
		if t.Custom == nil {
			t.Custom = map[string][]conform.Object{}
		}
		if i < 0 { // it is known that there are none
			t.note(part, nil)
			continue
		}
		c := t.CustomTypes[i]
		var list []conform.Object
		t.take(ctx, resource{part, "/apis/" + c.Group + "/" + best(c.Versions) + "/" + c.Plural, nil, into(&list)})
		if t.Has(part) {
			t.Custom[name] = list
		}
	}
}

// best returns the version to read: a stable one where there is one.
func best(versions []string) string {
	for _, kind := range []string{"alpha", "beta"} {
		rest := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return strings.Contains(v, kind) })
		if len(rest) > 0 {
			versions = rest
		}
	}
	return versions[len(versions)-1]
}

// kubelets asks each kubelet, through the API server, how it is configured.
// One that has not been heard of is not asked: the request would hang.
func (t taking) kubelets(ctx context.Context) {
	if !t.Has(conform.Nodes) {
		return
	}
	t.Kubelets = map[string]kubeletv1beta1.KubeletConfiguration{}
	for _, n := range t.Nodes {
		part := conform.KubeletOf(n.Name)
		if silent(n) {
			t.Missing[part] = "not asked: the node's kubelet has not been heard of (its Ready condition is Unknown)"
			continue
		}
		var answer struct {
			Config *kubeletv1beta1.KubeletConfiguration `json:"kubeletconfig"`
		}
		err := t.one(ctx, "kubelet of "+n.Name, "/api/v1/nodes/"+n.Name+"/proxy/configz", &answer)
		if err == nil && answer.Config == nil {
			err = fmt.Errorf("the kubelet of %s told no configuration", n.Name)
		}
		if t.note(part, err); err == nil {
			answer.Config.StaticPodURLHeader = nil // may hold a secret
			t.Kubelets[n.Name] = *answer.Config
		}
	}
}

func silent(n corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown
	})
}
