package images

import (
	"strings"
	"testing"
)

func TestRecipeIsSound(t *testing.T) {
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kubeadm", "kubelet", "containerd", "containerd-shim-runc-v2", "ctr"} {
		found := false
		for _, m := range r.Modules {
			for _, p := range m.Programs {
				found = found || p.Name == name
			}
		}
		if !found {
			t.Errorf("the root needs %s and nothing builds it", name)
		}
	}
	if pause, err := r.pause(); err != nil || pause != "registry.k8s.io/pause:3.10.2" {
		t.Errorf("pause: %q, %v", pause, err)
	}
}

// Cluster manifests name these images, and nothing pulls them.
func TestContainersOfTheContract(t *testing.T) {
	r, err := ReadRecipe(recipeText)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, c := range r.Containers {
		have[c.Name] = true
	}
	for _, name := range []string{
		"registry.k8s.io/kube-apiserver:v1.37.2", "registry.k8s.io/kube-controller-manager:v1.37.2",
		"registry.k8s.io/kube-scheduler:v1.37.2", "registry.k8s.io/kube-proxy:v1.37.2", "registry.k8s.io/etcd:3.7.0-0",
		"registry.k8s.io/coredns/coredns:v1.14.6", "registry.k8s.io/pause:3.10.2", "ghcr.io/flannel-io/flannel:v0.28.10", "ra2-deploy.io/probe:v1",
	} {
		if !have[name] {
			t.Errorf("%s is not in the recipe", name)
		}
	}
}

func TestRecipeRefuses(t *testing.T) {
	const good = "modules:\n  - {path: example.com/m, version: v1.0.0, sum: 'h1:x', programs: [{name: tool, package: cmd/tool}]}\n"
	if _, err := ReadRecipe([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"colour":           good + "colour: red\n",
		"comes from":       good + "  - {path: example.com/n, version: v1.0.0, sum: 'h1:x', programs: [{name: tool}]}\n",
		`program "other"`:  good + "containers: [{name: 'a.io/b:1', files: {/b: other}, entrypoint: [/b]}]\n",
		"needs a tag":      good + "containers: [{name: a.io/b, files: {/b: tool}, entrypoint: [/b]}]\n",
		"begin with h1:":   strings.ReplaceAll(good, "h1:x", "sha256"),
		"read the recipe:": "modules: 5\n",
	} {
		if _, err := ReadRecipe([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
