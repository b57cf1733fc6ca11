package app

import (
	"fmt"
	"iter"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is a pod, or the template that a controller makes pods of.
type pod struct {
	object   Object
	path     string // of the template in the object: ".spec.template"; empty for a pod
	meta     metav1.ObjectMeta
	spec     corev1.PodSpec
	status   *corev1.PodStatus // nil for a template
	replicas int32             // that the controller wants; 1 for a pod, -1 for a DaemonSet
	ends     bool              // it is made to end: a Job's
	owner    string            // "replicaset/web-1" of a live pod with a controller
}

// pods returns what is judged as pods: the pods of a namespace as they run, and
// the template of each controller that has none, or that is only written down.
func (w Workload) pods() []pod {
	var all []pod
	owned := map[string]bool{} // UIDs of controllers that have pods
	for _, o := range w.Objects {
		p, ok := o.Typed.(*corev1.Pod)
		if !ok || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		one := pod{object: o, meta: p.ObjectMeta, spec: p.Spec, status: &p.Status, replicas: 1}
		if by := metav1.GetControllerOf(p); by != nil {
			one.owner, one.ends = strings.ToLower(by.Kind)+"/"+by.Name, by.Kind == "Job"
			owned[string(by.UID)] = true
		}
		all = append(all, one)
	}
	for _, o := range w.Objects { // a Deployment's pods are its ReplicaSet's
		rs, ok := o.Typed.(*appsv1.ReplicaSet)
		if by := controller(rs); ok && by != "" && owned[string(rs.UID)] {
			owned[by] = true
		}
	}
	for _, o := range w.Objects {
		p, ok := template(o)
		if ok && p.owner == "" && !owned[string(p.meta.UID)] {
			all = append(all, p)
		}
	}
	return all
}

// controller returns the UID of what controls a ReplicaSet.
func controller(rs *appsv1.ReplicaSet) string {
	if rs == nil {
		return ""
	}
	if by := metav1.GetControllerOf(rs); by != nil {
		return string(by.UID)
	}
	return ""
}

// template returns the template of an object that makes pods. Its UID is that of
// the object, its owner what controls the object in turn.
func template(o Object) (pod, bool) {
	var p pod
	var t corev1.PodTemplateSpec
	var meta metav1.ObjectMeta
	p.path = ".spec.template"
	switch c := o.Typed.(type) {
	case *appsv1.Deployment:
		t, meta, p.replicas = c.Spec.Template, c.ObjectMeta, orOne(c.Spec.Replicas)
	case *appsv1.StatefulSet:
		t, meta, p.replicas = c.Spec.Template, c.ObjectMeta, orOne(c.Spec.Replicas)
	case *appsv1.ReplicaSet:
		t, meta, p.replicas = c.Spec.Template, c.ObjectMeta, orOne(c.Spec.Replicas)
	case *appsv1.DaemonSet:
		t, meta, p.replicas = c.Spec.Template, c.ObjectMeta, -1
	case *batchv1.Job:
		t, meta, p.replicas, p.ends = c.Spec.Template, c.ObjectMeta, 1, true
	case *batchv1.CronJob:
		t, meta, p.replicas, p.ends = c.Spec.JobTemplate.Spec.Template, c.ObjectMeta, 1, true
		p.path = ".spec.jobTemplate.spec.template"
	case *corev1.ReplicationController:
		if c.Spec.Template == nil {
			return pod{}, false
		}
		t, meta, p.replicas = *c.Spec.Template, c.ObjectMeta, orOne(c.Spec.Replicas)
	default:
		return pod{}, false
	}
	p.object, p.meta, p.spec = o, t.ObjectMeta, t.Spec
	p.meta.UID, p.meta.Namespace = meta.UID, meta.Namespace
	if by := metav1.GetControllerOf(&meta); by != nil {
		p.owner = strings.ToLower(by.Kind) + "/" + by.Name
	}
	return p, true
}

func orOne(n *int32) int32 {
	if n == nil {
		return 1 // the API server's default
	}
	return *n
}

// container is one container of a pod, of any sort.
type container struct {
	corev1.Container
	path string // in the pod: ".spec.initContainers[0]"
	init bool   // it ends before the others begin; a sidecar doesn't
}

// containers returns all containers of a pod: those that begin it, those that it
// is for, and those that were put into it for debugging.
func (p pod) containers() iter.Seq[container] {
	return func(yield func(container) bool) {
		for i, c := range p.spec.InitContainers {
			sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
			if !yield(container{c, fmt.Sprintf(".spec.initContainers[%d]", i), !sidecar}) {
				return
			}
		}
		for i, c := range p.spec.Containers {
			if !yield(container{c, fmt.Sprintf(".spec.containers[%d]", i), false}) {
				return
			}
		}
		for i, c := range p.spec.EphemeralContainers {
			if !yield(container{corev1.Container(c.EphemeralContainerCommon), fmt.Sprintf(".spec.ephemeralContainers[%d]", i), false}) {
				return
			}
		}
	}
}

// objects returns all objects of one type, with what is known of them.
func objects[T any](w Workload) iter.Seq2[Object, T] {
	return func(yield func(Object, T) bool) {
		for _, o := range w.Objects {
			if t, ok := o.Typed.(T); ok && !yield(o, t) {
				return
			}
		}
	}
}
