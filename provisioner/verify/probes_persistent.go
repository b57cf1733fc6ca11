package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// volumeTime is how long a storage driver may take to remove our volume.
const volumeTime = time.Minute

// persistent removes the pod that wrote, and reads by another, on another node where
// the volume can go there.
func (x *scene) persistent(ctx context.Context, s stored, wrote bool) {
	x.t.cluster.telling("probe " + conform.ProbePersistent)
	if s.why != "" {
		x.skip(conform.ProbePersistent, s.why)
		return
	}
	p := conform.Probe{Name: conform.ProbePersistent, Did: "wrote to a claim, removed the pod, and read by another pod", Repeat: "by hand: write to a claim, kubectl delete the pod, and read by another one"}
	err := error(nil)
	if !wrote {
		err = errors.New("nothing could be written first (see the probe " + conform.ProbeVolumes + ")")
	} else {
		p.Said, p.Outcome, err = x.reread(ctx, s)
	}
	x.tell(p, err)
}

func (x *scene) reread(ctx context.Context, s stored) ([]string, conform.Verdict, error) {
	first, err := x.removed(ctx, s.writer)
	if err != nil {
		return nil, conform.Unknown, err
	}
	pod := x.pod("reader", "read", "/claim/text")
	x.claims(pod)
	pod.Spec.Affinity = elsewhere(first)
	made, err := errand.Create(ctx, x.kube, pod)
	if err != nil {
		return nil, conform.Unknown, fmt.Errorf("start a reader: %w", err)
	}
	found, err := x.worked(ctx, made, 1)
	switch {
	case ctx.Err() != nil:
		return nil, conform.Unknown, err // of the run's end, and not of the claim
	case err != nil:
		return []string{err.Error()}, conform.Fail, nil // the writer before it ran with this claim
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	second := "a node that isn't known"
	if now, err := x.kube.CoreV1().Pods(x.home).Get(asking, made.Name, metav1.GetOptions{}); err == nil {
		second = now.Spec.NodeName
	}
	return append(x.compared(found), "written on "+first+", read on "+second), verdictOf(x.right(found[0])), nil
}

// removed deletes a pod and waits until it is gone, and returns the node that it was on.
func (x *scene) removed(ctx context.Context, pod *corev1.Pod) (string, error) {
	pods := x.kube.CoreV1().Pods(x.home)
	making, cancel, err := errand.Whole(ctx)
	if err != nil {
		return "", err
	}
	defer cancel()
	now, err := pods.Get(making, pod.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if err := pods.Delete(making, pod.Name, metav1.DeleteOptions{}); err != nil {
		return "", err
	}
	soon, stop := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("a pod may take %v to go", readyTime))
	defer stop()
	return now.Spec.NodeName, until(soon, "pod "+pod.Name+" is gone", func(ctx context.Context) (bool, string) {
		_, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprintf("it is there (%v)", err)
	})
}

// elsewhere prefers other nodes than this.
func elsewhere(node string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
		Weight: 100, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpNotIn, Values: []string{node}}}},
	}}}}
}

// volumeGone waits until the volume of our claim is gone, after its namespace. A class
// may say that volumes are to be retained, and this one holds nothing that anybody
// wants.
func (x *scene) volumeGone(ctx context.Context) error {
	if !x.claimed {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), volumeTime, fmt.Errorf("a storage driver may take %v to remove it", volumeTime))
	defer cancel()
	list, err := x.kube.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("look whether a volume of our claim is left: %w; look by hand: kubectl get persistentvolumes", err)
	}
	var errs error
	for _, v := range list.Items {
		if v.Spec.ClaimRef != nil && v.Spec.ClaimRef.Namespace == x.home {
			errs = errors.Join(errs, x.released(ctx, v))
		}
	}
	return errs
}

// released lets a volume go.
func (x *scene) released(ctx context.Context, v corev1.PersistentVolume) error {
	volumes := x.kube.CoreV1().PersistentVolumes()
	if v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRetain {
		change := []byte(`{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)
		if _, err := volumes.Patch(ctx, v.Name, types.MergePatchType, change, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("let the volume %s of our claim go: %w; remove it by hand: kubectl delete persistentvolume %s", v.Name, err, v.Name)
		}
	}
	err := until(ctx, "the volume "+v.Name+" of our claim is gone", func(ctx context.Context) (bool, string) {
		now, err := volumes.Get(ctx, v.Name, metav1.GetOptions{})
		if err != nil {
			return apierrors.IsNotFound(err), err.Error()
		}
		return false, fmt.Sprintf("%s %s", now.Status.Phase, now.Status.Message)
	})
	if err != nil {
		return fmt.Errorf("%w; remove it by hand: kubectl delete persistentvolume %s", err, v.Name)
	}
	return nil
}
