package conform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// operatingSystem binds the rows about the operating system of nodes.
func operatingSystem() map[string]binding {
	return map[string]binding{
		"ra2.os.001": setting(distribution, Nodes),
		"ra2.os.002": setting(kernel, Nodes),
		"ra2.os.003": setting(windows, Nodes),
		"ra2.os.004": setting(disposable, Nodes),
		"ra2.os.005": setting(automated, Nodes),
	}
}

// packaged are beginnings of the names by which distributions with deb or rpm
// packages call themselves, and sealed those that have neither.
func packaged() []string {
	return []string{
		"Debian", "Ubuntu", "Red Hat Enterprise Linux", "CentOS", "Rocky", "AlmaLinux", "Oracle Linux", "Fedora Linux", "SUSE", "SLES", "openSUSE", "SLE",
		"Amazon Linux", "openEuler", "Microsoft Azure Linux", "CBL-Mariner", "VMware Photon",
	}
}

func sealed() []string {
	return []string{"Talos", "Flatcar", "Container-Optimized OS", "Bottlerocket", "Kairos", "Alpine", "NixOS", "Arch Linux", "Gentoo"}
}

func begins(text string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(text, w) })
}

// distribution is ra2.os.001: control planes run Linux with deb or rpm
// packages; workers may.
func distribution(s Snapshot) []Finding {
	const want, do = "a Linux distribution with deb or rpm packages", "install control planes with such a distribution"
	var all []Finding
	for _, n := range where(s.Nodes, isControlPlane) {
		info := n.Status.NodeInfo
		seen := s.saw(Nodes, ofNode(n), ".status.nodeInfo.osImage", info.OSImage)
		told := s.Facts[n.Name]
		switch {
		case info.OperatingSystem != "linux":
			all = append(all, bad(ofNode(n), want, info.OperatingSystem, do, seen))
		case s.Has(FactsOf(n.Name)) && told.Packages != nil:
			all = append(all, either(told.Packages.Count > 0, ofNode(n), want, fmt.Sprintf("%s, %d packages (%s)", info.OSImage, told.Packages.Count, told.Packages.Manager), do, seen))
		case begins(info.OSImage, packaged()):
			all = append(all, ok(ofNode(n), want, info.OSImage, seen))
		case begins(info.OSImage, sealed()):
			all = append(all, bad(ofNode(n), want, info.OSImage+", which has neither", do, seen))
		default:
			all = append(all, Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Got: info.OSImage, Evidence: []Evidence{seen}, Missing: []string{s.Lacks(FactsOf(n.Name)) + "; its name alone doesn't say what packages it has"}})
		}
	}
	return all
}

// kernel is ra2.os.002: a kernel that kubeadm accepts (k8s.io/system-validators
// v1.12.1: 5.4, 5.10, 5.15, and from 6 on). The table's "4.x" is dead.
func kernel(s Snapshot) []Finding {
	const want = "a kernel that the container runtime and kubeadm support: 5.4, 5.10, 5.15, or from 6.0 on"
	return s.each(func(n corev1.Node) Finding {
		version := n.Status.NodeInfo.KernelVersion
		seen := s.saw(Nodes, ofNode(n), ".status.nodeInfo.kernelVersion", version)
		var major, lesser int
		if _, err := fmt.Sscanf(version, "%d.%d", &major, &lesser); err != nil {
			return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Got: version, Evidence: []Evidence{seen}, Missing: []string{"nodes: the kernel's version can't be read"}}
		}
		good := major >= 6 || major == 5 && slices.Contains([]int{4, 10, 15}, lesser)
		return either(good, ofNode(n), want, version, "rebuild the node with a current image", seen)
	})
}

// windows is ra2.os.003, a may: Windows on workers only.
func windows(s Snapshot) []Finding {
	var all []Finding
	for _, n := range sortedNodes(s.Nodes) {
		if n.Status.NodeInfo.OperatingSystem == "windows" {
			all = append(all, either(!isControlPlane(n), ofNode(n), "Windows on workers only", n.Status.NodeInfo.OSImage, "install control planes with Linux",
				s.saw(Nodes, ofNode(n), ".status.nodeInfo.operatingSystem", "windows")))
		}
	}
	if all == nil {
		return []Finding{notApplicable("no node runs Windows", s.saw(Nodes, "nodes", ".items[*].status.nodeInfo.operatingSystem", "linux"))}
	}
	return all
}

// disposable is ra2.os.004: nodes of one kind are the same but for what must
// differ. The digest of the image says it of software and settings; without
// one the package lists and settings of the nodes are compared.
func disposable(s Snapshot) []Finding {
	kinds := map[string][]corev1.Node{}
	for _, n := range sortedNodes(s.Nodes) {
		kind := n.Status.NodeInfo.Architecture
		if isControlPlane(n) {
			kind += " control planes"
		} else {
			kind += " workers"
		}
		kinds[kind] = append(kinds[kind], n)
	}
	var all []Finding
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, s.alike(kind, kinds[kind]))
	}
	return all
}

// alike compares nodes of one kind.
func (s Snapshot) alike(kind string, nodes []corev1.Node) Finding {
	const do = "rebuild the ones that differ from one image"
	want := "the same software and settings on all " + kind
	versions, images, deep := map[string][]string{}, map[string][]string{}, map[string][]string{}
	var untold []string
	for _, n := range nodes {
		i := n.Status.NodeInfo
		v := strings.Join([]string{i.OSImage, i.KernelVersion, i.ContainerRuntimeVersion, i.KubeletVersion}, ", ")
		versions[v] = append(versions[v], n.Name)
		images[n.Labels[labelImage]] = append(images[n.Labels[labelImage]], n.Name)
		told := s.Facts[n.Name]
		if !s.Has(FactsOf(n.Name)) || told.Packages == nil {
			untold = append(untold, s.Lacks(FactsOf(n.Name)))
			continue
		}
		digest := fmt.Sprint(told.Packages.Digest, told.Files)
		deep[digest] = append(deep[digest], n.Name)
	}
	_, unlabelled := images[""]
	seen := s.saw(Nodes, "nodes", ".items[*].status.nodeInfo", slices.Sorted(maps.Keys(versions)))
	switch {
	case len(versions) > 1:
		return bad("", want, "they differ: "+differing(versions), do, seen)
	case len(deep) > 1:
		return bad("", want, "their packages or settings differ: "+few(slices.Concat(slices.Collect(maps.Values(deep))...)), do, seen)
	case !unlabelled && len(images) > 1:
		return bad("", want, "they run from different images: "+differing(images), do, s.saw(Nodes, "nodes", ".items[*]"+labelPath(labelImage), slices.Sorted(maps.Keys(images))))
	case !unlabelled:
		return ok("", want, "all run from image "+slices.Collect(maps.Keys(images))[0], seen, s.saw(Nodes, "nodes", ".items[*]"+labelPath(labelImage), slices.Collect(maps.Keys(images))))
	case len(nodes) == 1: // the same as itself: that says nothing
		return Finding{Verdict: Unknown, Want: want, Got: "there is one alone, from no image that is known", Evidence: []Evidence{seen},
			Missing: []string{"another of the " + kind + " to compare " + ofNode(nodes[0]) + " with, or the image that it runs from (label " + labelImage + ")"}}
	case len(untold) == 0:
		return ok("", want, "all have the same packages and settings", seen)
	}
	return Finding{Verdict: Unknown, Want: want, Got: "the same versions; more isn't known", Evidence: []Evidence{seen}, Missing: untold}
}

// differing says which nodes have what.
func differing(by map[string][]string) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(by)) {
		words = append(words, few(by[key])+": "+orNone(key))
	}
	return strings.Join(words, "; ")
}

// automated is ra2.os.005: something that installs nodes unattended says that
// it manages them.
func automated(s Snapshot) []Finding {
	const want = "nodes that are installed and configured by a machine"
	return s.each(func(n corev1.Node) Finding {
		if m := markOf(n); m.value != "" {
			return ok(ofNode(n), want, "by "+m.who, s.saw(Nodes, ofNode(n), m.path, m.value))
		}
		return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Missing: []string{"nothing on the node says what installed it (" + labelGeneration + ", a machine of Cluster API, …)"}}
	})
}

// mark is what an installer leaves on its nodes.
type mark struct{ who, path, value string }

// markOf returns the mark of who installed a node; it is empty where nobody
// known did.
func markOf(n corev1.Node) mark {
	marks := []mark{
		{"ra2-deploy", labelPath(labelGeneration), n.Labels[labelGeneration]},
		{"Cluster API", `.metadata.annotations.cluster\.x-k8s\.io/machine`, n.Annotations["cluster.x-k8s.io/machine"]},
		{"OpenShift's machine configuration", `.metadata.annotations.machineconfiguration\.openshift\.io/currentConfig`, n.Annotations["machineconfiguration.openshift.io/currentConfig"]},
		{"Gardener", labelPath("worker.gardener.cloud/pool"), n.Labels["worker.gardener.cloud/pool"]},
	}
	for _, m := range marks {
		if m.value != "" {
			return m
		}
	}
	return mark{}
}
