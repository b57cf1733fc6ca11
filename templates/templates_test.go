package templates

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinkerbell/tink/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

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

// site returns a cluster of that many control planes and one worker.
func site(controlPlanes int, dual bool) inventory.Cluster {
	c := inventory.Cluster{Name: "edge-17", Kubernetes: inventory.Kubernetes{
		Endpoint: inventory.Endpoint{Host: "api.edge-17.example", Port: 6443, VIPs: []netip.Addr{netip.MustParseAddr("10.17.0.10")}},
		PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
	}}
	if dual {
		c.Kubernetes.Endpoint.VIPs = append(c.Kubernetes.Endpoint.VIPs, netip.MustParseAddr("fd00:17::10"))
		c.Kubernetes.PodCIDRs = append(c.Kubernetes.PodCIDRs, netip.MustParsePrefix("fd00:17:244::/56"))
	}
	for i := range controlPlanes + 1 {
		n := inventory.Node{Name: fmt.Sprintf("n%d", i+1), ControlPlane: i < controlPlanes, Worker: i == controlPlanes}
		n.Addresses = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.17.0.%d/24", 11+i))}
		if dual {
			n.Addresses = append(n.Addresses, netip.MustParsePrefix(fmt.Sprintf("fd00:17::%x/64", 0x11+i)))
		}
		c.Nodes = append(c.Nodes, n)
	}
	return c
}

// Each object has only fields that Kubernetes knows.
func TestObjects(t *testing.T) {
	for name, c := range map[string]inventory.Cluster{"flannel-dual.yaml": site(3, true), "flannel-ipv4.yaml": site(1, false)} {
		got, err := Objects(c)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
		kinds := map[string]any{
			"Namespace": &corev1.Namespace{}, "ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
			"ServiceAccount": &corev1.ServiceAccount{}, "ConfigMap": &corev1.ConfigMap{}, "DaemonSet": &appsv1.DaemonSet{},
		}
		reader, n := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(got))), 0
		for {
			doc, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			var kind struct{ Kind string }
			if err := yaml.Unmarshal(doc, &kind); err != nil || kinds[kind.Kind] == nil {
				t.Fatalf("%s: %v: %s", name, err, doc)
			}
			if err := yaml.UnmarshalStrict(doc, kinds[kind.Kind]); err != nil {
				t.Errorf("%s: %s: %v", name, kind.Kind, err)
			}
			n++
		}
		if n != len(kinds) {
			t.Errorf("%s: %d objects", name, n)
		}
	}
}

// flannel may take the nodes' addresses and never the virtual ones.
func TestNodeAddresses(t *testing.T) {
	c := site(3, true)
	re := regexp.MustCompile(nodeAddresses(c))
	for _, n := range c.Nodes {
		for _, a := range n.Addresses {
			if !re.MatchString(a.Addr().String()) {
				t.Errorf("%v isn't taken", a)
			}
		}
	}
	for _, other := range []string{"10.17.0.10", "fd00:17::10", "10.17.0.111", "10.17a0.11", "fd00:17::1", "xfd00:17::11"} {
		if re.MatchString(other) {
			t.Errorf("%s is taken", other)
		}
	}
}

func TestKeepalived(t *testing.T) {
	dual, alone := site(3, true), site(1, false)
	six := site(3, true)
	six.Kubernetes.Endpoint.VIPs = six.Kubernetes.Endpoint.VIPs[1:]
	for name, c := range map[string]inventory.Cluster{"keepalived-dual.conf": dual, "keepalived-alone.conf": alone, "keepalived-ipv6.conf": six} {
		got, err := Keepalived(c, c.Nodes[0])
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
	}
}

// Whoever is elected, no two control planes claim it with the same priority,
// and each knows exactly the others.
func TestKeepalivedElection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := site(rapid.SampledFrom([]int{3, 5, 7}).Draw(t, "control planes"), rapid.Bool().Draw(t, "dual"))
		priority := regexp.MustCompile(`priority (\d+)`)
		seen := map[string]bool{}
		for _, n := range c.Nodes {
			text, err := Keepalived(c, n)
			if !n.ControlPlane {
				if err == nil {
					t.Fatalf("a worker may hold the address")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			p := priority.FindSubmatch(text)
			if p == nil || seen[string(p[1])] {
				t.Fatalf("%s has no priority of its own: %s", n.Name, p)
			}
			seen[string(p[1])] = true
			_, after, _ := strings.Cut(string(text), "unicast_peer {")
			peers, _, _ := strings.Cut(after, "}")
			if got, want := len(strings.Fields(peers)), len(seenControlPlanes(c))-1; got != want {
				t.Fatalf("%s has %d peers, want %d", n.Name, got, want)
			}
		}
	})
}

func seenControlPlanes(c inventory.Cluster) (all []string) {
	for _, n := range c.Nodes {
		if n.ControlPlane {
			all = append(all, n.Name)
		}
	}
	return all
}

func TestRefused(t *testing.T) {
	c := site(3, true)
	c.Kubernetes.Endpoint.Host = "api\"\n  evil: true"
	if _, err := Objects(c); err == nil {
		t.Error("a host name with a line break is taken")
	}
	c = site(3, true)
	c.Nodes[0].Name = "n1\n}"
	if _, err := Keepalived(c, c.Nodes[0]); err == nil {
		t.Error("a node name with a line break is taken")
	}
	c = site(3, true)
	c.Nodes[1].Addresses = c.Nodes[1].Addresses[1:]
	if _, err := Keepalived(c, c.Nodes[0]); err == nil || !strings.Contains(err.Error(), "n2 has no address in the family of 10.17.0.10") {
		t.Errorf("got %v", err)
	}
}

func install() Install {
	hex := strings.Repeat("0123456789abcdef", 4)
	return Install{
		Disk: "serial:S6CKNT0W700868", Image: "sha256:" + hex, Bytes: 2147483648,
		ImageURL: "/v1/image/" + hex + ".raw.zst", KernelURL: "/v1/boot/" + hex + "/kernel", InitrdURL: "/v1/boot/" + hex + "/initrd",
		KernelDigest: "sha256:" + hex, InitrdDigest: "sha256:" + hex, KernelLine: "ra2.mode=boot ra2.root=PARTLABEL=ra2-root console=ttyS0,115200",
	}
}

// The object is a Tinkerbell Template, and its text says what the actions say.
func TestInstallTemplate(t *testing.T) {
	got, err := InstallTemplate("cp-a-install", "tinkerbell", install())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "install.yaml", got)
	var object v1alpha1.Template
	if err := yaml.UnmarshalStrict(got, &object); err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.UnmarshalStrict([]byte(*object.Spec.Data), &w); err != nil {
		t.Fatal(err)
	}
	actions, err := InstallActions(install())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(actions, w.Tasks[0].Actions); d != "" {
		t.Error(d)
	}
	var sum int64
	for _, a := range actions {
		sum += a.Timeout
	}
	if w.Version != "0.1" || w.GlobalTimeout < sum {
		t.Errorf("version %s, %d s for actions of %d s", w.Version, w.GlobalTimeout, sum)
	}
}

// The signed words are laid after the image, which would overwrite them, and
// before anything starts from the disk.
func TestInstallAddon(t *testing.T) {
	in := install()
	in.Addon = &Addon{URL: "/v1/addon/ab", Digest: in.Image, Old: in.KernelDigest, Offset: 1024}
	actions, err := InstallActions(in)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, a := range actions {
		order = append(order, a.Image)
	}
	if got := strings.Join(order, " "); got != "image2disk addon node-config kexec" || actions[1].Environment["ADDON_OFFSET"] != "1024" {
		t.Errorf("%s, %v", got, actions[1].Environment)
	}
	if _, err := InstallTemplate("cp-a", "tinkerbell", in); err != nil {
		t.Error(err)
	}
}

func TestInstallRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Install){
		`names no serial`:       func(in *Install) { in.Disk = "/dev/sda" },
		`the disk is "serial:"`: func(in *Install) { in.Disk = "serial:" },
		`the image's digest`:    func(in *Install) { in.Image = "latest" },
		`the initrd's digest`:   func(in *Install) { in.InitrdDigest = "" },
		`0 bytes`:               func(in *Install) { in.Bytes = 0 },
		`braces`:                func(in *Install) { in.KernelLine = "{{.x}}" },
		`the add-on's digest`:   func(in *Install) { in.Addon = &Addon{Old: in.Image, Offset: 512} },
		`no sector`:             func(in *Install) { in.Addon = &Addon{Digest: in.Image, Old: in.Image, Offset: 7} },
	} {
		in := install()
		spoil(&in)
		if _, err := InstallActions(in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
