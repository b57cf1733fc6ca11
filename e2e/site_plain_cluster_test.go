package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// switchOn switches a machine on by its controller.
func (b *bench) switchOn(m plainMachine) {
	b.Helper()
	password, err := os.ReadFile(b.dir + "/bmc-password")
	if err != nil {
		b.Fatal(err)
	}
	url := fmt.Sprintf("https://10.17.1.%d/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", m.number)
	status, text := ask(insecure(client(b.lab, nil)), http.MethodPost, url, `{"ResetType":"On"}`, func(r *http.Request) { r.SetBasicAuth("admin", string(password)) })
	if status >= 300 || status == 0 {
		b.Fatalf("switch %s on: %d %s", m.name, status, text)
	}
}

// on runs a command on a machine, as its administrator would at its console.
func (b *bench) on(m plainMachine, args ...string) result {
	b.Helper()
	return b.start(b.enter(m, args...)...).wait()
}

func (b *bench) enter(m plainMachine, args ...string) []string {
	return append([]string{"nsenter", "--target", fmt.Sprint(b.pid1(m.name)), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd=/",
		"env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, args...)
}

// formPlain makes a cluster of two machines by hand, with kubeadm, and returns
// its administrator's kubeconfig.
func (b *bench) formPlain() string {
	b.Helper()
	from, images := b.content()
	root := b.plainRoot(from)
	machines := plainMachines()
	for _, m := range machines {
		b.install(m, root)
		b.switchOn(m)
	}
	for _, m := range machines {
		b.loadImages(m, from, images)
	}
	first := machines[0]
	b.write(first, "/root/kubeadm.yaml", strings.Replace(b.read("plain/kubeadm.yaml"), "KUBERNETES", versionOf(from, "registry.k8s.io/kube-apiserver"), 1))
	b.must(b.on(first, "kubeadm", "init", "--config", "/root/kubeadm.yaml", "--ignore-preflight-errors", ignored))
	kubeconfig := filepath.Join(filepath.Dir(b.dir), "admin.conf")
	text, err := os.ReadFile(b.root(first.name, "/etc/kubernetes/admin.conf"))
	if err == nil {
		err = os.WriteFile(kubeconfig, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.applyFlannel(kubeconfig, from)
	join := b.must(b.on(first, "kubeadm", "token", "create", "--print-join-command"))
	b.must(b.on(machines[1], append(strings.Fields(join.out), "--ignore-preflight-errors", ignored)...))
	b.plainReady(kubeconfig)
	return kubeconfig
}

// ignored is the one check of kubeadm that the lab's host doesn't pass: it has
// no kernel configuration to read.
const ignored = "SystemVerification"

// loadImages fills a machine's image store once its runtime answers; there is no
// registry.
func (b *bench) loadImages(m plainMachine, from bundle.Bundle, archive string) {
	b.Helper()
	b.until(m.name+" to run containerd", time.Minute, func() (bool, string) {
		if b.pid1(m.name) == 0 {
			return false, "it has no first process"
		}
		r := b.on(m, "ctr", "version")
		return r.code == 0, r.String()
	})
	load := b.enter(m, "ctr", "--namespace", "k8s.io", "images", "import", "--local", "--platform", "linux/amd64", "-")
	b.shell(`archive=$1; shift; exec "$@" < "$archive"`, append([]string{archive}, load...)...)
	there := b.must(b.on(m, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet")).out
	for _, i := range from.Kind(bundle.Image) {
		if !strings.Contains(there, i.Name+"\n") {
			b.Fatalf("%s has no image %s:\n%s", m.name, i.Name, there)
		}
	}
}

// versionOf is the version of an image that a bundle has.
func versionOf(from bundle.Bundle, image string) string {
	for _, i := range from.Kind(bundle.Image) {
		if name, tag, ok := strings.Cut(i.Name, ":"); ok && name == image {
			return tag
		}
	}
	return ""
}

func (b *bench) read(file string) string {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

func (b *bench) write(m plainMachine, path, text string) {
	b.Helper()
	if err := os.WriteFile(b.root(m.name, path), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// applyFlannel applies flannel's own manifest, of the module that the image was
// built from. Four things are different: the plugin is of the package
// cni-plugin-flannel and not of an image that no bundle has; nftables and ptp, for
// the lab's host has neither iptables nor br_netfilter.
func (b *bench) applyFlannel(kubeconfig string, from bundle.Bundle) {
	b.Helper()
	var module struct{ Dir string }
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/flannel-io/flannel@"+versionOf(from, "ghcr.io/flannel-io/flannel")).Output()
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil {
		b.Fatalf("flannel's module: %v\n%s", err, out)
	}
	text := b.read(filepath.Join(module.Dir, "Documentation/kube-flannel.yml"))
	for _, edit := range []struct{ old, new string }{
		{`(?s)      - name: install-cni-plugin\n.*?(      - name: install-cni\n)`, "$1"},
		{`"EnableNFTables": false`, `"EnableNFTables": true`},
		{`(?s)"delegate": \{.*?\}`, `"delegate": {"type": "ptp"}`},
		{`(?m)^      - name: xtables-lock\n        hostPath:\n.*\n.*\n`, ""},
		{`(?m)^        - name: xtables-lock\n.*\n`, ""},
	} {
		old := regexp.MustCompile(edit.old)
		if !old.MatchString(text) {
			b.Fatalf("flannel's manifest has changed: nothing in it matches %s", edit.old)
		}
		text = old.ReplaceAllString(text, edit.new)
	}
	for object := range strings.SplitSeq(text, "\n---\n") {
		b.applyPlain(kubeconfig, object)
	}
}

// applyPlain makes one object.
func (b *bench) applyPlain(kubeconfig, object string) {
	b.Helper()
	kind := regexp.MustCompile(`(?m)^kind: (\w+)$`).FindStringSubmatch(object)
	if kind == nil {
		b.Fatalf("no object: %s", object)
	}
	const rbac, flannel = "/apis/rbac.authorization.k8s.io/v1/", "namespaces/kube-flannel/"
	path := map[string]string{
		"Namespace": "/api/v1/namespaces", "ClusterRole": rbac + "clusterroles", "ClusterRoleBinding": rbac + "clusterrolebindings",
		"ServiceAccount": "/api/v1/" + flannel + "serviceaccounts", "ConfigMap": "/api/v1/" + flannel + "configmaps", "DaemonSet": "/apis/apps/v1/" + flannel + "daemonsets",
	}[kind[1]]
	status, text := ask(b.plainKube(kubeconfig), http.MethodPost, plainServer+path, object, func(r *http.Request) { r.Header.Set("Content-Type", "application/yaml") })
	if status != http.StatusCreated {
		b.Fatalf("POST %s: %d %s", path, status, text)
	}
}

// plainServer is the API server as kubeadm's admin.conf names it.
const plainServer = "https://10.17.0.11:6443"

func (b *bench) plainKube(kubeconfig string) *http.Client {
	return b.kubeOf(b.read(kubeconfig))
}

// plainReady waits until both nodes are Ready and every pod is.
func (b *bench) plainReady(kubeconfig string) {
	b.Helper()
	b.until("the plain cluster to be ready", 3*time.Minute, func() (bool, string) {
		var nodes corev1.NodeList
		var pods corev1.PodList
		for path, into := range map[string]any{"nodes": &nodes, "pods": &pods} {
			if err := b.plainGet(kubeconfig, "/api/v1/"+path, into); err != nil {
				return false, err.Error()
			}
		}
		var missing []string
		for _, n := range nodes.Items {
			if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
				return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
			}) {
				missing = append(missing, fmt.Sprintf("%s: %+v", n.Name, n.Status.Conditions))
			}
		}
		for _, p := range pods.Items {
			if !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }) {
				missing = append(missing, fmt.Sprintf("%s: %s %+v", p.Name, p.Status.Phase, p.Status.ContainerStatuses))
			}
		}
		// 4 of the control plane, 2 of DNS, and on each node the proxy and flannel.
		if len(nodes.Items) != 2 || len(pods.Items) != 10 {
			missing = append(missing, fmt.Sprintf("%d nodes and %d pods", len(nodes.Items), len(pods.Items)))
		}
		return missing == nil, strings.Join(missing, "\n")
	})
}
