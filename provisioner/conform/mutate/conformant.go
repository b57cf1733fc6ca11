// Package mutate proves that the checks of conform can fail: it has a snapshot
// of a cluster that meets every row, and for each row the ways to break it. A
// check that still passes when its row is broken proves nothing.
package mutate

import (
	"fmt"
	"net/netip"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

func ptr[T any](v T) *T { return &v }

// at is when the snapshot says that it was taken.
func at() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// Conformant returns the snapshot of a cluster that meets every row: three
// control planes and three workers in three zones, the workers of the
// high-performance profile, with all that RA2 wants deployed, and every probe
// passed.
func Conformant() conform.Snapshot {
	s := conform.Snapshot{
		Cluster: "https://10.17.0.10:6443", Began: at().Add(-10 * time.Second), Ended: at(),
		Told: map[conform.Part]time.Time{}, Missing: map[conform.Part]string{},
		Kubelets: map[string]kubeletv1beta1.KubeletConfiguration{}, Facts: map[string]conform.NodeFacts{}, Custom: map[string][]conform.Object{},
		Hosts: &facts.Seen{Hosts: map[string]facts.Host{}},
	}
	s.Server.Major, s.Server.Minor, s.Server.GitVersion = "1", "37", "v1.37.2"
	want := inventory.Cluster{Name: "edge-17", Classes: map[string]inventory.Class{"control": {Profile: "basic"}, "hp": {Profile: "high-performance", HugePages: map[string]int{"2Mi": 1024, "1Gi": 4}}}}
	s.Want = &want
	for i, zone := range []string{"a", "b", "c"} {
		addNode(&s, "cp-"+zone, zone, i+1, true)
		addNode(&s, "worker-"+zone, zone, i+11, false)
	}
	served(&s)
	deployed(&s)
	objects(&s)
	later(&s)
	probed(&s)
	tell(&s)
	return s
}

// tell marks every part as told.
func tell(s *conform.Snapshot) {
	for _, p := range parts() {
		s.Told[p] = at()
	}
	for _, n := range s.Nodes {
		s.Told[conform.KubeletOf(n.Name)], s.Told[conform.FactsOf(n.Name)] = at(), at()
	}
	for _, name := range conform.CustomResources() {
		s.Told[conform.CustomOf(name)] = at()
	}
	for _, p := range s.Probes {
		s.Told[conform.ProbeOf(p.Name)] = at()
	}
}

// parts are those that are told as a whole.
func parts() []conform.Part {
	return []conform.Part{
		conform.Server, conform.Served, conform.Nodes, conform.Namespaces, conform.Pods, conform.Services, conform.EndpointSlices, conform.DaemonSets,
		conform.Deployments, conform.StatefulSets, conform.Ingresses, conform.IngressClasses, conform.NetworkPolicies, conform.ServiceCIDRs,
		conform.StorageClasses, conform.CSIDrivers, conform.CSINodes, conform.Volumes, conform.VolumeClaims, conform.ResourceQuotas, conform.LimitRanges,
		conform.Autoscalers, conform.CustomTypes, conform.APIServices, conform.HelmReleases, conform.Config, conform.Hosts,
	}
}

// addNode adds a node, its host, its kubelet and its pods.
func addNode(s *conform.Snapshot, name, zone string, number int, plane bool) {
	class := "hp"
	labels := map[string]string{
		"topology.kubernetes.io/zone": zone, "ra2-deploy.io/image": "1111111111111111", "ra2-deploy.io/generation": fmt.Sprintf("%016d", number),
		"feature.node.kubernetes.io/cpu-hardware_multithreading": "true", "feature.node.kubernetes.io/pci-1200_8086.present": "true",
		"profile.anuket.io/basic": "true",
	}
	var taints []corev1.Taint
	if plane {
		class = "control"
		labels["node-role.kubernetes.io/control-plane"] = ""
		taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	}
	amounts := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("80"), corev1.ResourceMemory: resource.MustParse("263000000Ki"), corev1.ResourceEphemeralStorage: resource.MustParse("450Gi"),
		"hugepages-2Mi": resource.MustParse("2Gi"), "hugepages-1Gi": resource.MustParse("4Gi"), "intel.com/sriov_net": resource.MustParse("8"), "intel.com/fpga-af": resource.MustParse("1"),
	}
	s.Nodes = append(s.Nodes, corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.NodeSpec{Taints: taints, PodCIDR: fmt.Sprintf("10.244.%d.0/24", number), PodCIDRs: []string{fmt.Sprintf("10.244.%d.0/24", number), fmt.Sprintf("fd00:17:244:%d::/64", number)}},
		Status: corev1.NodeStatus{
			Capacity: amounts, Allocatable: amounts.DeepCopy(),
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.17.0.%d", 10+number)}, {Type: corev1.NodeInternalIP, Address: fmt.Sprintf("fd00:17::%d", 10+number)}},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"}},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", Architecture: "amd64", OSImage: "Debian GNU/Linux 13 (trixie)", KernelVersion: "6.12.48+deb13-amd64",
				ContainerRuntimeVersion: "containerd://2.4.2", KubeletVersion: "v1.37.2",
			},
		},
	})
	s.Kubelets[name] = kubeletv1beta1.KubeletConfiguration{
		ReservedSystemCPUs: "0,40", CPUManagerPolicy: "static", TopologyManagerPolicy: "single-numa-node", MemoryManagerPolicy: "Static",
		ContainerLogMaxSize: "10Mi", ContainerLogMaxFiles: ptr(int32(5)),
	}
	s.Facts[name] = told()
	s.Want.Nodes = append(s.Want.Nodes, inventory.Node{
		Name: name, Zone: zone, Class: class, ControlPlane: plane, Worker: !plane, Serial: "S" + name, Disk: inventory.Disk{Serial: "D" + name},
		Boot:      inventory.Boot{MAC: fmt.Sprintf("52:54:00:17:01:%02d", number)},
		Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.17.0.%d/24", 10+number)), netip.MustParsePrefix(fmt.Sprintf("fd00:17::%d/64", 10+number))},
	})
	s.Hosts.Hosts[name] = host(name, number)
	if plane {
		for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			s.Pods = append(s.Pods, pod("kube-system", component+"-"+name, name, map[string]string{"component": component}, true,
				corev1.Container{Name: component, Image: "registry.k8s.io/" + component + ":v1.37.2", Command: []string{component, "--authorization-mode=Node,RBAC"}}))
		}
	}
	own := pod("cnf", "upf-"+name, name, nil, false, corev1.Container{Name: "upf", Image: "registry.example/upf:v1", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}, Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
	}})
	own.Status.PodIPs = []corev1.PodIP{{IP: fmt.Sprintf("10.244.%d.7", number)}, {IP: fmt.Sprintf("fd00:17:244:%d::7", number)}}
	s.Pods = append(s.Pods, own)
}

// told is what each node tells of itself.
func told() conform.NodeFacts {
	return conform.NodeFacts{
		OSRelease: map[string]string{"ID": "debian"}, Packages: &conform.Packages{Manager: "dpkg", Count: 210, Digest: "sha256:aa"}, Image: "sha256:1111", CgroupV2: ptr(true),
		Mounts:  []conform.Mount{{Source: "/dev/mapper/root", Target: "/", Type: "squashfs", Options: []string{"ro"}}},
		Virtual: ptr("none"), CPU: conform.CPU{Sockets: 2, Cores: []int{20, 20}, SMTActive: ptr(true), SMTControl: "on", Siblings: map[string][]int{"0": {0, 40}, "40": {0, 40}}},
		Disks: []conform.Disk{{Name: "nvme0n1", Bytes: 480e9, Rotational: ptr(false), Holds: []string{"/var/lib/etcd"}}},
		NICs: []conform.NIC{
			{Name: "ens1f0", Mbps: 25000, TotalVFs: ptr(64), VFs: ptr(8), ZeroCopy: ptr(true), Physical: true}, {Name: "ens1f1", Mbps: 25000, ZeroCopy: ptr(true), Physical: true},
			{Name: "ens2f0", Mbps: 25000, Physical: true}, {Name: "ens2f1", Mbps: 25000, Physical: true},
		},
		Slots:   []conform.PCIeSlot{{Generation: 4, Lanes: 16}, {Generation: 4, Lanes: 16}, {Generation: 4, Lanes: 8}, {Generation: 4, Lanes: 8}, {Generation: 4, Lanes: 8}, {Generation: 4, Lanes: 8}, {Generation: 4, Lanes: 8}, {Generation: 4, Lanes: 8}},
		Runtime: conform.Runtime{Name: "containerd", Version: "2.4.2", CRI: "v1", OCIName: "runc", OCIVersion: "1.5.2", OCISpec: "1.3.0"},
		Time:    conform.Clock{Service: "chrony", Synced: ptr(true), Source: "10.17.0.1"},
		CNI:     conform.CNI{Configs: []conform.CNIConfig{{File: "00-multus.conf", Types: []string{"multus-shim"}}}, Bin: []string{"bridge", "macvlan", "sriov"}},
	}
}

// host is what a management controller tells.
func host(name string, number int) facts.Host {
	b := facts.BMC{Reached: true, Vendor: "Dell", Serial: "S" + name, Serials: []string{"S" + name}, Hardware: facts.Hardware{
		MemoryGiB: ptr(256.0), NUMANodes: ptr(2), SMT: ptr(true), Processors: []facts.Processor{{Cores: 20, Threads: 40}, {Cores: 20, Threads: 40}},
		Drives: []facts.Drive{{Serial: "D" + name, Bytes: 480e9, Media: "SSD"}},
	}}
	for i := range 4 {
		b.Ports = append(b.Ports, facts.Port{MAC: fmt.Sprintf("52:54:00:17:%02d:%02d", i+1, number), SpeedGbps: ptr(25.0), SRIOV: ptr(true)})
	}
	for range 8 {
		b.Slots = append(b.Slots, facts.Slot{Generation: 4, Lanes: 8})
	}
	return facts.Host{BMC: b}
}

// pod is one that runs and is Ready.
func pod(namespace, name, node string, labels map[string]string, onHost bool, box corev1.Container) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: corev1.PodSpec{NodeName: node, HostNetwork: onHost, Containers: []corev1.Container{box}, Volumes: []corev1.Volume{
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config"}}}},
			{Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys"}}},
			{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
		}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

// template is what a controller makes pods of.
func template(name, image string) (*metav1.LabelSelector, corev1.PodTemplateSpec) {
	labels := map[string]string{"app": name}
	return &metav1.LabelSelector{MatchLabels: labels}, corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: name, Image: image}}}}
}

// daemon is a DaemonSet all of whose pods are ready.
func daemon(namespace, name, image string) appsv1.DaemonSet {
	d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 6, NumberReady: 6}}
	d.Spec.Selector, d.Spec.Template = template(name, image)
	return d
}

// objects are those of storage, addresses and classes.
func objects(s *conform.Snapshot) {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	s.ServiceCIDRs = []networkingv1.ServiceCIDR{{ObjectMeta: named("kubernetes"), Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.96.0.0/16", "fd00:17:96::/112"}}}}
	s.IngressClasses = []networkingv1.IngressClass{{ObjectMeta: named("traefik"), Spec: networkingv1.IngressClassSpec{Controller: "traefik.io/ingress-controller"}}}
	s.StorageClasses = []storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Name: "fast", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}}, Provisioner: "csi.example"}}
	s.CSIDrivers = []storagev1.CSIDriver{{ObjectMeta: named("csi.example")}}
	for _, n := range s.Nodes {
		s.CSINodes = append(s.CSINodes, storagev1.CSINode{ObjectMeta: named(n.Name), Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "csi.example", NodeID: n.Name}}}})
	}
	s.VolumeClaims = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Namespace: "cnf", Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: ptr("fast"), VolumeName: "pv-1",
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}}}
	s.Services = []corev1.Service{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "cnf", Name: "upf", CreationTimestamp: metav1.NewTime(at().Add(-time.Hour))}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.10"}, {IP: "2001:db8::10"}}}},
	}}
	s.Config = []corev1.ConfigMap{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubeadm-config"}, Data: map[string]string{"ClusterConfiguration": "etcd:\n  local:\n    dataDir: /var/lib/etcd\n"}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"}, Data: map[string]string{"config.conf": "mode: ipvs\nipvs:\n  scheduler: rr\n"}},
	}
}
