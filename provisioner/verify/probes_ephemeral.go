package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// What a pod may take of a node's disk, and what it takes. It is small, and more than
// a log or a block more or less.
const (
	mayTake = "8Mi"
	takes   = 32 << 20 // bytes
)

// ephemeral writes to the root of a pod and to an emptyDir, and more to each than the
// pod may take: the kubelet has to evict it. That takes minutes, so it is told later.
func (x *scene) ephemeral(ctx context.Context) func(context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeEphemeral)
	began := time.Now()
	writer, root, dir := x.pod("ephemeral", "write", "/scratch/text", "scratch"), x.pod("root", "fill", "/tmp/much", fmt.Sprint(takes)), x.pod("scratch", "fill", "/scratch/much", fmt.Sprint(takes))
	first(writer, "root", "write", "/tmp/text", "root")
	mount(writer, "/scratch", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	limit := quantity.MustParse(mayTake)
	root.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceEphemeralStorage: limit}
	mount(dir, "/scratch", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}})
	pods := []*corev1.Pod{writer, root, dir}
	var failed error
	for i, pod := range pods {
		pod.Spec.NodeName = x.where[0]
		if failed == nil {
			pods[i], failed = errand.Create(ctx, x.kube, pod)
		}
	}
	return func(ctx context.Context) {
		x.t.cluster.telling("probe " + conform.ProbeEphemeral)
		p := conform.Probe{Name: conform.ProbeEphemeral, Repeat: "by hand: a pod with limits ephemeral-storage: 8Mi that writes 32 MiB has to be Evicted, and one with an emptyDir of sizeLimit: 8Mi, too",
			Did: "on " + x.where[0] + " wrote to the root of a pod and to an emptyDir, and in other pods more to each than the pod may take (" + mayTake + ")"}
		err := failed
		if err == nil {
			p.Said, p.Outcome, err = x.evicted(ctx, pods, began)
		}
		x.tell(p, err)
	}
}

// evicted tells what was written, and whether those that took too much are gone.
func (x *scene) evicted(ctx context.Context, pods []*corev1.Pod, began time.Time) (said []string, outcome conform.Verdict, err error) {
	wrote, err := x.worked(ctx, pods[0], 1)
	if err != nil {
		return nil, conform.Unknown, err
	}
	// The first container's line is in its own log; it had to end well for this one.
	said, outcome = []string{"/tmp and " + wrote[0].String()}, verdictOf(wrote[0].OK)
	last := began.Add(x.evict)
	if soon := time.Now().Add(askTime); soon.After(last) { // the other probes took longer; it is looked at all the same
		last = soon
	}
	waiting, cancel := context.WithDeadlineCause(ctx, last, fmt.Errorf("kubelets measure each minute, and were given %v", x.evict))
	defer cancel()
	for i, what := range map[int]string{1: "the limit of its container", 2: "the sizeLimit of its emptyDir"} {
		pod, err := errand.Until(waiting, x.kube, pods[i], "is evicted", errand.Ended)
		switch {
		case ctx.Err() != nil:
			return said, conform.Unknown, err
		case err != nil:
			said, outcome = append(said, "a pod that took four times "+what+" goes on: "+err.Error()), conform.Fail
		default:
			why, err := x.evictedBy(ctx, pod)
			if err != nil {
				return said, conform.Unknown, fmt.Errorf("the pod that was to exceed %s: %w", what, err)
			}
			said = append(said, "evicted: "+why)
		}
	}
	slices.Sort(said)
	return said, outcome, nil
}

// evictedBy returns the kubelet's words about an eviction. A container that ends well
// when it is told to makes the pod one that succeeded, whose status has lost them
// (seen with 1.37.2); the event is there all the same.
func (x *scene) evictedBy(ctx context.Context, pod *corev1.Pod) (string, error) {
	if pod.Status.Reason == evictedReason {
		return pod.Status.Message, nil
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, err := x.kube.CoreV1().Events(x.home).List(asking, metav1.ListOptions{FieldSelector: fields.Set{"reason": evictedReason, "involvedObject.uid": string(pod.UID)}.String()})
	switch {
	case err != nil:
		return "", fmt.Errorf("look for its eviction: %w", err)
	case len(list.Items) == 0:
		return "", fmt.Errorf("it ended, and was not evicted: %s", errand.Doing(pod))
	}
	return list.Items[0].Message, nil
}

const evictedReason = "Evicted"
