package conform_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
)

// TestStrange judges clusters that meet a row by their looks and not in truth, as
// was found on one that kubeadm alone had made.
func TestStrange(t *testing.T) {
	rows, err := conform.Rows()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*conform.Snapshot)
		rows   string
		is     conform.Verdict
		says   string
	}{
		// A hypervisor shows any sockets, threads and cards that it likes.
		"large virtual machines": {virtual(func(f *conform.NodeFacts) { f.Virtual = new("kvm") }), "ra2.ch.004 ra2.ch.008 ra2.ch.009 ra2.ch.013 ra2.ch.014 ra2.ch.016", conform.Unknown, "virtual machine (kvm)"},
		"small virtual machines": {virtual(func(f *conform.NodeFacts) {
			f.Virtual, f.CPU.Sockets, f.CPU.Cores, f.NICs, f.Slots = new("kvm"), 1, []int{2}, []conform.NIC{}, nil
		}), "ra2.ch.008 ra2.ch.013 ra2.ch.014 ra2.ch.016", conform.Unknown, "virtual machine (kvm)"},
		"systemd doesn't say, the processor does": {virtual(func(f *conform.NodeFacts) { f.Virtual, f.CPU.Flags = nil, []string{"sse2", "hypervisor"} }), "ra2.ch.008", conform.Unknown, "says its processor"},
		"a physical machine":                      {virtual(func(f *conform.NodeFacts) { f.CPU.Sockets, f.CPU.Cores = 1, []int{2} }), "ra2.ch.008", conform.Fail, ""},
		// One node alone is the same as itself.
		"one of each kind, by hand": {alone, "ra2.os.004", conform.Unknown, "to compare node/"},
		// Services spread flows in every cluster, which is no way in.
		"no way in":             {balancer(conform.Fail), "ra2.ntw.017 ra2.ntw.018", conform.Fail, ""},
		"nothing to announce":   {unannounced, "ra2.ntw.020 ra2.ntw.021 ra2.ntw.022", conform.Fail, ""},
		"nobody saw the way in": {balancer(conform.Unknown), "ra2.ntw.017", conform.Unknown, conform.ProbeLoadBalancer},
		"a cloud's balancer":    {balancer(conform.Pass), "ra2.ntw.017", conform.Pass, ""},
		// kubeadm's users run it as a static pod, which no controller shows.
		"kube-vip as a static pod":                    {kubeVIP("true"), "ra2.plat.003", conform.Pass, ""},
		"kube-vip of the control plane's own address": {kubeVIP("false"), "ra2.plat.003", conform.NotApplicable, ""},
	} {
		s := mutate.Conformant()
		c.change(&s)
		for _, r := range conform.Judge(rows, s) {
			if !strings.Contains(" "+c.rows+" ", " "+r.ID+" ") {
				continue
			}
			said := ""
			for _, f := range r.Findings {
				said += strings.Join(f.Missing, "; ")
			}
			if r.Verdict != c.is || !strings.Contains(said, c.says) {
				t.Errorf("%s: %s is %s, want %s: %+v", name, r.ID, r.Verdict, c.is, r.Findings)
			}
		}
	}
}

// virtual changes what all nodes tell, and takes away what the inventory's
// controllers told.
func virtual(change func(*conform.NodeFacts)) func(*conform.Snapshot) {
	return func(s *conform.Snapshot) {
		s.Want, s.Hosts = nil, nil
		delete(s.Told, conform.Hosts)
		for name, f := range s.Facts {
			change(&f)
			s.Facts[name] = f
		}
	}
}

// alone leaves one control plane and one worker, from no image.
func alone(s *conform.Snapshot) {
	kinds := map[bool]corev1.Node{}
	for _, n := range s.Nodes {
		delete(n.Labels, "ra2-deploy.io/image")
		_, control := n.Labels["node-role.kubernetes.io/control-plane"]
		kinds[control] = n
	}
	s.Nodes = []corev1.Node{kinds[true], kinds[false]}
}

// unbalanced takes away all that shows a load balancer.
func unbalanced(s *conform.Snapshot) {
	s.DaemonSets, s.Deployments, s.Services = nil, nil, nil
	for name := range s.Custom {
		s.Custom[name] = nil
	}
}

func balancer(outcome conform.Verdict) func(*conform.Snapshot) {
	return func(s *conform.Snapshot) {
		unbalanced(s)
		for i, p := range s.Probes {
			if p.Name == conform.ProbeLoadBalancer {
				s.Probes[i].Outcome = outcome
			}
		}
	}
}

// unannounced is a cluster whose load balancer gave no address, so that nobody tried
// what one would be announced by.
func unannounced(s *conform.Snapshot) {
	balancer(conform.Fail)(s)
	for _, name := range []string{conform.ProbeAdvertise, conform.ProbeMultipath, conform.ProbeFailover} {
		delete(s.Told, conform.ProbeOf(name))
	}
}

// kubeVIP runs kube-vip as kubeadm's users do, for Services or not.
func kubeVIP(services string) func(*conform.Snapshot) {
	return func(s *conform.Snapshot) {
		unbalanced(s)
		p := *s.Pods[0].DeepCopy()
		p.Name, p.Namespace, p.Annotations = "kube-vip-cp-a", "kube-system", map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		p.Spec.Containers = []corev1.Container{{Name: "kube-vip", Image: "ghcr.io/kube-vip/kube-vip:v1.0.0", Env: []corev1.EnvVar{{Name: "svc_enable", Value: services}}}}
		s.Pods = append(s.Pods, p)
	}
}
