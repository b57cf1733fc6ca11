package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/oci"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// TestProbes deploys what ra2-deploy doesn't (a load balancer, a storage driver, a
// router outside, a kubelet that pins), first in ways that don't do, then in ways that
// do, and wants each row to say so. About ten minutes, and ten more where the programs
// were never built.
func TestProbes(t *testing.T) {
	needsSite(t)
	for _, program := range []string{"kubectl", "/usr/lib/frr/bgpd", "/usr/lib/frr/zebra", "vtysh", "/bin/busybox"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v: apt-get install kubernetes-client frr busybox-static", err)
		}
	}
	b := newBench(t, "e2e-probes", "two.yaml")
	f := fixture{metallb: b.module("go.universe.tf/metallb@v0.15.3"), disks: b.module("github.com/rancher/local-path-provisioner@v0.0.30")}
	dir := b.probeBundle(f)
	b.must(b.run("image", "build", b.inventory()))
	b.must(b.inside("up", "--yes", "--bundle", dir, b.inventory()))
	router := b.routes()
	server := b.serves(dir)
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		server.wait()
	}()
	b.deploysBroken(f)
	b.part("broken", func(b *bench) { // an address that nobody announces doesn't answer, and why isn't known from here
		b.stands(router, "ra2.stg.001 pass", "ra2.stg.005 fail", "ra2.stg.007 fail", "ra2.ntw.018 unknown", "ra2.ntw.020 fail", "ra2.ntw.021 fail", "ra2.ntw.022 unknown",
			"ra2.k8s.009 fail", "ra2.k8s.006 fail")
	})
	b.mends()
	b.part("mended", func(b *bench) {
		c := b.stands(router, "ra2.stg.001 pass", "ra2.stg.004 pass", "ra2.stg.005 pass", "ra2.stg.007 pass", "ra2.ntw.017 pass", "ra2.ntw.018 pass",
			"ra2.ntw.020 pass", "ra2.ntw.021 pass", "ra2.ntw.022 unknown", "ra2.k8s.009 pass", "ra2.k8s.006 pass")
		if f := rowOf(c, "ra2.ntw.022").Findings[0]; !regexp.MustCompile(`^\d\.\d s when a pod was lost$`).MatchString(f.Got) {
			b.Errorf("no outage was measured: %+v", f)
		}
		if left := b.must(b.kubectl("get persistentvolumes,namespaces -o name")).out; strings.Contains(left, "persistentvolume/") || strings.Contains(left, "ra2-verify") {
			b.Errorf("left behind: %s", left)
		}
	})
}

// fixture is where the modules' sources are.
type fixture struct{ metallb, disks string }

// module downloads a module, and returns its folder.
func (b *bench) module(name string) string {
	b.Helper()
	r := b.must(b.start("go", "mod", "download", "-json", name).wait())
	dir := regexp.MustCompile(`"Dir": "([^"]+)"`).FindStringSubmatch(r.out)
	if dir == nil {
		b.Fatalf("%s", r)
	}
	return dir[1]
}

// builds makes a program of a package of a module. Its go.mod is copied: some modules are
// published with sums that the go command wants to complete.
func (b *bench) builds(module, pkg, name string) string {
	b.Helper()
	out := b.file(name)
	for _, sum := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(module, sum))
		if err == nil {
			err = os.WriteFile(b.file(name+strings.TrimPrefix(sum, "go")), data, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.must(b.start("env", "CGO_ENABLED=0", "GOWORK=off", "go", "build", "-C", module, "-mod=mod", "-modfile="+b.file(name+".mod"), "-trimpath", "-ldflags", "-s -w", "-o", out, pkg).wait())
	return out
}

// The images' names are upstream's, but for those that a registry's name may be left
// out of.
const (
	busybox  = "quay.io/library/busybox:v1"
	diskMade = "quay.io/rancher/local-path-provisioner:v0.0.30"
)

// probeBundle makes a bundle with the fixture's images.
func (b *bench) probeBundle(f fixture) string {
	b.Helper()
	dir := b.file("fixture-bundle")
	w, err := bundle.Create(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for _, image := range []oci.Image{
		{Name: "quay.io/metallb/speaker:v0.15.3", Files: map[string]string{"/speaker": b.builds(f.metallb, "./speaker", "speaker")}, Entrypoint: []string{"/speaker"}},
		{Name: "quay.io/metallb/controller:v0.15.3", Files: map[string]string{"/controller": b.builds(f.metallb, "./controller", "controller")}, Entrypoint: []string{"/controller"}},
		{Name: diskMade, Files: map[string]string{"/usr/bin/local-path-provisioner": b.builds(f.disks, ".", "local-path-provisioner")}, Entrypoint: []string{"/usr/bin/local-path-provisioner"}},
		{Name: busybox, Files: map[string]string{"/bin/sh": "/bin/busybox", "/bin/mkdir": "/bin/busybox", "/bin/rm": "/bin/busybox"}, Entrypoint: []string{"/bin/sh"}},
	} {
		content, err := image.Build()
		if err == nil {
			_, tag, _ := strings.Cut(image.Name, ":")
			_, err = w.AddImage(bundle.Item{Kind: bundle.Image, Name: image.Name, Version: tag, Arch: "amd64", Source: "oci:" + image.Name}, content)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Commit(nil); err != nil {
		b.Fatal(err)
	}
	return dir
}

// apply applies a text, with what is to be different in it.
func (b *bench) apply(name, text string, edits ...string) {
	b.Helper()
	file := b.file(name + ".yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(edits...).Replace(text)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.until(name+" to be accepted", 2*time.Minute, func() (bool, string) {
		r := b.kubectl("apply -f " + file)
		return r.code == 0, r.String()
	})
}

// deploysBroken deploys what is there and doesn't do: a load balancer that gives addresses
// and announces them to nobody, a storage driver that doesn't run, and a node that
// claims a profile that its kubelet isn't set for.
func (b *bench) deploysBroken(f fixture) {
	b.Helper()
	b.apply("metallb", b.read(filepath.Join(f.metallb, "config/manifests/metallb-native.yaml")),
		"format: int32\n                maximum: 4294967295", "format: int64\n                maximum: 4294967295") // an API server of 1.37 takes the bound for none of an int32
	b.apply("disks", b.read(filepath.Join(f.disks, "deploy/local-path-storage.yaml")),
		"/opt/local-path-provisioner", "/data/local-path", "image: rancher/local-path-provisioner:v0.0.30", "image: "+diskMade, "image: busybox", "image: "+busybox,
		"replicas: 1", "replicas: 0", "kind: StorageClass\nmetadata:\n", "kind: StorageClass\nmetadata:\n  annotations: {storageclass.kubernetes.io/is-default-class: \"true\"}\n")
	b.must(b.kubectl("-n metallb-system rollout status --timeout=2m deployment/controller daemonset/speaker"))
	b.apply("pool", `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: outside, namespace: metallb-system}
spec: {addresses: [192.0.2.0/28]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 10.17.0.1}
`)
	b.must(b.kubectl("label node worker-a profile.anuket.io/network-intensive=true"))
}

// mends lets it do. A control plane is kept from announcing by kubeadm's label.
func (b *bench) mends() {
	b.Helper()
	b.apply("advertisement", `apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: outside, namespace: metallb-system}
`)
	b.must(b.kubectl("label node cp-a node.kubernetes.io/exclude-from-external-load-balancers-"))
	b.must(b.kubectl("-n local-path-storage scale deployment local-path-provisioner --replicas=1"))
	b.must(b.kubectl("-n local-path-storage rollout status --timeout=2m deployment/local-path-provisioner"))
	// Of two processors one is left for pods only where less than one is reserved.
	flags, state := b.root("worker-a", "/var/lib/kubelet/kubeadm-flags.env"), b.root("worker-a", "/var/lib/kubelet/cpu_manager_state")
	text := strings.TrimSuffix(strings.TrimSpace(b.read(flags)), `"`) + ` --cpu-manager-policy=static --topology-manager-policy=single-numa-node --kube-reserved=cpu=200m"` + "\n"
	if err := os.WriteFile(flags, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Remove(state); err != nil {
		b.Fatal(err)
	}
	b.must(b.start("nsenter", "-t", fmt.Sprint(b.pid1("worker-a")), "-m", "-p", "-n", "-i", "-u", "-C", "systemctl", "restart", "kubelet").wait())
	b.until("the kubelet of worker-a to pin", 2*time.Minute, func() (bool, string) {
		r := b.kubectl("get --raw /api/v1/nodes/worker-a/proxy/configz")
		return strings.Contains(r.out, `"cpuManagerPolicy":"static"`), r.String()
	})
}

// routes starts a router in the lab's network that nodes may announce to, and returns
// the command that asks it.
func (b *bench) routes() string {
	b.Helper()
	dir, err := os.MkdirTemp("", "ra2-e2e-frr-") // FRR gives its rights away, and has to reach it
	if err != nil {
		b.Fatal(err)
	}
	config := `router bgp 64513
 bgp router-id 10.17.0.1
 no bgp ebgp-requires-policy
 neighbor nodes peer-group
 neighbor nodes remote-as 64512
 bgp listen range 10.17.0.0/24 peer-group nodes
 address-family ipv4 unicast
  neighbor nodes activate
  maximum-paths 8
`
	if err := os.WriteFile(filepath.Join(dir, "frr.conf"), []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	b.must(b.start("chown", "-R", "frr:frr", dir).wait())
	for _, name := range []string{"zebra", "bgpd"} {
		c := b.start("ip", "netns", "exec", b.namespace(), "/usr/lib/frr/"+name, "-A", "127.0.0.1", "-i", dir+"/"+name+".pid", "--vty_socket", dir, "-z", dir+"/zserv.api", "-f", dir+"/frr.conf")
		b.Cleanup(func() {
			_ = c.Process.Kill()
			c.wait()
		})
		b.until(name+" to be there", time.Minute, func() (bool, string) {
			_, err := os.Stat(dir + "/" + name + ".vty")
			return err == nil, fmt.Sprint(err)
		})
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return "vtysh --vty_socket " + dir + ` -c "show bgp $FAMILY unicast $ADDRESS json"`
}

// stands judges the site, and wants these verdicts.
func (b *bench) stands(router string, want ...string) report.Conformance {
	b.Helper()
	args := []string{"verify", "--inventory", b.inventory(), "-o", "json", "--router", router}
	r := b.exits(b.inside(args...), 3)
	c, err := report.ReadConformance([]byte(r.out))
	if err != nil {
		b.Fatalf("%v\n%s", err, r)
	}
	for _, w := range want {
		id, verdict, _ := strings.Cut(w, " ")
		if got := rowOf(c, id); got.Verdict != conform.Verdict(verdict) {
			b.Errorf("%s is %s, want %s: %+v", id, got.Verdict, verdict, got.Findings)
		}
	}
	return c
}
