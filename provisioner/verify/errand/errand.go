// Package errand runs pods of our own on a cluster for a short while: in a
// namespace of their own, which is found by a label and removed afterwards, also
// when the run is interrupted; what a run that was cut short has left, the next one
// removes. Each pod ends by itself at its deadline, whatever became of us.
package errand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// Image holds our small programs. Nodes that ra2-deploy installed have it; elsewhere
// it has to be in a registry that the nodes reach.
const Image = "ra2-deploy.io/probe:v1"

const (
	askTime    = 15 * time.Second // of one request
	removeTime = time.Minute      // that removing may take
	maxLog     = 16 << 20         // bytes of a pod's log
)

// Home makes a namespace for pods of ours, marked by a label; prefix is the
// beginning of its name. level is the Pod Security Standard that it enforces:
// "privileged", "restricted".
func Home(ctx context.Context, kube kubernetes.Interface, label, prefix, level string) (string, error) {
	ctx, cancel, err := Whole(ctx)
	if err != nil {
		return "", err
	}
	defer cancel()
	made, err := kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: prefix, Labels: map[string]string{label: "", "pod-security.kubernetes.io/enforce": level},
	}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("make a namespace for pods of ours: %w", err)
	}
	return made.Name, nil
}

// Leftovers removes the namespaces that carry a label: a run that was cut short has
// left them.
func Leftovers(ctx context.Context, kube kubernetes.Interface, label string) error {
	list, err := kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return fmt.Errorf("look for what an earlier run left: %w", err)
	}
	var errs []error
	for _, n := range list.Items {
		if _, marked := n.Labels[label]; marked { // what is deleted is looked at twice
			errs = append(errs, Remove(ctx, kube, n.Name))
		}
	}
	return errors.Join(errs...)
}

// Remove deletes a namespace of ours with all in it. It works on when ctx is over:
// what was made has to go.
func Remove(ctx context.Context, kube kubernetes.Interface, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	err := kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove the namespace %s of ours: %w; remove it by hand: kubectl delete namespace %s", name, err, name)
	}
	return nil
}

// Gone removes a namespace of ours, and waits until it is gone: an API server takes
// the deletion at once, and a finalizer or a kubelet may hold it up for long.
func Gone(ctx context.Context, kube kubernetes.Interface, name string) error {
	if err := Remove(ctx, kube, name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	last := "it is there"
	for {
		n, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			last = err.Error()
		default:
			last = holding(n)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until the namespace %s of ours is gone: it isn't after %v; last seen: %s; look at it by hand: kubectl get pods -n %s", name, removeTime, last, name)
		case <-time.After(2 * time.Second):
		}
	}
}

// holding says what holds up the end of a namespace.
func holding(n *corev1.Namespace) string {
	words := []string{string(n.Status.Phase)}
	for _, c := range n.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			words = append(words, c.Message)
		}
	}
	return strings.Join(words, ": ")
}

// Whole returns a context for one request that changes something. An API server may
// still carry out a request whose sender has gone, after what undoes it: so it isn't
// cut when the run ends, but not begun either.
func Whole(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	return ctx, cancel, nil
}

// Pod returns a pod of ours that the kubelet ends after longest. It may do nothing
// that the restricted Pod Security Standard forbids.
func Pod(home, label, prefix, image string, longest time.Duration, command ...string) *corev1.Pod {
	no, yes, user, seconds := false, true, int64(65534), int64(longest.Seconds())
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: prefix, Namespace: home, Labels: map[string]string{label: ""}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, ActiveDeadlineSeconds: &seconds,
			TerminationGracePeriodSeconds: new(int64(1)),
			SecurityContext:               &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: strings.Trim(strings.TrimPrefix(prefix, "ra2-"), "-"), Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: command,
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
		},
	}
}

// OnNode returns a pod that is privileged on a node, whatever the node keeps away.
func OnNode(pod *corev1.Pod, node string) *corev1.Pod {
	yes, root := true, int64(0)
	pod.Spec.NodeName, pod.Spec.HostPID, pod.Spec.HostNetwork, pod.Spec.SecurityContext = node, true, true, nil
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: &yes, RunAsUser: &root}
	return pod
}

// Create makes a pod in a new namespace, whose account is there a moment later.
func Create(ctx context.Context, kube kubernetes.Interface, pod *corev1.Pod) (*corev1.Pod, error) {
	for {
		one, cancel, err := Whole(ctx)
		if err != nil {
			return nil, err
		}
		made, err := kube.CoreV1().Pods(pod.Namespace).Create(one, pod, metav1.CreateOptions{})
		cancel()
		if err == nil || !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "serviceaccount") {
			return made, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Second):
		}
	}
}

// Until watches a pod until good says so, and returns it. When ctx ends first, the
// error tells what the pod was last seen doing. A pod whose container can't be made
// is not waited for.
func Until(ctx context.Context, kube kubernetes.Interface, pod *corev1.Pod, what string, good func(*corev1.Pod) bool) (*corev1.Pod, error) {
	last := pod
	source := cache.NewListWatchFromClient(kube.CoreV1().RESTClient(), "pods", pod.Namespace, fields.OneTermEqualSelector("metadata.name", pod.Name))
	_, err := watchtools.UntilWithSync(ctx, source, &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		p, ok := e.Object.(*corev1.Pod)
		if !ok || e.Type == watch.Deleted {
			return false, errors.New("it was deleted")
		}
		last = p
		if hopeless(p) {
			return false, errors.New("its container can't be made")
		}
		return good(p), nil
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx) // the watch says no more than that time is over
	}
	if err != nil {
		return last, fmt.Errorf("wait until pod %s %s: %w; last seen: %s", pod.Name, what, err, Doing(last))
	}
	return last, nil
}

// Ended reports whether a pod has done what it had to, or failed.
func Ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// hopeless reports whether a container waits for what doesn't come: an image that
// can't be had, a program that isn't in it.
func hopeless(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.State.Waiting != nil && slices.Contains([]string{"ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError", "RunContainerError", "CreateContainerConfigError"}, s.State.Waiting.Reason)
	})
}

// Doing says in a few words where a pod stands.
func Doing(p *corev1.Pod) string {
	words := []string{string(p.Status.Phase), p.Status.Reason, p.Status.Message}
	for _, s := range p.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil {
			words = append(words, w.Reason, w.Message)
		}
		if t := s.State.Terminated; t != nil {
			words = append(words, fmt.Sprintf("%s, exit status %d", t.Reason, t.ExitCode), t.Message)
		}
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// Log returns what a pod that has ended printed, once whole says that all of it is
// there: the kubelet may call a pod ended before the runtime has written its last
// lines. When ctx ends first, the error is whole's last one.
func Log(ctx context.Context, kube kubernetes.Interface, pod *corev1.Pod, whole func([]byte) error) error {
	for {
		data, err := printed(ctx, kube, pod)
		if err == nil {
			err = whole(data)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read the log of pod %s: %w; last seen: %s", pod.Name, err, Doing(pod))
		case <-time.After(time.Second):
		}
	}
}

func printed(ctx context.Context, kube kubernetes.Interface, pod *corev1.Pod) ([]byte, error) {
	from, err := kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	data, err := io.ReadAll(io.LimitReader(from, maxLog+1))
	if err == nil && len(data) > maxLog {
		err = fmt.Errorf("it is larger than %d MiB", maxLog>>20)
	}
	return data, err
}
