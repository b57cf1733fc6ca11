package seed

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
)

// merged applies a patch as RFC 7386, section 2, says.
func merged(target, patch map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range target {
		out[name] = value
	}
	for name, value := range patch {
		inner, isMap := value.(map[string]any)
		switch was, _ := out[name].(map[string]any); {
		case value == nil:
			delete(out, name)
		case isMap:
			out[name] = merged(was, inner)
		default:
			out[name] = value
		}
	}
	return out
}

// TestPatch patches objects by chance into others.
func TestPatch(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "c"})
	var object func(deep int) *rapid.Generator[map[string]any]
	object = func(deep int) *rapid.Generator[map[string]any] {
		values := []*rapid.Generator[any]{rapid.Int().AsAny(), rapid.SliceOfN(rapid.Int(), 0, 2).AsAny()}
		if deep > 0 {
			values = append(values, object(deep-1).AsAny())
		}
		return rapid.MapOfN(names, rapid.OneOf(values...), 0, 3)
	}
	rapid.Check(t, func(t *rapid.T) {
		from, to := object(2).Draw(t, "from"), object(2).Draw(t, "to")
		if got := merged(from, Patch(from, to)); !reflect.DeepEqual(got, to) {
			t.Fatalf("%v patched with %v is %v, want %v", from, Patch(from, to), got, to)
		}
		if p := Patch(to, to); len(p) > 0 {
			t.Fatalf("nothing differs, and is patched with %v", p)
		}
	})
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*conform.Snapshot)
		in     bool
		says   string // of what differs
	}{
		{"nothing", func(*conform.Snapshot) {}, false, ""},
		{"a label", func(s *conform.Snapshot) { s.Nodes[0].Labels["x"] = "y" }, true, "nodes//cp-a"},
		{"a pod", func(s *conform.Snapshot) { s.Pods = s.Pods[:len(s.Pods)-1] }, true, "pods/cnf/upf-worker-c"},
		{"a version that is served", func(s *conform.Snapshot) {
			s.Served = append(s.Served, conform.GroupVersion{Group: "x.k8s.io", Version: "v1alpha1"})
		}, true, "--runtime-config=x.k8s.io/v1alpha1=true"},
		{"one that isn't", func(s *conform.Snapshot) {
			s.Served = slices.DeleteFunc(s.Served, func(g conform.GroupVersion) bool { return g.Group == "policy" })
		}, true, "--runtime-config=policy/v1=false"},
		{"Services of one family", func(s *conform.Snapshot) { s.ServiceCIDRs[0].Spec.CIDRs = []string{"10.96.0.0/16"} }, true, "--service-cluster-ip-range=10.96.0.0/16"},
		{"a custom type takes its objects along", func(s *conform.Snapshot) { s.CustomTypes = nil }, true, "bgppeers.metallb.io/kube-system/tor-a"},
		{"a fact", func(s *conform.Snapshot) { s.Facts["cp-a"] = conform.NodeFacts{} }, false, "facts that a node tells"},
		{"a probe", func(s *conform.Snapshot) { s.Probes[0].Outcome = conform.Fail }, false, "the probe dual-stack"},
		{"a host", func(s *conform.Snapshot) { s.Hosts = nil }, false, "what the hosts' controllers tell"},
	} {
		to := mutate.Conformant()
		c.change(&to)
		d, err := Compare(mutate.Conformant(), to)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(slices.Concat(d.Objects, d.Settings, d.Beside), " ")
		if d.InAPI() != c.in || !strings.Contains(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%s: in the API %v: %s", c.name, d.InAPI(), said)
		}
	}
}

// TestObjects wants each object in its place, once.
func TestObjects(t *testing.T) {
	s := mutate.Conformant()
	s.Namespaces = []corev1.Namespace{{}}
	s.Namespaces[0].Name = "cnf"
	all, err := Objects(s)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, o := range all {
		if seen[o.key()] != "" {
			t.Errorf("%s is made twice, at %s and %s", o.key(), seen[o.key()], o.at())
		}
		seen[o.key()] = o.at()
	}
	for key, at := range map[string]string{
		"nodes//cp-a":                                    "/api/v1/nodes/cp-a",
		"namespaces//cnf":                                "/api/v1/namespaces/cnf",
		"namespaces//metallb-system":                     "/api/v1/namespaces/metallb-system",
		"configmaps/kube-system/kube-proxy":              "/api/v1/namespaces/kube-system/configmaps/kube-proxy",
		"daemonsets.apps/kube-system/cilium":             "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium",
		"clusterissuers.cert-manager.io/kube-system/pki": "/apis/cert-manager.io/v1/namespaces/kube-system/clusterissuers/pki",
		"customresourcedefinitions.apiextensions.k8s.io//bgppeers.metallb.io": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io",
	} {
		if seen[key] != at {
			t.Errorf("%s is at %q, want %q", key, seen[key], at)
		}
	}
}
