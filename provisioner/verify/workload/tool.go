package workload

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// Image holds ra2-disturb. Nodes that ra2-deploy installed have it; elsewhere it
// has to be in a registry that the nodes reach.
const Image = errand.Image

// ours marks what is made for a disturbance, so that what a run that was cut short
// has left can be found.
const ours = "ra2-deploy.io/disturb"

const (
	startTime = 2 * time.Minute // that a pod of ours may take until it tells that it began
	endTime   = time.Minute     // that it may take to undo
	graceful  = 20              // seconds that the kubelet leaves it for that
)

// tool is ra2-disturb on a node, while it disturbs one pod.
type tool struct {
	c     *Client
	pod   *corev1.Pod
	of    string // the pod that is disturbed
	lines *bufio.Scanner
	log   io.Closer
}

// line is what ra2-disturb prints (images/guest/disturb).
type line struct {
	Event string `json:"event"`
	What  string `json:"what"`
}

// lacks is a disturbance that can't be made.
type lacks struct{ error }

// launch starts ra2-disturb beside a pod, and returns when it has begun.
func (c *Client) launch(ctx context.Context, home, image string, target *corev1.Pod, longest time.Duration, args ...string) (t *tool, what string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	pod, err := errand.Create(ctx, c.kube, disturber(home, image, target, longest, args))
	if err != nil {
		return nil, "", lacks{fmt.Errorf("start ra2-disturb on %s: %w", target.Spec.NodeName, err)}
	}
	t = &tool{c: c, pod: pod, of: podRef(target)}
	first, err := t.begun(ctx)
	if err == nil && first.Event == "began" {
		return t, first.What, nil
	}
	_, undone := t.end(ctx)
	switch {
	case err != nil:
		err = lacks{fmt.Errorf("ra2-disturb on %s: %w", target.Spec.NodeName, err)}
	case first.Event == "lacks":
		return nil, "", lacks{errors.New(first.What)}
	default:
		err = fmt.Errorf("ra2-disturb on %s: %s", target.Spec.NodeName, first.What)
	}
	return nil, "", errors.Join(err, undone)
}

// begun waits for the first line.
func (t *tool) begun(ctx context.Context) (line, error) {
	running := func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	}
	if _, err := errand.Until(ctx, t.c.kube, t.pod, "runs", running); err != nil {
		return line{}, err
	}
	// The log is followed for as long as the disturbance lasts.
	log, err := t.c.kube.CoreV1().Pods(t.pod.Namespace).GetLogs(t.pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(context.WithoutCancel(ctx))
	if err != nil {
		return line{}, fmt.Errorf("read its log: %w", err)
	}
	t.log, t.lines = log, bufio.NewScanner(log)
	return t.next(ctx)
}

// next returns the next line, or gives up when ctx ends.
func (t *tool) next(ctx context.Context) (line, error) {
	stop := context.AfterFunc(ctx, func() { t.log.Close() })
	defer stop()
	var l line
	if !t.lines.Scan() {
		return l, errors.Join(errors.New("its log ended"), t.lines.Err(), context.Cause(ctx))
	}
	if err := json.Unmarshal(t.lines.Bytes(), &l); err != nil {
		return l, fmt.Errorf("it says %.200s, which isn't ra2-disturb's", t.lines.Text())
	}
	return l, nil
}

// end tells it to undo what it did and waits until it says so; then it is removed.
// It works on when ctx is over: what was done has to be undone.
func (t *tool) end(ctx context.Context) (what string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	grace := int64(graceful)
	pods := t.c.kube.CoreV1().Pods(t.pod.Namespace)
	err = pods.Delete(ctx, t.pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
	if apierrors.IsNotFound(err) {
		err = nil
	}
	if t.lines == nil { // it has begun with nothing
		return "", err
	}
	defer t.log.Close()
	l, lost := t.next(ctx)
	if lost == nil && l.Event == "unproven" {
		return "", errors.Join(err, lacks{fmt.Errorf("a sign that it had an effect: %s", l.What)})
	}
	if lost != nil || l.Event != "ended" {
		why := errors.Join(lost, errors.New(l.What))
		return "", errors.Join(err, fmt.Errorf("ra2-disturb on %s didn't tell that it undid what it did (%s); it does so by itself when its time is over, and if it was killed, a new pod in place of %s has none of it",
			t.pod.Spec.NodeName, strings.TrimSpace(strings.ReplaceAll(why.Error(), "\n", ", ")), t.of))
	}
	return l.What, err
}

// disturber is the pod that runs ra2-disturb on the node of another.
func disturber(home, image string, target *corev1.Pod, longest time.Duration, args []string) *corev1.Pod {
	command := append([]string{"/ra2-disturb", "-pod", string(target.UID), "-container", containerID(target), "-for", longest.String(), "-cgroups", "/host/cgroup", "-scratch", "/scratch"}, args...)
	pod := errand.OnNode(errand.Pod(home, ours, "ra2-disturb-", image, longest+startTime+endTime, command...), target.Spec.NodeName)
	pod.Spec.TerminationGracePeriodSeconds = new(int64(graceful))
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "cgroup", MountPath: "/host/cgroup"}, {Name: "scratch", MountPath: "/scratch"}}
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "cgroup", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/sys/fs/cgroup"}}},
		{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	return pod
}

// containerID returns the id of the first container of a pod without its
// runtime's name.
func containerID(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if _, id, ok := strings.Cut(c.ContainerID, "://"); ok && c.Name == p.Spec.Containers[0].Name {
			return id
		}
	}
	return ""
}
