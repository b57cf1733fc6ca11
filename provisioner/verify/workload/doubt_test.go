package workload

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// TestDisturbInDoubt wants no verdict where nothing shows an effect, and where
// somebody else took the pod away.
func TestDisturbInDoubt(t *testing.T) {
	c, _ := shop(t, func(k *kubelets) { k.ends = `{"event":"unproven","what":"it was on 1 links"}` })
	plan, err := c.Plan(t.Context(), "shop", []app.Kind{app.Latency})
	if err != nil {
		t.Fatal(err)
	}
	for want, meanwhile := range map[string]func(){
		"a sign that it had an effect: it was on 1 links": func() {},
		"the pod until the end: somebody else deleted it": func() {
			ready, err := c.ready(context.Background(), "shop")
			if err == nil {
				err = c.kube.CoreV1().Pods("shop").Delete(context.Background(), ready["deployment/shop/web"][0].Name, metav1.DeleteOptions{})
			}
			if err != nil {
				t.Error(err)
			}
		},
	} {
		var checks atomic.Int32
		d := disturbing(t, &checks)
		d.Check = func(context.Context) (string, error) {
			if checks.Add(1) == 2 { // the first one while it is disturbed
				meanwhile()
			}
			return "2 orders", nil
		}
		runs, err := c.Disturb(t.Context(), d, plan)
		if err != nil {
			t.Fatal(err)
		}
		if r := verdicts(t, runs)["ra2.app.018"]; r.Verdict != conform.Unknown || !strings.Contains(strings.Join(r.Findings[0].Missing, " "), want) {
			t.Errorf("%+v; want for lack of %s", r, want)
		}
		clean(t, c)
	}
}

// TestDisturbLeftovers undoes what a run that was killed has left, and leaves a cordon
// alone that is somebody else's.
func TestDisturbLeftovers(t *testing.T) {
	c, _ := shop(t, func(*kubelets) {})
	h, err := c.home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.rolling("deployment/shop/web")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{ // a run up to where it is killed
		func() error { return h.note(t.Context(), "scale deployment/shop/web", "2", false) },
		func() error { return r.scale(t.Context(), 3) },
		func() error { return h.note(t.Context(), "template deployment/shop/web", "", false) },
		func() error { return r.annotate(t.Context(), time.Now().Format(time.RFC3339)) },
		func() error { return c.cordon(t.Context(), "w-a", true) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.leftovers(t.Context(), t.Logf); err != nil {
		t.Fatal(err)
	}
	clean(t, c)

	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.rolled(ready); err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"spec":{"unschedulable":true}}`)
	if _, err := c.kube.CoreV1().Nodes().Patch(t.Context(), "w-a", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	x := experiment{c: c, Disturbing: Disturbing{Namespace: "shop", Back: time.Minute}, Experiment: Experiment{Kind: app.Drain, Target: "namespace/shop"}, began: make(chan string, 1)}
	x.pods, err = c.choose(t.Context(), "shop", x.Experiment)
	if err != nil || x.pods[0].Spec.NodeName != "w-a" {
		t.Fatalf("%v, %v: the nodes have a pod each, and w-a is the first", x.pods, err)
	}
	w, err := c.follow(t.Context(), "shop", controllerOf)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.drain(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if already, err := c.cordoned(t.Context(), "w-a"); err != nil || !already {
		t.Errorf("the cordon of somebody else was taken off (%v)", err)
	}
}

// TestNodesNetworkIsLeftAlone wants nothing to be launched against a pod that uses its
// node's network.
func TestNodesNetworkIsLeftAlone(t *testing.T) {
	x := experiment{Experiment: Experiment{Kind: app.Latency}, pods: []*corev1.Pod{{Spec: corev1.PodSpec{HostNetwork: true}}}}
	if _, err := x.onPod(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "the whole node would be disturbed") {
		t.Error(err)
	}
}
