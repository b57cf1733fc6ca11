package mutate

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Certificates of a key that nobody has, as a CertificateRequest holds them, made by
// openssl req -x509: signed with SHA-256, and with SHA-1.
const (
	bySHA256 = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiekNDQVJXZ0F3SUJBZ0lVYnd4OWorekJXb3MvZ011RGM1ajA2dWlvNWF3d0NnWUlLb1pJemowRUF3SXcKRERFS01BZ0dBMVVFQXd3QmVEQWdGdzB5TmpFeE1qUXhOakF4TURSYUdBOHlNVEkyTVRBek1URTJNREV3TkZvdwpEREVLTUFnR0ExVUVBd3dCZURCWk1CTUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQlBPLzMrOWN5WDQwCnRxNnBFYXJPd2hoT1FCTnc5czlZaU44dWZncC9aZk1RaTJ2cHp5b3d3SkYzeUEyVmJkWHNNdVRpdEZodUpJeVIKQ2dUTHI2Nnh5U0tqVXpCUk1CMEdBMVVkRGdRV0JCUkx5Y2pORXZNSU1OVjFzc2VPMXdTQ3lDOUlXVEFmQmdOVgpIU01FR0RBV2dCUkx5Y2pORXZNSU1OVjFzc2VPMXdTQ3lDOUlXVEFQQmdOVkhSTUJBZjhFQlRBREFRSC9NQW9HCkNDcUdTTTQ5QkFNQ0EwZ0FNRVVDSUErNWZFNUJTZUwrejJQTW9jeGJqclJlOURYRWlhMUREMXFUTnQ1bm1yZGIKQWlFQXRuL2VleGwrZnFzR2ZkQ1RoeEUwcTBDeHp4SmlWMERPaUoyc2NiUmNuY0U9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
	bySHA1   = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiakNDQVJTZ0F3SUJBZ0lVSUdDZXJDTG01a1VlaUdOTFZMT1VPdS9SR0lBd0NRWUhLb1pJemowRUFUQU0KTVFvd0NBWURWUVFEREFGNE1DQVhEVEkyTVRFeU5ERTJNREV3TkZvWUR6SXhNall4TURNeE1UWXdNVEEwV2pBTQpNUW93Q0FZRFZRUUREQUY0TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFODcvZjcxekpmalMyCnJxa1JxczdDR0U1QUUzRDJ6MWlJM3k1K0NuOWw4eENMYStuUEtqREFrWGZJRFpWdDFld3k1T0swV0c0a2pKRUsKQk11dnJySEpJcU5UTUZFd0hRWURWUjBPQkJZRUZFdkp5TTBTOHdndzFYV3l4NDdYQklMSUwwaFpNQjhHQTFVZApJd1FZTUJhQUZFdkp5TTBTOHdndzFYV3l4NDdYQklMSUwwaFpNQThHQTFVZEV3RUIvd1FGTUFNQkFmOHdDUVlICktvWkl6ajBFQVFOSkFEQkdBaUVBd0R4WVdEVzhMbkVmKzcrdDBWREFSMk9QYnVQREVwTHlrRlpNNTVNdmZld0MKSVFDQ0hxT0VvMVMxNnMzcjRBbVZUZU41eU95b2hoMUQ1SlR3dmIvSFlDYjRzdz09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
)

// later adds to the conformant cluster what rows of later releases ask for: a worker
// of the real-time flavour, metrics, events, Cluster API, a pod that asked the
// scheduler for something, and images that were pulled.
func later(s *conform.Snapshot) {
	node("worker-a", func(n *corev1.Node) { n.Labels[ra2.LabelRealTime] = "true" })(s)
	fact(func(f *conform.NodeFacts) {
		f.Build = "#1 SMP PREEMPT_RT Debian 6.12.48-1 (2025-09-20)"
		f.NICs = slices.Clone(f.NICs)
		f.NICs[0].PTPClock = ptr(true)
	})(s)
	for i := range s.Served {
		if s.Served[i].Group == "" {
			s.Served[i].Resources = []string{"pods", "resourcequotas"}
		}
	}
	s.StorageClasses[0].Annotations["kubernetes.io/description"] = "block, replicated three times; see the operator's manual"
	scheduled := pod("kube-system", "coredns-a", "worker-a", nil, false, corev1.Container{Name: "coredns", Image: "registry.k8s.io/coredns/coredns:v1.14.6", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
	}})
	scheduled.Status.PodIPs = []corev1.PodIP{{IP: "10.244.11.8"}, {IP: "fd00:17:244:11::8"}}
	s.Pods = slices.Insert(s.Pods, 0, scheduled)
	for i, p := range s.Pods {
		for _, c := range p.Spec.Containers {
			s.Pods[i].Status.ContainerStatuses = []corev1.ContainerStatus{{Name: c.Name, Image: c.Image, ImageID: c.Image + "@sha256:" + digest, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at().Add(-time.Hour))}}}}
		}
	}
	laterDeployed(s)
	laterCustom(s)
}

const digest = "0c91505315239b0b76aaee511705becb1d90ec610f7d66bcbf4137bb7652908f"

func laterDeployed(s *conform.Snapshot) {
	s.DaemonSets = append(s.DaemonSets, daemon("monitoring", "node-exporter", "quay.io/prometheus/node-exporter:v1.12.0"))
	prometheus := appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "prometheus"}, Status: appsv1.StatefulSetStatus{Replicas: 1, ReadyReplicas: 1}}
	prometheus.Spec.Selector, prometheus.Spec.Template = template("prometheus", "quay.io/prometheus/prometheus:v3.9.0")
	s.StatefulSets = append(s.StatefulSets, prometheus)
	events := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "events"}, Status: appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1}}
	events.Spec.Selector, events.Spec.Template = template("events", "ghcr.io/resmoio/kubernetes-event-exporter:v1.7")
	s.Deployments = append(s.Deployments, events)
}

func laterCustom(s *conform.Snapshot) {
	for _, c := range [][3]string{
		{"certificaterequests", "cert-manager.io", "v1"}, {"ptpconfigs", "ptp.openshift.io", "v1"}, {"servicemonitors", "monitoring.coreos.com", "v1"},
		{"clusters", "cluster.x-k8s.io", "v1beta2"}, {"machines", "cluster.x-k8s.io", "v1beta2"}, {"machinesets", "cluster.x-k8s.io", "v1beta2"},
		{"machinedeployments", "cluster.x-k8s.io", "v1beta2"}, {"machinehealthchecks", "cluster.x-k8s.io", "v1beta2"},
		{"kubeadmcontrolplanes", "controlplane.cluster.x-k8s.io", "v1beta2"}, {"kubeadmconfigtemplates", "bootstrap.cluster.x-k8s.io", "v1beta2"},
	} {
		s.CustomTypes = append(s.CustomTypes, conform.CustomType{Plural: c[0], Group: c[1], Versions: []string{c[2]}})
	}
	one := func(name string, more map[string]any) conform.Object {
		o := conform.Object{"metadata": map[string]any{"namespace": "kube-system", "name": name}}
		for key, value := range more {
			o[key] = value
		}
		return o
	}
	s.Custom["certificaterequests.cert-manager.io"] = []conform.Object{one("web-1", map[string]any{"status": map[string]any{"certificate": bySHA256}})}
	s.Custom["ptpconfigs.ptp.openshift.io"] = []conform.Object{one("tsn", map[string]any{
		"spec":   map[string]any{"profile": []any{map[string]any{"name": "t-bc", "synce4lConf": "[global]"}}},
		"status": map[string]any{"matchList": []any{map[string]any{"nodeName": "worker-a", "profile": "t-bc"}}},
	})}
	for _, name := range []string{"kube-apiserver", "kube-etcd", "kube-scheduler", "kube-controller-manager", "kubelet"} {
		s.Custom["servicemonitors.monitoring.coreos.com"] = append(s.Custom["servicemonitors.monitoring.coreos.com"], one(name, nil))
	}
	s.Custom["clusters.cluster.x-k8s.io"] = []conform.Object{one("edge-17", map[string]any{"status": map[string]any{"phase": "Provisioned"}})}
	workers := one("workers", nil)
	workers["metadata"].(map[string]any)["annotations"] = map[string]any{"cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size": "9"}
	s.Custom["machinedeployments.cluster.x-k8s.io"] = []conform.Object{workers}
	s.Custom["machinehealthchecks.cluster.x-k8s.io"] = []conform.Object{one("workers", nil)}
}

// Of returns the mutations of all rows of a release: those of all releases that have
// the row, and those that only its text makes violations.
func Of(release ra2.Release) []Mutation {
	if release == ra2.Pieman {
		return All()
	}
	muts := slices.Concat(All(), quinnipiac())
	if release == ra2.Head {
		muts = slices.Concat(muts, head(), headStorage(), headMonitoring())
	}
	return muts
}

// quinnipiac returns the mutations of what Quinnipiac adds and changes.
func quinnipiac() []Mutation {
	named := func(release string) change {
		return node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KernelVersion = release })
	}
	without := func(row, what, name string) Mutation { return Mutation{row, what, nil, untyped(name)} }
	return []Mutation{
		{"ra2.ch.020", "a kernel of another kind", nil, all(named("6.12.48+deb13-rt-amd64"), fact(func(f *conform.NodeFacts) { f.Build = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1" }))},
		{"ra2.ntw.023", "cards without a clock", nil, fact(func(f *conform.NodeFacts) {
			f.NICs = slices.Clone(f.NICs)
			f.NICs[0].PTPClock = ptr(false)
		})},
		{"ra2.k8s.005", "the version that Pieman names", nil, runs("v1.29.15")},
		{"ra2.k8s.020", "a certificate that is signed with SHA-1", nil, func(s *conform.Snapshot) {
			s.Custom["certificaterequests.cert-manager.io"][0]["status"] = map[string]any{"certificate": bySHA1}
		}},
		{"ra2.stg.006", "a volume of the plugin for Ceph", nil, volume(corev1.PersistentVolumeSource{RBD: &corev1.RBDPersistentVolumeSource{CephMonitors: []string{"192.0.2.1"}, RBDImage: "a"}})},
		{"ra2.stg.006", "a class of the plugin for Ceph", nil, func(s *conform.Snapshot) { s.StorageClasses[0].Provisioner = "kubernetes.io/rbd" }},
		{"ra2.lcm.001", "a cluster that isn't made", nil, func(s *conform.Snapshot) {
			s.Custom["clusters.cluster.x-k8s.io"][0]["status"] = map[string]any{"phase": "Failed"}
		}},
		{"ra2.lcm.002", "nothing that is scaled", nil, func(s *conform.Snapshot) { s.Custom["machinedeployments.cluster.x-k8s.io"] = nil }},
		without("ra2.lcm.003", "no type of control planes", "kubeadmcontrolplanes.controlplane.cluster.x-k8s.io"),
		without("ra2.lcm.003", "no type of workers", "machinedeployments.cluster.x-k8s.io"),
		without("ra2.lcm.004", "no such type", "clusters.cluster.x-k8s.io"),
		without("ra2.lcm.005", "no such type", "machines.cluster.x-k8s.io"),
		without("ra2.lcm.006", "no such type", "machinesets.cluster.x-k8s.io"),
		without("ra2.lcm.007", "no such type", "machinedeployments.cluster.x-k8s.io"),
		{"ra2.lcm.008", "no health check", nil, func(s *conform.Snapshot) { s.Custom["machinehealthchecks.cluster.x-k8s.io"] = nil }},
		without("ra2.lcm.009", "no such type", "kubeadmconfigtemplates.bootstrap.cluster.x-k8s.io"),
	}
}

// runs gives server and nodes a version of Kubernetes.
func runs(version string) change {
	return func(s *conform.Snapshot) {
		s.Server.GitVersion = version
		for i := range s.Nodes {
			s.Nodes[i].Status.NodeInfo.KubeletVersion = version
		}
	}
}

// volume adds a volume of a source.
func volume(source corev1.PersistentVolumeSource) change {
	return func(s *conform.Snapshot) {
		s.Volumes = append(s.Volumes, corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "old"}, Spec: corev1.PersistentVolumeSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, PersistentVolumeSource: source,
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		}})
	}
}

// head returns the mutations of what the head adds to Kubernetes itself.
func head() []Mutation {
	gate := func(version string) change {
		return all(node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = version }), func(s *conform.Snapshot) {
			c := s.Kubelets["worker-a"]
			c.FeatureGates = map[string]bool{"SidecarContainers": false}
			s.Kubelets["worker-a"] = c
		})
	}
	return []Mutation{
		{"ra2.k8s.005", "the version that Quinnipiac names", nil, runs("v1.31.14")},
		{"ra2.k8s.021", "a node that offers no ephemeral storage", nil, node("worker-a", func(n *corev1.Node) { delete(n.Status.Allocatable, corev1.ResourceEphemeralStorage) })},
		{"ra2.k8s.021", "a volume that can't be read", nil, fails(conform.ProbeVolumes)},
		{"ra2.k8s.021", "nothing that binds a claim", without(conform.ProbeVolumes), func(s *conform.Snapshot) {
			s.StorageClasses = nil
			for i := range s.Pods {
				s.Pods[i].Spec.Volumes = s.Pods[i].Spec.Volumes[:3]
			}
		}},
		{"ra2.k8s.021", "quotas that nobody keeps", nil, flag("--disable-admission-plugins=ResourceQuota")},
		{"ra2.k8s.022", "a node that gets no image", nil, unpulled},
		{"ra2.k8s.023", "no metrics of what pods use", nil, func(s *conform.Snapshot) { s.APIServices = nil }},
		{"ra2.k8s.023", "a server of metrics that doesn't answer", nil, func(s *conform.Snapshot) { s.APIServices[0].Available = false }},
		{"ra2.k8s.023", "no events", nil, func(s *conform.Snapshot) {
			s.Served = slices.DeleteFunc(s.Served, func(g conform.GroupVersion) bool { return g.Group == "events.k8s.io" })
		}},
		{"ra2.k8s.024", "a version before sidecars", nil, func(s *conform.Snapshot) { s.Server.GitVersion = "v1.28.15" }},
		{"ra2.k8s.024", "an API server with the gate off", nil, all(func(s *conform.Snapshot) { s.Server.GitVersion = "v1.32.9" }, flag("--feature-gates=SidecarContainers=false"))},
		{"ra2.k8s.024", "a kubelet with the gate off", nil, gate("v1.32.9")},
	}
}

// unpulled leaves the pods of worker-a waiting for their images.
func unpulled(s *conform.Snapshot) {
	for i, p := range s.Pods {
		if p.Spec.NodeName == "worker-a" {
			s.Pods[i].Status.ContainerStatuses = []corev1.ContainerStatus{{Name: p.Spec.Containers[0].Name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}}
		}
	}
}

// headStorage returns the mutations of what the head says of storage.
func headStorage() []Mutation {
	return []Mutation{
		{"ra2.stg.006", "a volume of a plugin that is gone", nil, volume(corev1.PersistentVolumeSource{Glusterfs: &corev1.GlusterfsPersistentVolumeSource{EndpointsName: "a", Path: "b"}})},
		{"ra2.stg.010", "no class", nil, func(s *conform.Snapshot) { s.StorageClasses = nil }},
		{"ra2.stg.010", "a class whose claims get nothing", nil, fails(conform.ProbeDefaultClass)},
	}
}

// headMonitoring returns the mutations of the rows about monitoring.
func headMonitoring() []Mutation {
	const stopped = 5
	exporter := func(s *conform.Snapshot) {
		for i := range s.DaemonSets {
			if name := s.DaemonSets[i].Name; name == "node-exporter" || name == "fluent-bit" {
				s.DaemonSets[i].Status.NumberReady = stopped
			}
		}
	}
	deployment := func(change func(*appsv1.Deployment)) change {
		return func(s *conform.Snapshot) { change(&s.Deployments[len(s.Deployments)-1]) }
	}
	return []Mutation{
		{"ra2.mon.001", "nothing that collects", nil, func(s *conform.Snapshot) { s.StatefulSets = nil }},
		{"ra2.mon.001", "a collector that isn't ready", nil, func(s *conform.Snapshot) { s.StatefulSets[0].Status.ReadyReplicas = 0 }},
		{"ra2.mon.001", "a node without the agent", nil, exporter},
		{"ra2.mon.002", "nothing that gathers", nil, undeployed("fluent-bit")},
		{"ra2.mon.002", "a node without the agent", nil, exporter},
		{"ra2.mon.002", "lines that aren't found", nil, fails(conform.ProbeLogs + "-018")},
		{"ra2.mon.003", "nothing that collects", undeployed("fluent-bit"), func(s *conform.Snapshot) { s.Deployments = s.Deployments[:1] }},
		{"ra2.mon.003", "a collector that isn't ready", nil, deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })},
	}
}
