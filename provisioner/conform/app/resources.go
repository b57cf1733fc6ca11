package app

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// limited are the resources that need a limit.
func limited() []corev1.ResourceName {
	return []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}
}

// limits judges ra2.app.032, of containers and of the namespaces they are in.
func limits(s subject) []conform.Finding {
	defaults := s.defaultLimits()
	all := s.eachContainer("limits of CPU and memory for each container", "set resources.limits", func(p pod, c container, n *notes) {
		for _, r := range limited() {
			at := c.path + ".resources.limits." + string(r)
			switch {
			case has(c.Resources.Limits, r):
				n.passes(at, c.Resources.Limits[r])
			case p.spec.Resources != nil && has(p.spec.Resources.Limits, r):
				n.passes(".spec.resources.limits."+string(r), p.spec.Resources.Limits[r])
			case p.status == nil && defaults[r] != "":
				n.passes(at, "by default of "+defaults[r])
			case len(p.spec.EphemeralContainers) > 0 && strings.HasPrefix(c.path, ".spec.ephemeral"):
				n.also("%s was put in for debugging, and can have no limits", c.Name)
			default:
				n.fails(at, unset)
			}
		}
	})
	if len(s.pods) == 0 {
		return all
	}
	return append(all, s.quota())
}

func has(list corev1.ResourceList, r corev1.ResourceName) bool {
	q, ok := list[r]
	return ok && !q.IsZero()
}

// defaultLimits returns the LimitRange that gives containers a limit.
func (s subject) defaultLimits() map[corev1.ResourceName]string {
	out := map[corev1.ResourceName]string{}
	for o, lr := range objects[*corev1.LimitRange](s.Workload) {
		for _, item := range lr.Spec.Limits {
			for _, r := range limited() {
				if item.Type == corev1.LimitTypeContainer && has(item.Default, r) {
					out[r] = o.ref()
				}
			}
		}
	}
	return out
}

// quota judges the limits of the namespace: a ResourceQuota's.
func (s subject) quota() conform.Finding {
	const want = "limits of CPU and memory for the namespace, by a ResourceQuota"
	n := &notes{at: s.Time}
	for o, q := range objects[*corev1.ResourceQuota](s.Workload) {
		n.object = o
		for _, r := range []corev1.ResourceName{corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory} {
			if has(q.Spec.Hard, r) {
				n.passes(".spec.hard."+strings.ReplaceAll(string(r), ".", `\.`), q.Spec.Hard[r])
			}
		}
	}
	switch f := n.finding(want, ""); {
	case len(n.good) >= 2:
		return f
	case s.Live == nil:
		return unknown(want, "the ResourceQuota of the namespace, which isn't among what was given: name the namespace")
	default:
		f := conform.Finding{Verdict: conform.Fail, Want: want, Got: "no ResourceQuota has both limits.cpu and limits.memory", Do: "make a ResourceQuota with limits.cpu and limits.memory"}
		for _, p := range s.pods {
			f.Subject = "namespace/" + p.object.Namespace
		}
		return f
	}
}

// labels judges ra2.app.045.
func labels(s subject) []conform.Finding {
	keys := s.words("labels")
	return s.eachPod("each pod has the labels "+strings.Join(keys, ", "), "set them in the pod's template", func(p pod, n *notes) {
		for _, key := range keys {
			at := ".metadata.labels." + strings.ReplaceAll(key, ".", `\.`)
			if value := p.meta.Labels[key]; value != "" {
				n.passes(at, value)
			} else {
				n.fails(at, unset)
			}
		}
	})
}

var (
	discovered = regexp.MustCompile(`(^|\.)feature\.node\.kubernetes\.io/`)
	hardware   = regexp.MustCompile(`(?i)(^|[^a-z])(gpu|nvidia|fpga|sr-?iov|dpdk|huge-?pages?|numa|cpu|avx\d*|nics?|ptp|rt|real-?time|kernel|ssd|nvme|disk|accelerator|smartnic|qat|hardware)([^a-z]|$)`)
)

// placement are keys that say where, and nothing of hardware or software.
func placement() []string {
	return []string{
		"kubernetes.io/os", "kubernetes.io/arch", "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "anuket.io/profile",
		"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/worker", "node.kubernetes.io/exclude-from-external-load-balancers",
	}
}

// features judges ra2.app.010: how pods say on which nodes they can be.
func features(s subject) []conform.Finding {
	found := s.eachPod("what a pod needs of a node is asked for by labels of Node Feature Discovery", "ask for the label feature.node.kubernetes.io/... that NFD gives", func(p pod, n *notes) {
		for at, key := range p.nodeKeys() {
			switch {
			case discovered.MatchString(key) || slices.Contains(placement(), key):
				n.passes(at, key)
			case key == corev1.LabelHostname:
				n.fails(at, key+": one node by name")
			case hardware.MatchString(key):
				n.fails(at, key+": a home-made label for what NFD tells")
			default:
				n.doubts(at, key, "what the label "+key+" stands for: hardware or software has to be asked for by NFD's labels")
			}
		}
	})
	return orNone(found, "no pod asks anything of its node")
}

// nodeKeys returns the labels of nodes that a pod asks for, by where it does.
func (p pod) nodeKeys() map[string]string {
	keys := map[string]string{}
	for key := range p.spec.NodeSelector {
		keys[".spec.nodeSelector."+strings.ReplaceAll(key, ".", `\.`)] = key
	}
	if p.spec.Affinity == nil || p.spec.Affinity.NodeAffinity == nil || p.spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return keys
	}
	const base = ".spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	for i, term := range p.spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for j, e := range term.MatchExpressions {
			keys[fmt.Sprintf("%s[%d].matchExpressions[%d].key", base, i, j)] = e.Key
		}
	}
	return keys
}

// logFile is how programs are told to write a log into a file.
var logFile = regexp.MustCompile(`(?i)(?:^|[^a-z])log[-_]?(?:file|dir|path|folder)\b[=:\s]*"?(/[^\s"']*)?|/var/log/\S+`)

// logs judges ra2.app.046: a log that goes into a file is seen in what is
// written down, one that comes by standard output only in what runs.
func logs(s subject) []conform.Finding {
	return s.eachContainer("logs go to standard output or error", "let it log to standard output, without a log file", func(p pod, c container, n *notes) {
		for i, m := range c.VolumeMounts {
			if at := path.Clean(m.MountPath); at == "/var/log" || strings.HasPrefix(at, "/var/log/") {
				n.fails(fmt.Sprintf("%s.volumeMounts[%d].mountPath", c.path, i), m.MountPath)
			}
		}
		for i, a := range c.Args {
			if toFile(a) {
				n.fails(fmt.Sprintf("%s.args[%d]", c.path, i), a)
			}
		}
		for i, e := range c.Env {
			if toFile(e.Name + "=" + e.Value) {
				n.fails(fmt.Sprintf("%s.env[%d]", c.path, i), e.Name+"="+e.Value)
			}
		}
		if len(n.bad) == 0 && !c.init {
			s.wrote(p, c, n)
		}
	})
}

// toFile reports whether an argument or a variable names a log file that isn't
// standard output.
func toFile(text string) bool {
	m := logFile.FindStringSubmatch(text)
	return m != nil && (m[1] != "" || strings.HasPrefix(m[0], "/") || !strings.Contains(m[0], "/") && strings.Contains(text, "=/")) && !strings.Contains(text, "/dev/std") && !strings.Contains(text, "/proc/self/fd")
}

// wrote notes whether a container has written anything to its standard output.
func (s subject) wrote(p pod, c container, n *notes) {
	if s.Live == nil || p.status == nil {
		n.doubts(c.path, c.Name, "the log of a running pod: name the namespace")
		return
	}
	whole, _ := p.object.Typed.(*corev1.Pod)
	switch l, asked := s.Live.Logs[LogKey(whole, c.Name)]; {
	case !asked || l.Err != "":
		n.doubts(c.path, c.Name, "the log of "+c.Name+": "+strings.TrimPrefix(l.Err+"not asked", "not asked"))
	case l.Bytes == 0:
		n.doubts(c.path, c.Name, "a line in the log of "+c.Name+": it has written nothing yet, so that nobody can say where it would go")
	default:
		n.passes(c.path, c.Name+" writes to its standard output")
	}
}
