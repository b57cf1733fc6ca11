package kubeadm

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"

	"k8s.io/kubernetes/cmd/kubeadm/app/images"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

var update = flag.Bool("update", false, "accept what is rendered as golden files")

// golden compares got with a file below testdata, or accepts it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s\naccept with -update", path, d)
	}
}

func TestGolden(t *testing.T) {
	both := site(3, 0, true)
	both.Nodes[0].Worker = true
	virtual := site(1, 1, false)
	virtual.Image.Kernel = "cloud"
	for name, render := range map[string]func() ([]byte, error){
		"init-3-dual.yaml":         func() ([]byte, error) { return Init(input(site(3, 3, true), 0)) },
		"init-5-dual.yaml":         func() ([]byte, error) { return Init(input(site(5, 1, true), 0)) },
		"init-7-ipv4.yaml":         func() ([]byte, error) { return Init(input(site(7, 1, false), 0)) },
		"init-1-virtual.yaml":      func() ([]byte, error) { return Init(input(virtual, 0)) },
		"init-also-worker.yaml":    func() ([]byte, error) { return Init(input(both, 0)) },
		"join-control-plane.yaml":  func() ([]byte, error) { return Join(input(site(3, 3, true), 1)) },
		"join-worker.yaml":         func() ([]byte, error) { return Join(input(site(3, 3, true), 4)) },
		"join-worker-ipv4.yaml":    func() ([]byte, error) { return Join(input(site(3, 3, false), 4)) },
		"join-also-worker-cp.yaml": func() ([]byte, error) { return Join(input(both, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, got)
			for _, problem := range Validate(got) {
				t.Error(problem)
			}
		})
	}
}

// Rendered configurations of any reasonable site pass kubeadm's own validation.
func TestRenderedIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := site(rapid.SampledFrom([]int{1, 3, 5, 7}).Draw(t, "control planes"), rapid.IntRange(0, 3).Draw(t, "workers"), rapid.Bool().Draw(t, "dual"))
		c.Image.Kernel = rapid.SampledFrom([]string{"generic", "cloud"}).Draw(t, "kernel")
		c.Kubernetes.Endpoint.Port = rapid.Uint16Range(1024, 65535).Draw(t, "port")
		c.Kubernetes.PodCIDRs[0] = netip.PrefixFrom(netip.MustParseAddr("10.128.0.0"), rapid.IntRange(9, 24).Draw(t, "pod bits"))
		if len(c.Kubernetes.PodCIDRs) == 2 {
			c.Kubernetes.PodCIDRs[1] = netip.PrefixFrom(netip.MustParseAddr("fd00:17:244::"), rapid.IntRange(48, 116).Draw(t, "pod bits 6"))
		}
		c.Nodes[0].Worker = rapid.Bool().Draw(t, "also worker")
		for _, problem := range ValidateAll(c) {
			t.Error(problem)
		}
	})
}

// "registry.k8s.io/..." images that the node's image preloads are the ones that
// kubeadm's manifests will name.
func TestImages(t *testing.T) {
	config, err := Init(input(site(3, 3, true), 0))
	if err != nil {
		t.Fatal(err)
	}
	read, err := configutil.BytesToInitConfiguration(config, true)
	if err != nil {
		t.Fatal(err)
	}
	got := images.GetControlPlaneImages(&read.ClusterConfiguration)
	slices.Sort(got)
	want := []string{
		"registry.k8s.io/coredns/coredns:v1.14.6",
		"registry.k8s.io/etcd:3.7.0-0",
		"registry.k8s.io/kube-apiserver:v1.37.2",
		"registry.k8s.io/kube-controller-manager:v1.37.2",
		"registry.k8s.io/kube-proxy:v1.37.2",
		"registry.k8s.io/kube-scheduler:v1.37.2",
		"registry.k8s.io/pause:3.10.2",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// v1beta4 NodeRegistrationOptions.Taints: nil is the default taint, an empty
// list is none. kubeadm must read back what was meant.
func TestTaints(t *testing.T) {
	for _, worker := range []bool{false, true} {
		c := site(3, 0, true)
		c.Nodes[0].Worker = worker
		config, err := Init(input(c, 0))
		if err != nil {
			t.Fatal(err)
		}
		read, err := configutil.BytesToInitConfiguration(config, true)
		if err != nil {
			t.Fatal(err)
		}
		if tainted := len(read.NodeRegistration.Taints) > 0; tainted == worker {
			t.Errorf("also a worker: %v, taints %v", worker, read.NodeRegistration.Taints)
		}
	}
}

func TestValidateTellsEverything(t *testing.T) {
	c := site(3, 3, true)
	c.Kubernetes.Version = "v1.20.3"
	c.Kubernetes.ServiceCIDRs[0] = netip.MustParsePrefix("10.96.0.0/30")
	c.Kubernetes.PodCIDRs[1] = netip.MustParsePrefix("10.245.0.0/16")
	var text []string
	for _, p := range ValidateAll(c) {
		text = append(text, p.Error())
	}
	got := strings.Join(text, "\n")
	for _, want := range []string{"v1.20.3", "networking.serviceSubnet", "networking.podSubnet"} {
		if !strings.Contains(got, want) {
			t.Errorf("no problem names %q:\n%s", want, got)
		}
	}
}

func TestTooSmall(t *testing.T) {
	c := site(3, 3, false)
	c.Kubernetes.PodCIDRs[0] = netip.MustParsePrefix("10.244.0.0/28")
	if _, err := Init(input(c, 0)); err == nil || !strings.Contains(err.Error(), "10.244.0.0/28 is too small") {
		t.Errorf("got %v", err)
	}
}

// Names of gates that RA2 wants and that Kubernetes forgot, see ra2.k8s.006,
// ra2.k8s.007 and ra2.k8s.010. "kubeadm config validate" says ok to them.
func TestGates(t *testing.T) {
	config, err := Init(input(site(3, 3, true), 0))
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(config), "  - name: audit-log-maxage", "  - {name: feature-gates, value: \"IPv6DualStack=true,UserNamespacesSupport=true\"}\n  - name: audit-log-maxage", 1)
	bad = strings.Replace(bad, "kind: KubeletConfiguration", "kind: KubeletConfiguration\nfeatureGates: {CPUManager: true, AllAlpha: false}", 1)
	got := Validate([]byte(bad))
	var text []string
	for _, p := range got {
		text = append(text, p.Error())
	}
	want := []string{
		`KubeletConfiguration.featureGates: Kubernetes v1.37.2 doesn't know the feature gate "CPUManager"; its components would not start`,
		`apiServer.extraArgs: Kubernetes v1.37.2 doesn't know the feature gate "IPv6DualStack"; its components would not start`,
	}
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
}

func TestInputRefused(t *testing.T) {
	_, err := Init(Input{Cluster: inventory.Cluster{}, Node: inventory.Node{Name: "x"}})
	for _, want := range []string{"node x has no address", "endpoint.host is empty"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v doesn't say %q", err, want)
		}
	}
}

// Workers get one opinion only when nothing but their own name and addresses
// differs.
func TestAnonymous(t *testing.T) {
	c := site(3, 3, true)
	text := func(i int) string {
		config, err := Join(input(c, i))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(config), c.Nodes[i].Name) {
			t.Fatalf("the name of %s isn't in its configuration: this proves nothing", c.Nodes[i].Name)
		}
		return anonymous(config, c.Nodes[i])
	}
	c.Nodes[4].Zone, c.Nodes[5].Zone = c.Nodes[3].Zone, "elsewhere"
	if text(3) != text(4) {
		t.Errorf("they differ:\n%s\n%s", text(3), text(4))
	}
	if text(3) == text(5) {
		t.Errorf("the zone is lost:\n%s", text(5))
	}
}
