package conform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// allocation is ra2.k8s.021: what nodes offer, a pod that got what it asked for, a
// claim that works, and quotas of namespaces.
func allocation(s Snapshot) []Finding {
	all := s.each(func(n corev1.Node) Finding {
		var lacks []string
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			if q := n.Status.Allocatable[name]; q.Sign() <= 0 {
				lacks = append(lacks, string(name))
			}
		}
		return either(len(lacks) == 0, ofNode(n), "CPU, memory and ephemeral storage to allocate", "none of: "+orNone(few(lacks)), "see what the kubelet measures and reserves: kubectl describe "+ofNode(n),
			s.saw(Nodes, ofNode(n), ".status.allocatable", n.Status.Allocatable))
	})
	all = append(all, s.placed())
	if _, done := s.probe(ProbeVolumes); done {
		all = append(all, s.byProbe(ProbeVolumes, "a claim's volume is attached", "deploy a storage driver and a StorageClass"))
	} else {
		all = append(all, s.mounts("persistentVolumeClaim", "deploy a storage driver and a StorageClass"))
	}
	return append(all, s.quotas()...)
}

// placed finds a pod that the scheduler placed, that asks for something, and that
// is Ready with an address. Static pods are placed by nobody.
func (s Snapshot) placed() Finding {
	const want = "a pod with requests is scheduled, and gets an address"
	for _, p := range s.Pods {
		_, static := p.Annotations[corev1.MirrorPodAnnotationKey]
		asks := slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return len(c.Resources.Requests) > 0 })
		if !static && asks && p.Spec.NodeName != "" && podReady(p) && len(p.Status.PodIPs) > 0 {
			return ok("", want, ofPod(p)+" on "+p.Spec.NodeName, s.saw(Pods, ofPod(p), ".spec.containers[*].resources.requests", p.Spec.Containers[0].Resources.Requests))
		}
	}
	return Finding{Verdict: Unknown, Want: want, Missing: []string{"pods: none that is Ready and was scheduled asks for anything"}}
}

// quotas judges that what a namespace may take can be bounded.
func (s Snapshot) quotas() []Finding {
	const want, do = "namespaces can be given quotas", "take ResourceQuota off --disable-admission-plugins"
	served := slices.ContainsFunc(s.Served, func(g GroupVersion) bool {
		return g.String() == "v1" && slices.Contains(g.Resources, "resourcequotas")
	})
	all := []Finding{either(served, "", want, fmt.Sprintf("v1 resourcequotas is served: %v", served), "serve it", s.saw(Served, "GET /api/v1", ".resources[*].name", "resourcequotas"))}
	for _, r := range s.component("kube-apiserver") {
		off := r.flags["disable-admission-plugins"]
		all = append(all, either(!strings.Contains(off, "ResourceQuota"), ofPod(r.Pod), want, "admission that is off: "+orNone(off), do,
			s.saw(Pods, ofPod(r.Pod), ".spec.containers[0].command", "disable-admission-plugins="+orNone(off))))
	}
	return all
}

// fromRepository matches the id of an image that came from a registry. containerd
// gives images that were imported from a file ids of "import-DATE" or none.
var fromRepository = regexp.MustCompile(`^(docker-pullable://)?[^@]+/[^@]+@sha256:`)

// images is ra2.k8s.022: images lie on each node and run there, and one was pulled.
func images(s Snapshot) []Finding {
	pulled := ""
	all := s.each(func(n corev1.Node) Finding {
		const want = "images that are kept on the node, and run"
		var kept, waits []string
		for _, p := range s.podsOn[n.Name] {
			for _, c := range append(slices.Clone(p.Status.InitContainerStatuses), p.Status.ContainerStatuses...) {
				switch {
				case c.ImageID != "" && (c.State.Running != nil || c.State.Terminated != nil):
					kept = append(kept, c.ImageID)
				case c.State.Waiting != nil && strings.Contains(c.State.Waiting.Reason, "Image"): // ErrImagePull, ImagePullBackOff, InvalidImageName
					waits = append(waits, ofPod(p)+": "+c.State.Waiting.Reason)
				}
				if fromRepository.MatchString(c.ImageID) && !strings.Contains(c.ImageID, "/import-") {
					pulled = c.ImageID
				}
			}
		}
		seen := s.saw(Pods, "pods", ".status.containerStatuses[*].imageID", few(kept))
		seen.Command = "kubectl get pods -A --field-selector spec.nodeName=" + n.Name + " -o jsonpath='{.items[*].status.containerStatuses[*].imageID}'"
		switch {
		case len(kept) > 0:
			got := fmt.Sprintf("%d", len(slices.Compact(slices.Sorted(slices.Values(kept)))))
			if len(waits) > 0 {
				got += "; " + few(waits)
			}
			return ok(ofNode(n), want, got, seen)
		case len(waits) > 0:
			return bad(ofNode(n), want, few(waits), "see the pods' events, and whether the node reaches the registry", seen)
		}
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Missing: []string{"pods: none runs on the node"}}
	})
	const want = "images are pulled from registries"
	if pulled == "" {
		return append(all, Finding{Verdict: Unknown, Want: want, Missing: []string{"pods: the image of none says by its id that it came from a registry; all may have come with the node's own image"}})
	}
	return append(all, ok("", want, pulled, s.saw(Pods, "pods", ".items[*].status.containerStatuses[*].imageID", pulled)))
}

// observed is ra2.k8s.023: use is told by the resource metrics API, by pod and so
// by namespace; changes of state and faults by events and watches.
func observed(s Snapshot) []Finding {
	const want = "what pods use is told by the API metrics.k8s.io"
	i := slices.IndexFunc(s.APIServices, func(a APIService) bool { return a.Group == "metrics.k8s.io" })
	got, good := "nobody serves it", false
	if i >= 0 {
		a := s.APIServices[i]
		good = a.Available
		got = fmt.Sprintf("%s of %s, available: %v", a.Version, orNone(a.Service), a.Available)
	}
	events := slices.ContainsFunc(s.Served, func(g GroupVersion) bool { return g.String() == "events.k8s.io/v1" })
	return []Finding{
		either(good, "", want, got, "deploy metrics-server", s.saw(APIServices, "apiservices", `.items[?(@.spec.group=="metrics.k8s.io")].status.conditions`, got)),
		either(events, "", "changes of state and faults are told as events", fmt.Sprintf("events.k8s.io/v1 is served: %v", events), "serve it", s.saw(Served, "GET /apis", ".groups[*].versions[*].groupVersion", "events.k8s.io/v1")),
	}
}

// The minors of Kubernetes from which on sidecars can be used, and can't be switched
// off any more (KEP-753; k8s.io/kubernetes, pkg/features/kube_features.go).
const (
	sidecarsOn     = 29
	sidecarsLocked = 33
)

// sidecars is ra2.k8s.024. From 1.37 on the gate is gone, and a component that is
// started with it doesn't start: it isn't asked for.
func sidecars(s Snapshot) []Finding {
	const want, gate = "sidecar containers", "SidecarContainers"
	judge := func(subject, version string, off bool, seen ...Evidence) Finding {
		got := version
		if off {
			got += ", with the gate off"
		}
		m := minor(version)
		return either(m >= sidecarsLocked || m >= sidecarsOn && !off, subject, want, got, "upgrade to 1.33 or newer, or take the gate off", seen...)
	}
	off := slices.ContainsFunc(s.component("kube-apiserver"), func(r running) bool { return strings.Contains(r.flags["feature-gates"], gate+"=false") })
	all := []Finding{judge("", s.Server.GitVersion, off, s.saw(Server, "GET /version", ".gitVersion", s.Server.GitVersion))}
	return append(all, s.each(func(n corev1.Node) Finding {
		v := n.Status.NodeInfo.KubeletVersion
		seen := s.saw(Nodes, ofNode(n), ".status.nodeInfo.kubeletVersion", v)
		if m := minor(v); m >= sidecarsLocked || m < sidecarsOn {
			return judge(ofNode(n), v, false, seen)
		}
		c, lack := s.configured(n, want)
		if lack != nil {
			return *lack
		}
		on, set := c.FeatureGates[gate]
		return judge(ofNode(n), v, set && !on, seen, s.configz(n, "featureGates", c.FeatureGates))
	})...)
}
