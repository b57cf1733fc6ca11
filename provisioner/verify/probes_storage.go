package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

const markDefault = "storageclass.kubernetes.io/is-default-class"

// stored is what probes of storage work with.
type stored struct {
	class     storagev1.StorageClass // empty where none can be used
	byDefault bool                   // the claim names no class
	why       string                 // no claim is made
	none      bool                   // there is nothing that a claim could be bound to
	writer    *corev1.Pod
	began     time.Time
	err       error // of beginning
}

// storage writes to a claim and to the other types of volume, and tells later what
// another pod read.
func (x *scene) storage(ctx context.Context) func(context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeVolumes)
	s := x.choose()
	s.began, s.err = time.Now(), x.provide(ctx, s)
	if s.err == nil {
		s.writer, s.err = errand.Create(ctx, x.kube, x.writes(s.why == ""))
	}
	return func(ctx context.Context) { x.stored(ctx, s) }
}

// choose takes the default class, else the first. One that binds claims to volumes
// that somebody made by hand is left alone: a claim would use one up.
func (x *scene) choose() stored {
	if !x.t.Has(conform.StorageClasses) {
		return stored{why: "the cluster's classes are not known: " + x.t.Lacks(conform.StorageClasses)}
	}
	classes := slices.Clone(x.t.StorageClasses)
	if len(classes) == 0 {
		return stored{why: "there is no StorageClass", none: len(x.t.Volumes) == 0 && x.t.Has(conform.Volumes)}
	}
	isDefault := func(c storagev1.StorageClass) bool { return c.Annotations[markDefault] == "true" }
	slices.SortFunc(classes, func(a, b storagev1.StorageClass) int {
		if isDefault(a) != isDefault(b) {
			return map[bool]int{true: -1, false: 1}[isDefault(a)]
		}
		return cmp.Compare(a.Name, b.Name)
	})
	s := stored{class: classes[0], byDefault: isDefault(classes[0])}
	if s.class.Provisioner == "kubernetes.io/no-provisioner" {
		s.why = "the class " + s.class.Name + " makes no volumes, and a claim would use up one that somebody made by hand"
	}
	return s
}

// provide makes what the writer's volumes are made of.
func (x *scene) provide(ctx context.Context, s stored) error {
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	meta := metav1.ObjectMeta{Name: "stored", Labels: map[string]string{ours: ""}}
	core := x.kube.CoreV1()
	if _, err := core.ConfigMaps(x.home).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"text": x.text("config")}}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make a ConfigMap: %w", err)
	}
	if _, err := core.Secrets(x.home).Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"text": x.text("secret")}}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make a Secret: %w", err)
	}
	if s.why != "" {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity.MustParse("1Gi")}},
	}}
	if !s.byDefault {
		claim.Spec.StorageClassName = &s.class.Name
	}
	x.claimed = true
	if _, err := core.PersistentVolumeClaims(x.home).Create(ctx, claim, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make a claim of the class %s: %w", s.class.Name, err)
	}
	return nil
}

// text is what a volume has to hold: of this run, and of that volume.
func (x *scene) text(volume string) string { return x.home + " " + volume }

// writes is the pod that writes to its volumes, and reads all of them.
func (x *scene) writes(claim bool) *corev1.Pod {
	pod := x.pod("writer", append([]string{"read"}, volumes(claim)...)...)
	first(pod, "empty", "write", "/empty/text", x.text("empty"))
	if claim {
		first(pod, "claim", "write", "/claim/text", x.text("claim"))
	}
	mount(pod, "/empty", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	mount(pod, "/config", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "stored"}}})
	mount(pod, "/secret", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "stored"}})
	if claim {
		x.claims(pod)
	}
	return pod
}

// claims gives a pod our claim, which its user may write to.
func (x *scene) claims(pod *corev1.Pod) {
	pod.Spec.SecurityContext.FSGroup = pod.Spec.SecurityContext.RunAsUser
	mount(pod, "/claim", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "stored"}})
}

func volumes(claim bool) []string {
	all := []string{"/empty/text", "/config/text", "/secret/text"}
	if claim {
		all = append(all, "/claim/text")
	}
	return all
}

// stored tells what became of the claim and of what was written.
func (x *scene) stored(ctx context.Context, s stored) {
	x.t.cluster.telling("probe " + conform.ProbeVolumes)
	p := conform.Probe{Name: conform.ProbeVolumes, Did: "ran a pod that mounts an emptyDir, a ConfigMap, a Secret and a claim, writes to the first and the last, and reads all of them",
		Repeat: "by hand: a pod with the four types of volume has to run, and to read in each what was written there"}
	found, err := []file(nil), s.err
	if err == nil {
		found, err = x.worked(ctx, s.writer, len(volumes(s.why == "")))
	}
	bound, state := false, ""
	if s.why == "" && s.err == nil {
		bound, state = x.bound(ctx, s)
	}
	p.Said, p.Outcome = x.compared(found), conform.Pass
	switch good := err == nil && !slices.ContainsFunc(found, func(f file) bool { return !x.right(f) }); {
	case s.err == nil && s.why == "" && !bound && state != "":
		p.Said, p.Outcome, err = append([]string{state}, p.Said...), conform.Fail, nil
	case err == nil && !good:
		p.Outcome = conform.Fail
	case err == nil && s.none:
		p.Said, p.Outcome = append([]string{"no claim can be bound: " + s.why + ", and no volume"}, p.Said...), conform.Fail
	case err == nil && s.why != "":
		err = errors.New("no claim was made: " + s.why)
	}
	x.tell(p, err)
	x.byDefault(s, bound, state)
	x.persistent(ctx, s, p.Outcome == conform.Pass && err == nil)
}

// right reports whether a file holds what was written to it.
func (x *scene) right(f file) bool {
	return f.OK && slices.Contains([]string{"/empty/text", "/config/text", "/secret/text", "/claim/text"}, f.Path) && f.Text == x.text(f.Path[1:len(f.Path)-len("/text")])
}

func (x *scene) compared(found []file) []string {
	var said []string
	for _, f := range found {
		switch {
		case x.right(f):
			said = append(said, f.Path+" holds what was written")
		case f.OK:
			said = append(said, fmt.Sprintf("%s holds %.60q", f.Path, f.Text))
		default:
			said = append(said, f.String())
		}
	}
	return said
}

// bound looks at the claim.
func (x *scene) bound(ctx context.Context, s stored) (bool, string) {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	claim, err := x.kube.CoreV1().PersistentVolumeClaims(x.home).Get(asking, "stored", metav1.GetOptions{})
	switch {
	case err != nil:
		return false, "" // nothing is known of it
	case claim.Status.Phase != corev1.ClaimBound:
		return false, fmt.Sprintf("a claim of the class %s is %s after %v", s.class.Name, claim.Status.Phase, time.Since(s.began).Round(time.Second))
	}
	return true, fmt.Sprintf("a claim of the class %s is bound to %s", s.class.Name, claim.Spec.VolumeName)
}

// byDefault tells of a claim that names no class.
func (x *scene) byDefault(s stored, bound bool, state string) {
	switch {
	case s.why != "" || !s.byDefault:
		x.skip(conform.ProbeDefaultClass, cmp.Or(s.why, "no StorageClass is the default"))
	default:
		x.tell(conform.Probe{Name: conform.ProbeDefaultClass, Did: "made a claim that names no class", Said: []string{state}, Outcome: verdictOf(bound),
			Repeat: "by hand: kubectl apply a PersistentVolumeClaim without storageClassName; it has to become Bound, once a pod uses it"}, cmp.Or(s.err, unseen(state)))
	}
}

// unseen is the error of a claim that couldn't be looked at.
func unseen(state string) error {
	if state == "" {
		return errors.New("the claim could not be looked at")
	}
	return nil
}
