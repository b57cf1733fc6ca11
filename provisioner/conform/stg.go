package conform

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// storage binds the rows about storage, the container runtime and packages.
func storage() map[string]binding {
	return map[string]binding{
		"ra2.crt.001": setting(ociSpec, Nodes),
		"ra2.crt.002": setting(cri, Nodes),
		"ra2.stg.001": setting(ephemeral, Nodes),
		"ra2.stg.002": permits("further storage by Kubernetes volumes"),
		"ra2.stg.003": permits("volume plugins (Cinder and EBS, which it names, left Kubernetes' tree)"),
		"ra2.stg.004": setting(persistent, StorageClasses, Volumes, VolumeClaims),
		"ra2.stg.005": behaviour(volumeTypes, Pods, StorageClasses, Volumes),
		"ra2.stg.006": setting(csi, CSIDrivers, CSINodes, Nodes),
		"ra2.stg.007": setting(storageClasses, StorageClasses),
		"ra2.stg.008": permits("persistent volumes that are replicated by their storage"),
		"ra2.stg.009": permits("persistent volumes that are encrypted by their storage"),
		"ra2.stg.010": setting(supportedClasses, StorageClasses, VolumeClaims),
		"ra2.pkg.001": setting(noTiller, workloadParts(Pods)...),
		"ra2.pkg.002": setting(byHelm, workloadParts()...),
	}
}

// ociSpec is ra2.crt.001. The name of a runtime proves nothing; runc tells
// which specification it implements.
func ociSpec(s Snapshot) []Finding {
	const want = "the OCI runtime specification 1.0 or newer"
	return s.each(func(n corev1.Node) Finding {
		told, lack := s.toldBy(n, want)
		if lack != nil {
			lack.Missing = lack.Missing[:1]
			lack.Got = "the runtime is " + n.Status.NodeInfo.ContainerRuntimeVersion
			return *lack
		}
		var major, lesser int
		if _, err := fmt.Sscanf(told.Runtime.OCISpec, "%d.%d", &major, &lesser); err != nil {
			return untold(n, want, "the specification of its OCI runtime")
		}
		return either(major >= 1, ofNode(n), want, fmt.Sprintf("%s %s, specification %s", told.Runtime.OCIName, told.Runtime.OCIVersion, told.Runtime.OCISpec), "rebuild the node with a current runtime",
			s.heard(n.Name, told.Runtime.OCIName+" --version", told.Runtime.OCISpec))
	})
}

// cri is ra2.crt.002: a kubelet since 1.24 speaks nothing else. Before that
// only docker didn't.
func cri(s Snapshot) []Finding {
	return s.each(func(n corev1.Node) Finding {
		runtime, v := n.Status.NodeInfo.ContainerRuntimeVersion, n.Status.NodeInfo.KubeletVersion
		good := runtime != "" && (minor(v) >= 24 || minor(v) > 0 && !strings.HasPrefix(runtime, "docker://"))
		return either(good, ofNode(n), "a runtime that speaks CRI", runtime+" to kubelet "+v, "use containerd or CRI-O",
			s.saw(Nodes, ofNode(n), ".status.nodeInfo.containerRuntimeVersion", runtime))
	})
}

// ephemeral is ra2.stg.001.
func ephemeral(s Snapshot) []Finding {
	all := s.each(func(n corev1.Node) Finding {
		q := n.Status.Allocatable[corev1.ResourceEphemeralStorage]
		return either(q.Value() > 0, ofNode(n), "ephemeral storage for pods", q.String(), "see the file system of the kubelet: df /var/lib/kubelet, on the node", s.saw(Nodes, ofNode(n), ".status.allocatable.ephemeral-storage", q.String()))
	})
	if _, done := s.probe(ProbeEphemeral); done {
		all = append(all, s.byProbe(ProbeEphemeral, "a pod writes to its root and an emptyDir", "see what the probe saw, and the kubelet's eviction thresholds"))
	}
	return all
}

// persistent is ra2.stg.004, a may.
func persistent(s Snapshot) []Finding {
	if len(s.StorageClasses)+len(s.Volumes) == 0 {
		return []Finding{notApplicable("no persistent volumes are offered (no StorageClass, no PersistentVolume), and the row only permits them", s.saw(StorageClasses, "storageclasses,persistentvolumes", ".items[*].metadata.name", "none"))}
	}
	var bound, lost []string
	for _, c := range s.VolumeClaims {
		switch c.Status.Phase {
		case corev1.ClaimBound:
			bound = append(bound, c.Namespace+"/"+c.Name)
		case corev1.ClaimLost:
			lost = append(lost, c.Namespace+"/"+c.Name)
		}
	}
	f := either(len(lost) == 0, "", "claims keep their volumes", fmt.Sprintf("%d bound, lost: %s", len(bound), orNone(few(lost))), "see what became of their volumes: kubectl describe persistentvolumeclaims -A", s.saw(VolumeClaims, "persistentvolumeclaims", ".items[*].status.phase", fmt.Sprintf("%d Bound", len(bound))))
	if _, done := s.probe(ProbePersistent); done {
		return []Finding{f, s.byProbe(ProbePersistent, "data outlives its pod", "see the log of the storage driver's pods")}
	}
	return []Finding{f}
}

// volumeTypes is ra2.stg.005. Pods that are Ready with a volume of a type show
// that the type works; what no pod uses has to be tried.
func volumeTypes(s Snapshot) []Finding {
	const do = "deploy a storage driver and a StorageClass"
	if _, done := s.probe(ProbeVolumes); done {
		return []Finding{s.byProbe(ProbeVolumes, "one pod mounts all four types of volume and reads what it should", do)}
	}
	var all []Finding
	for _, kind := range []string{"emptyDir", "configMap", "secret", "persistentVolumeClaim"} {
		all = append(all, s.mounts(kind, do))
	}
	return all
}

// mounts judges that volumes of a type work, by a pod that is Ready with one.
func (s Snapshot) mounts(kind, do string) Finding {
	uses := map[string]func(corev1.Volume) bool{
		"emptyDir":              func(v corev1.Volume) bool { return v.EmptyDir != nil },
		"configMap":             func(v corev1.Volume) bool { return v.ConfigMap != nil },
		"secret":                func(v corev1.Volume) bool { return v.Secret != nil },
		"persistentVolumeClaim": func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil },
	}
	i := slices.IndexFunc(s.Pods, func(p corev1.Pod) bool { return podReady(p) && slices.ContainsFunc(p.Spec.Volumes, uses[kind]) })
	want := "volumes of type " + kind + " work"
	switch {
	case i >= 0:
		return ok("", want, ofPod(s.Pods[i])+" is Ready with one", s.saw(Pods, ofPod(s.Pods[i]), ".spec.volumes", kind))
	case kind == "persistentVolumeClaim" && len(s.StorageClasses)+len(s.Volumes) == 0:
		return bad("", want, "no claim can be bound: there is no StorageClass and no PersistentVolume", do, s.saw(StorageClasses, "storageclasses,persistentvolumes", ".items[*].metadata.name", "none"))
	}
	f := s.missing("", want, ProbeOf(ProbeVolumes))
	f.Got = "no pod that is Ready has such a volume"
	return f
}

// csi is ra2.stg.006, a may: where CSI is used, its driver is on every worker.
// The gates that the row names are gone, the last with 1.27. Later releases forbid
// the plugins that were in Kubernetes' own tree.
func csi(s Snapshot) []Finding {
	removed := s.removedPlugins()
	if len(s.CSIDrivers) == 0 && removed != nil {
		return removed
	}
	if len(s.CSIDrivers) == 0 {
		return []Finding{notApplicable("no CSI driver is registered, and the row only permits one", s.saw(CSIDrivers, "csidrivers", ".items[*].metadata.name", "none"))}
	}
	on := map[string][]string{}
	for _, n := range s.CSINodes {
		for _, d := range n.Spec.Drivers {
			on[d.Name] = append(on[d.Name], n.Name)
		}
	}
	all := removed
	for _, d := range s.CSIDrivers {
		lacks := where(s.Nodes, func(n corev1.Node) bool { return isWorker(n) && !slices.Contains(on[d.Name], n.Name) })
		var names []string
		for _, n := range lacks {
			names = append(names, n.Name)
		}
		all = append(all, either(len(names) == 0, "csidriver/"+d.Name, "the driver on every worker", "not on: "+orNone(few(names)), "see the driver's pods on those nodes: kubectl get pods -A -o wide",
			s.saw(CSINodes, "csinodes", ".items[*].spec.drivers[*].name", on[d.Name])))
	}
	return all
}

// storageClasses is ra2.stg.007, a should.
func storageClasses(s Snapshot) []Finding {
	const want, do = "a StorageClass, one of them the default", "deploy a storage driver, and mark a class as default"
	byDefault := slices.IndexFunc(s.StorageClasses, func(c storagev1.StorageClass) bool {
		return c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
	})
	var names []string
	for _, c := range s.StorageClasses {
		names = append(names, c.Name)
	}
	f := either(byDefault >= 0, "", want, orNone(few(names)), do, s.saw(StorageClasses, "storageclasses", ".items[*].metadata.annotations", orNone(few(names))))
	if _, done := s.probe(ProbeDefaultClass); done && byDefault >= 0 {
		return []Finding{f, s.byProbe(ProbeDefaultClass, "a claim without a class becomes Bound", do)}
	}
	return []Finding{f}
}

// noTiller is ra2.pkg.001: no server of Helm 2 in the cluster.
func noTiller(s Snapshot) []Finding {
	var found []string
	for _, c := range s.controllers() {
		for _, box := range c.pod.Containers {
			if strings.Contains(box.Image, "tiller") {
				found = append(found, c.object())
			}
		}
	}
	for _, p := range s.Pods {
		for _, box := range p.Spec.Containers {
			if strings.Contains(box.Image, "tiller") {
				found = append(found, ofPod(p))
			}
		}
	}
	return []Finding{either(len(found) == 0, "", "no package manager's server in the cluster", orNone(few(found)), "remove Tiller, and use Helm 3 or 4",
		s.saw(Pods, "pods", ".items[*].spec.containers[*].image", fmt.Sprintf("%d pods, Tiller: %s", len(s.Pods), orNone(few(found)))))}
}

// byHelm is ra2.pkg.002: workloads come from releases of Helm. What runs in the
// platform's own namespaces is none.
func byHelm(s Snapshot) []Finding {
	var all []Finding
	for _, c := range s.controllers() {
		if isPlatform(c.namespace) || c.owned {
			continue
		}
		release := c.annotations["meta.helm.sh/release-name"]
		part := map[string]Part{"daemonset": DaemonSets, "deployment": Deployments, "statefulset": StatefulSets}[c.kind]
		all = append(all, either(release != "" && c.labels["app.kubernetes.io/managed-by"] == "Helm", c.object(), "a release of Helm made it", "release "+orNone(release), "install it as a chart",
			s.saw(part, c.object(), `.metadata.annotations.meta\.helm\.sh/release-name`, release)))
	}
	if all == nil {
		return []Finding{notApplicable("no workload runs here: every DaemonSet, Deployment and StatefulSet is of the platform", s.saw(Deployments, "daemonsets,deployments,statefulsets", ".items[*].metadata.namespace", "platform only"))}
	}
	return all
}
