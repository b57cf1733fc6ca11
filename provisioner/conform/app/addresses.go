package app

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// addresses judges ra2.app.035: of the whole specification of a pod, in both
// families. Networks (10.0.0.0/8) are no addresses of anybody.
func addresses(s subject) []conform.Finding {
	return s.eachPod("no literal IP address in the pod's specification", "use the name of a Service, or a value from outside", func(p pod, n *notes) {
		walk(p.tree(), ".spec", func(path, text string) {
			for _, a := range Literals(imageHost(path, text)) {
				n.fails(path, a) // not the text around it: it may hold a password
			}
		})
		n.passes(".spec", "no literal address")
	})
}

// tree returns the specification of a pod as it was written.
func (p pod) tree() any {
	var at any = map[string]any(p.object.Tree)
	for name := range strings.SplitSeq(strings.TrimPrefix(p.path+".spec", "."), ".") {
		inside, _ := at.(map[string]any)
		at = inside[name]
	}
	return at
}

// walk calls f for each text below a value.
func walk(value any, path string, f func(path, text string)) {
	switch v := value.(type) {
	case string:
		f(path, v)
	case []any:
		for i, e := range v {
			walk(e, fmt.Sprintf("%s[%d]", path, i), f)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			walk(v[key], path+"."+key, f)
		}
	}
}

// imageHost leaves of an image's name its registry: a tag may have four numbers.
func imageHost(path, text string) string {
	if !strings.HasSuffix(path, ".image") {
		return text
	}
	host, _, _ := strings.Cut(text, "/")
	return host
}

var (
	ipv4 = regexp.MustCompile(`(?:^|[^0-9A-Za-z._-])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(/[0-9]+)?(?:$|[^0-9A-Za-z._-]|\.(?:$|\s))`)
	ipv6 = regexp.MustCompile(`(?:^|[^0-9A-Za-z:._-])([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3})(/[0-9]+)?(?:$|[^0-9A-Za-z:_-])`)
)

// Literals returns the IP addresses that a text holds, without networks, and
// without the addresses that mean every host or the host itself.
func Literals(text string) []netip.Addr {
	var all []netip.Addr
	for _, pattern := range []*regexp.Regexp{ipv4, ipv6} {
		for rest := text; ; {
			m := pattern.FindStringSubmatchIndex(rest)
			if m == nil {
				break
			}
			network := m[4] >= 0
			if a, err := netip.ParseAddr(rest[m[2]:m[3]]); err == nil && !network && !a.IsUnspecified() && !a.IsLoopback() && !slices.Contains(all, a) {
				all = append(all, a)
			}
			rest = rest[m[3]:] // what ends this one may begin the next
		}
	}
	return all
}

// nodePorts judges ra2.app.036: what the declaration says. The API server gives
// ports to a Service of type LoadBalancer by itself; those nobody declared.
func nodePorts(s subject) []conform.Finding {
	const want, do = "no Service declares a nodePort", "use type LoadBalancer with allocateLoadBalancerNodePorts: false, or an Ingress"
	var all []conform.Finding
	for o, svc := range objects[*corev1.Service](s.Workload) {
		n := &notes{object: o, at: s.Time}
		given := o.File == "" && svc.Spec.Type == corev1.ServiceTypeLoadBalancer && !declares(svc)
		if svc.Spec.Type == corev1.ServiceTypeNodePort {
			n.fails(".spec.type", "NodePort")
		}
		for i, port := range svc.Spec.Ports {
			at := fmt.Sprintf(".spec.ports[%d].nodePort", i)
			switch {
			case port.NodePort != 0 && given:
				n.passes(at, fmt.Sprint(port.NodePort, ": given by the API server, declared by nobody"))
			case port.NodePort != 0:
				n.fails(at, port.NodePort)
			}
		}
		if svc.Spec.Type == corev1.ServiceTypeLoadBalancer && (svc.Spec.AllocateLoadBalancerNodePorts == nil || *svc.Spec.AllocateLoadBalancerNodePorts) {
			n.also("the API server gives it ports of the nodes: allocateLoadBalancerNodePorts isn't false")
		}
		n.passes(".spec.type", string(svc.Spec.Type))
		all = append(all, n.finding(want, do))
	}
	return orNone(all, "there is no Service")
}

// declares reports whether somebody wrote a nodePort: then a manager owns the
// field (server-side apply, "Field management"); what the API server fills in is
// owned by none.
func declares(svc *corev1.Service) bool {
	return slices.ContainsFunc(svc.ManagedFields, func(m metav1.ManagedFieldsEntry) bool {
		return m.FieldsV1 != nil && bytes.Contains(m.FieldsV1.GetRawBytes(), []byte(`"f:nodePort"`))
	})
}
