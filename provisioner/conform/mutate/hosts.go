package mutate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// bmc changes what the controller of worker-a tells.
func bmc(c func(*facts.BMC)) change {
	return func(s *conform.Snapshot) {
		h := s.Hosts.Hosts["worker-a"]
		c(&h.BMC)
		s.Hosts.Hosts["worker-a"] = h
	}
}

// capacity changes an amount of worker-a.
func capacity(name corev1.ResourceName, amount string) change {
	return node("worker-a", func(n *corev1.Node) {
		n.Status.Capacity = n.Status.Capacity.DeepCopy()
		n.Status.Capacity[name] = resource.MustParse(amount)
	})
}

// virtual makes worker-a a virtual machine.
func virtual(s *conform.Snapshot) {
	unlisted(s)
	fact(func(f *conform.NodeFacts) { f.Virtual = ptr("kvm") })(s)
}

// overlay lets the roots be overlays, whose changes are kept on a file system.
func overlay(on string) change {
	return func(s *conform.Snapshot) {
		for name, f := range s.Facts {
			f.Mounts = []conform.Mount{{Target: "/", Type: "overlay", Options: []string{"rw", "lowerdir=/lower", "upperdir=/run/upper/root"}}, {Target: "/run/upper", Type: on}}
			s.Facts[name] = f
		}
	}
}

// Hosts returns the mutations of the rows about hosts, up to their memory
// (ra2.ch.001 to 012).
func Hosts() []Mutation {
	rowOf := func(id, name string, breaks change) Mutation { return Mutation{Row: id, Name: name, Break: breaks} }
	byFact := func(id, name string, c func(*conform.NodeFacts)) Mutation {
		return Mutation{Row: id, Name: name + ", as the node tells", On: unlisted, Break: fact(c)}
	}
	return []Mutation{
		rowOf("ra2.ch.001", "fewer huge pages than the class wants", capacity("hugepages-1Gi", "1Gi")),
		rowOf("ra2.ch.001", "a pod that can't use them", fails(conform.ProbeHugePages)),
		rowOf("ra2.ch.001", "a size that isn't offered", node("worker-a", func(n *corev1.Node) {
			n.Status.Capacity = n.Status.Capacity.DeepCopy()
			delete(n.Status.Capacity, "hugepages-2Mi")
		})),
		rowOf("ra2.ch.002", "cards without SR-IOV", bmc(func(b *facts.BMC) {
			for i := range b.Ports {
				b.Ports[i].SRIOV = ptr(false)
			}
		})),
		byFact("ra2.ch.002", "cards without SR-IOV", func(f *conform.NodeFacts) { f.NICs[0].TotalVFs = ptr(0) }),
		rowOf("ra2.ch.003", "a node whose functions were not made", func(s *conform.Snapshot) {
			s.Custom["sriovnetworknodestates.sriovnetwork.openshift.io"][3]["status"] = map[string]any{"syncStatus": "Failed"}
		}),
		{Row: "ra2.ch.003", Name: "no functions, as the node tells", On: untyped("sriovnetworknodestates.sriovnetwork.openshift.io"), Break: fact(func(f *conform.NodeFacts) { f.NICs[0].VFs = ptr(0) })},
		rowOf("ra2.ch.004", "SMT off", bmc(func(b *facts.BMC) {
			b.SMT = ptr(false)
			for i := range b.Processors {
				b.Processors[i].Threads = 20
			}
		})),
		byFact("ra2.ch.004", "SMT off", func(f *conform.NodeFacts) { f.CPU.SMTActive, f.CPU.SMTControl = ptr(false), "forceoff" }),
		rowOf("ra2.ch.006", "a workload without a CPU limit", func(s *conform.Snapshot) {
			last := &s.Pods[len(s.Pods)-1]
			last.Spec.Containers[0].Resources.Limits = nil
		}),
		rowOf("ra2.ch.006", "limits above what the node can give", func(s *conform.Snapshot) {
			last := &s.Pods[len(s.Pods)-1]
			last.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("80")}
		}),
		rowOf("ra2.ch.006", "a sidecar without a CPU limit", func(s *conform.Snapshot) {
			last := &s.Pods[len(s.Pods)-1]
			last.Spec.InitContainers = []corev1.Container{{Name: "sidecar", Image: "registry.example/sidecar:v1", RestartPolicy: ptr(corev1.ContainerRestartPolicyAlways)}}
		}),
		rowOf("ra2.ch.007", "a node with one family", node("worker-a", func(n *corev1.Node) { n.Status.Addresses = n.Status.Addresses[:1] })),
		rowOf("ra2.ch.007", "a link-local address", node("worker-a", func(n *corev1.Node) { n.Status.Addresses[1].Address = "fe80::1" })),
		rowOf("ra2.ch.008", "one socket", bmc(func(b *facts.BMC) { b.Processors = b.Processors[:1] })),
		byFact("ra2.ch.008", "19 cores", func(f *conform.NodeFacts) { f.CPU.Cores = []int{20, 19} }),
		rowOf("ra2.ch.009", "a hard disk", bmc(func(b *facts.BMC) { b.Drives[0].Media = "HDD" })),
		byFact("ra2.ch.009", "a hard disk", func(f *conform.NodeFacts) { f.Disks[0].Rotational = ptr(true) }),
		rowOf("ra2.ch.010", "a small file system", capacity(corev1.ResourceEphemeralStorage, "319G")),
		{Row: "ra2.ch.011", Name: "a virtual machine of 8 vCPUs", On: virtual, Break: capacity(corev1.ResourceCPU, "8")},
		rowOf("ra2.ch.012", "16 GiB", bmc(func(b *facts.BMC) { b.MemoryGiB = ptr(16.0) })),
		{Row: "ra2.ch.012", Name: "16 GiB, as the node tells", On: unlisted, Break: capacity(corev1.ResourceMemory, "16Gi")},
	}
}

// Cards returns the mutations of the rows about network cards and slots, and of
// those about the life of a node (ra2.ch.013 and on).
func Cards() []Mutation {
	rowOf := func(id, name string, breaks change) Mutation { return Mutation{Row: id, Name: name, Break: breaks} }
	byFact := func(id, name string, c func(*conform.NodeFacts)) Mutation {
		return Mutation{Row: id, Name: name + ", as the node tells", On: unlisted, Break: fact(c)}
	}
	return []Mutation{
		rowOf("ra2.ch.013", "three ports", bmc(func(b *facts.BMC) { b.Ports = b.Ports[:3] })),
		byFact("ra2.ch.013", "three ports", func(f *conform.NodeFacts) { f.NICs = f.NICs[:3] }),
		{Row: "ra2.ch.014", Name: "a port of 1 Gb/s", Break: func(s *conform.Snapshot) {
			h := s.Hosts.Hosts["cp-a"]
			h.BMC.Ports[0].SpeedGbps = ptr(1.0)
		}},
		byFact("ra2.ch.014", "three ports", func(f *conform.NodeFacts) { f.NICs = f.NICs[:3] }),
		rowOf("ra2.ch.015", "a port of 10 Gb/s", bmc(func(b *facts.BMC) { b.Ports[0].SpeedGbps = ptr(10.0) })),
		byFact("ra2.ch.015", "three ports", func(f *conform.NodeFacts) { f.NICs = f.NICs[:3] }),
		rowOf("ra2.ch.016", "seven slots", bmc(func(b *facts.BMC) { b.Slots = b.Slots[:7] })),
		byFact("ra2.ch.016", "a slot of four lanes", func(f *conform.NodeFacts) { f.Slots[0].Lanes = 4 }),
		rowOf("ra2.ch.017", "a root that can be written", fact(func(f *conform.NodeFacts) {
			f.Mounts = []conform.Mount{{Source: "/dev/sda2", Target: "/", Type: "ext4", Options: []string{"rw"}}}
		})),
		{Row: "ra2.ch.017", Name: "an overlay that is kept on a disk", On: overlay("tmpfs"), Break: overlay("ext4")},
		rowOf("ra2.ch.018", "no Node Feature Discovery", undeployed("node-feature-discovery")),
		rowOf("ra2.ch.018", "a node without features, and twenty other labels", node("worker-a", func(n *corev1.Node) {
			for key := range n.Labels {
				if len(key) > 8 && key[:8] == "feature." {
					delete(n.Labels, key)
					n.Labels["x."+key[8:]] = "true"
				}
			}
		})),
		rowOf("ra2.ch.018", "a worker of it that isn't ready", func(s *conform.Snapshot) {
			for i := range s.DaemonSets {
				if s.DaemonSets[i].Name == "nfd-worker" {
					s.DaemonSets[i].Status.NumberReady = 5
				}
			}
		}),
		rowOf("ra2.ch.019", "drivers without zero copy", fact(func(f *conform.NodeFacts) { f.NICs[0].ZeroCopy, f.NICs[1].ZeroCopy = ptr(false), ptr(false) })),
	}
}

// Systems returns the mutations of the rows about operating systems (ra2.os).
func Systems() []Mutation {
	rowOf := func(id, name string, breaks change) Mutation { return Mutation{Row: id, Name: name, Break: breaks} }
	return []Mutation{
		rowOf("ra2.os.001", "a control plane without packages", func(s *conform.Snapshot) {
			f := s.Facts["cp-a"]
			f.Packages = &conform.Packages{}
			s.Facts["cp-a"] = f
		}),
		rowOf("ra2.os.001", "a sealed system", all(func(s *conform.Snapshot) { delete(s.Told, conform.FactsOf("cp-a")) }, node("cp-a", func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.11)" }))),
		rowOf("ra2.os.002", "kernel 4.18", node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KernelVersion = "4.18.0-553.el8" })),
		rowOf("ra2.os.003", "a control plane with Windows", node("cp-a", func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" })),
		rowOf("ra2.os.004", "another kernel on one worker", node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KernelVersion = "6.12.47" })),
		rowOf("ra2.os.004", "another image on one worker", node("worker-a", func(n *corev1.Node) { n.Labels["ra2-deploy.io/image"] = "2222222222222222" })),
		rowOf("ra2.os.004", "another package on one worker", fact(func(f *conform.NodeFacts) {
			f.Packages = &conform.Packages{Manager: "dpkg", Count: 211, Digest: "sha256:bb"}
		})),
	}
}
