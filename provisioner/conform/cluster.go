package conform

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Labels by which nodes are known. The two keys that RA2 names hold two
// slashes and can't exist; docs/ra2-decisions.md says what stands for them.
const (
	labelControlPlane = "node-role.kubernetes.io/control-plane"
	labelZone         = "topology.kubernetes.io/zone"
	labelBasic        = ra2.LabelBasic
	labelIntensive    = ra2.LabelIntensive
	labelRealTime     = ra2.LabelRealTime
	labelProfile      = "anuket.io/profile"
	labelImage        = "ra2-deploy.io/image"
	labelGeneration   = "ra2-deploy.io/generation"
	featurePrefix     = "feature.node.kubernetes.io/"
)

func isControlPlane(n corev1.Node) bool {
	_, ok := n.Labels[labelControlPlane]
	return ok
}

// isWorker reports whether workloads may run on a node: it isn't cordoned, and
// isn't a control plane that keeps them away.
func isWorker(n corev1.Node) bool {
	return !n.Spec.Unschedulable && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && strings.HasPrefix(t.Key, "node-role.kubernetes.io/")
	})
}

func isReady(n corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func podReady(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func podEnded(p corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// names of what stands in findings.
func ofNode(n corev1.Node) string { return "node/" + n.Name }
func ofPod(p corev1.Pod) string   { return "pod/" + p.Namespace + "/" + p.Name }

// families reports of which families some addresses are, leaving those out
// that are good on one link only.
func families(addresses []string) (four, six bool) {
	for _, text := range addresses {
		a, err := netip.ParseAddr(strings.Split(text, "/")[0])
		if err != nil || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified() {
			continue
		}
		four, six = four || a.Unmap().Is4(), six || a.Unmap().Is6()
	}
	return four, six
}

// bothFamilies judges that addresses of IPv4 and IPv6 are among these.
func bothFamilies(addresses []string) bool {
	four, six := families(addresses)
	return four && six
}

// each judges every node, in the order of their names.
func (s Snapshot) each(judge func(corev1.Node) Finding) []Finding {
	var all []Finding
	for _, n := range sortedNodes(s.Nodes) {
		all = append(all, judge(n))
	}
	return all
}

func sortedNodes(nodes []corev1.Node) []corev1.Node {
	return slices.SortedFunc(slices.Values(nodes), func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
}

// where keeps the nodes that match.
func where(nodes []corev1.Node, match func(corev1.Node) bool) []corev1.Node {
	return slices.DeleteFunc(sortedNodes(nodes), func(n corev1.Node) bool { return !match(n) })
}

// claiming returns the nodes that claim the high-performance profile: by their
// class in the inventory, or by a label.
func (s Snapshot) claiming() map[string]bool {
	classes := map[string]string{}
	if s.Want != nil {
		for _, n := range s.Want.Nodes {
			classes[n.Name] = s.Want.Classes[n.Class].Profile
		}
	}
	claims := map[string]bool{}
	for _, n := range s.Nodes {
		p := n.Labels[labelProfile]
		claims[n.Name] = classes[n.Name] == highPerformance || n.Labels[labelIntensive] == "true" || n.Labels["profile.anuket.io/high-performance"] == "true" ||
			p == "network-intensive" || p == highPerformance
	}
	return claims
}

// claimants returns the nodes that claim the high-performance profile.
func (s Snapshot) claimants() []corev1.Node {
	return where(s.Nodes, func(n corev1.Node) bool { return s.claims[n.Name] })
}

const highPerformance = "high-performance"

// ofHighPerformance judges the nodes that claim the high-performance profile;
// where none does, the row doesn't apply.
func ofHighPerformance(judge func(Snapshot, corev1.Node) Finding) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		nodes := s.claimants()
		if len(nodes) == 0 {
			return []Finding{s.noClaimant()}
		}
		var all []Finding
		for _, n := range nodes {
			all = append(all, judge(s, n))
		}
		return all
	}
}

func (s Snapshot) noClaimant() Finding {
	return notApplicable("no node claims the high-performance profile: no class of an inventory does, and no label "+labelIntensive+"=true or "+labelProfile,
		s.saw(Nodes, "nodes", "", fmt.Sprintf("%d nodes", len(s.Nodes))))
}

// running is one pod of a control plane component, with its flags.
type running struct {
	corev1.Pod
	flags map[string]string // "authorization-mode": "Node,RBAC"
}

// component returns the pods of a control plane component: "kube-apiserver".
func (s Snapshot) component(name string) []running {
	var all []running
	for _, p := range s.Pods {
		if p.Namespace == "kube-system" && (p.Labels["component"] == name || p.Labels["k8s-app"] == name) {
			all = append(all, running{p, flagsOf(p)})
		}
	}
	return all
}

// flagsOf returns the flags of a pod's first container.
func flagsOf(p corev1.Pod) map[string]string {
	flags := map[string]string{}
	if len(p.Spec.Containers) == 0 {
		return flags
	}
	c := p.Spec.Containers[0]
	for _, word := range append(slices.Clone(c.Command), c.Args...) {
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			name, value, _ := strings.Cut(flag, "=")
			flags[name] = value
		}
	}
	return flags
}

// config returns the ConfigMap of this name that kubeadm keeps, or nil.
func (s Snapshot) config(name string) map[string]string {
	for _, m := range s.Config {
		if m.Name == name {
			return m.Data
		}
	}
	return nil
}

// minor returns the minor version of "v1.37.2", or -1.
func minor(version string) int {
	var major, n int
	if _, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &major, &n); err != nil || major != 1 {
		return -1
	}
	return n
}

// few names some of many things.
func few(names []string) string {
	const enough = 5
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > enough {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:enough], ", "), len(names)-enough)
	}
	return strings.Join(names, ", ")
}

// missing returns an unknown finding of one thing.
func (s Snapshot) missing(subject, want string, parts ...Part) Finding {
	f := Finding{Verdict: Unknown, Subject: subject, Want: want}
	for _, p := range parts {
		f.Missing = append(f.Missing, s.Lacks(p))
	}
	return f
}

// byProbe judges by what a probe did; without it the row is unknown.
func (s Snapshot) byProbe(name, want, do string) Finding {
	p, done := s.probe(name)
	if !done {
		return s.missing("", want, ProbeOf(name))
	}
	f := Finding{Verdict: p.Outcome, Want: want, Got: p.Did, Evidence: []Evidence{{
		Command: p.Repeat, Object: "probe " + name, Value: Trim(strings.Join(p.Said, "; ")), Time: p.Time,
	}}}
	switch p.Outcome {
	case Pass:
	case Fail:
		f.Do = do
		if len(p.Said) > 0 {
			f.Got += ": " + Trim(p.Said[0])
		}
	default:
		f.Verdict, f.Missing = Unknown, []string{"the probe " + name + " didn't come to its end: " + Trim(strings.Join(p.Said, "; "))}
	}
	return f
}
