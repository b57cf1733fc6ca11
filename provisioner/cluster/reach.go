package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// ProbeImage is the small web server and client that proves the pod network; it
// is in every node's store of container images.
const ProbeImage = "ra2-deploy.io/probe:v1"

const probePort = "8080"

// Reach proves that a pod on one node reaches a pod on another, over each
// family of the pod network: it starts a server and a client, reads what the
// client got, and removes both. It returns one line of evidence per family.
// ctx bounds the whole; the pods are removed even when it ends early.
func (c *Client) Reach(ctx context.Context) (evidence []string, err error) {
	s, err := c.server(ctx)
	if err != nil {
		return nil, fmt.Errorf("prove the pod network: %w", err)
	}
	from, to, err := c.pair(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		// The caller's time may be over; what was started is removed all the same.
		cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*askTime)
		defer cancel()
		err = errors.Join(err, s.removeProbes(cleaning))
	}()
	if err := s.removeProbes(ctx); err != nil { // of a run that was cut short
		return nil, err
	}
	server, err := s.startProbe(ctx, "server", to, "serve", "-listen", ":"+probePort)
	if err != nil {
		return nil, err
	}
	server, err = s.await(ctx, server, "is Running with an address of each family", func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodRunning && len(p.Status.PodIPs) == len(c.want.Kubernetes.PodCIDRs)
	})
	if err != nil {
		return nil, err
	}
	// A pod that runs listens a moment later.
	args := []string{"get", "-timeout", "5s", "-tries", "5"}
	for _, ip := range server.Status.PodIPs {
		args = append(args, "http://"+net.JoinHostPort(ip.IP, probePort)+"/")
	}
	client, err := s.startProbe(ctx, "client", from, args...)
	if err != nil {
		return nil, err
	}
	client, err = s.await(ctx, client, "has ended", func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	if err != nil {
		return nil, err
	}
	return s.read(ctx, client, from, to)
}

// read returns what the client pod printed, one line per address.
func (s *server) read(ctx context.Context, client *corev1.Pod, from, to string) ([]string, error) {
	log, err := s.client.CoreV1().Pods(client.Namespace).GetLogs(client.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log of pod %s on %s: %w", client.Name, from, err)
	}
	text := strings.TrimSpace(string(log))
	if client.Status.Phase == corev1.PodFailed {
		return nil, fmt.Errorf("a pod on %s doesn't reach a pod on %s: %s", from, to, text)
	}
	var evidence []string
	for line := range strings.SplitSeq(text, "\n") {
		evidence = append(evidence, fmt.Sprintf("pod on %s to pod on %s: %s", from, to, sentence(line)))
	}
	return evidence, nil
}

// sentence says in short what the client printed of one address; what it
// doesn't understand it gives whole.
func sentence(line string) string {
	var got struct {
		URL    string `json:"url"`
		OK     bool   `json:"ok"`
		Millis int64  `json:"millis"`
		Answer struct {
			From string `json:"from"`
		} `json:"answer"`
	}
	if json.Unmarshal([]byte(line), &got) != nil || !got.OK {
		return line
	}
	return fmt.Sprintf("GET %s answered in %d ms; the server saw %s", got.URL, got.Millis, got.Answer.From)
}

// pair chooses two nodes that are ready: workers first, then by name.
func (c *Client) pair(ctx context.Context) (from, to string, err error) {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return "", "", fmt.Errorf("prove the pod network: %w", err)
	}
	var ready []string
	for name, m := range nodes {
		if m.Ready {
			ready = append(ready, name)
		}
	}
	if len(ready) < 2 {
		return "", "", fmt.Errorf("prove the pod network: it takes two nodes that are Ready, there are %d", len(ready))
	}
	slices.SortFunc(ready, func(a, b string) int {
		if ca, cb := nodes[a].ControlPlane, nodes[b].ControlPlane; ca != cb {
			if cb {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return ready[0], ready[1], nil
}

const probeLabel = "ra2-deploy.io/probe"

// startProbe makes a pod on the named node. It is bound to the node directly:
// the scheduler isn't what is to be proven. The namespace kube-system has had
// its service account since the cluster was born.
func (s *server) startProbe(ctx context.Context, name, node string, args ...string) (*corev1.Pod, error) {
	no := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "ra2-probe-" + name + "-", Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{probeLabel: name},
		},
		Spec: corev1.PodSpec{
			NodeName: node, RestartPolicy: corev1.RestartPolicyNever,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "probe", Image: ProbeImage, ImagePullPolicy: corev1.PullNever, Args: args,
			}},
		},
	}
	made, err := s.client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("start the probe's %s on %s: %w", name, node, err)
	}
	return made, nil
}

// await watches a pod until good says so. When ctx ends first, the error tells
// what the pod was last seen doing.
func (s *server) await(ctx context.Context, pod *corev1.Pod, what string, good func(*corev1.Pod) bool) (*corev1.Pod, error) {
	begun := time.Now()
	last := pod
	list := cache.NewListWatchFromClient(s.client.CoreV1().RESTClient(), "pods", pod.Namespace, fields.OneTermEqualSelector("metadata.name", pod.Name))
	_, err := watchtools.UntilWithSync(ctx, list, &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		p, ok := e.Object.(*corev1.Pod)
		if !ok || e.Type == watch.Deleted {
			return false, errors.New("the pod was deleted")
		}
		last = p
		return good(p), nil
	})
	if err != nil {
		return nil, fmt.Errorf("wait until pod %s on %s %s, %v: %w; last seen: %s", pod.Name, pod.Spec.NodeName, what,
			time.Since(begun).Round(time.Second), err, doing(last))
	}
	return last, nil
}

// doing says in a few words where a pod stands.
func doing(p *corev1.Pod) string {
	words := []string{string(p.Status.Phase)}
	for _, cs := range p.Status.ContainerStatuses {
		if w := cs.State.Waiting; w != nil {
			words = append(words, w.Reason, w.Message)
		}
		if t := cs.State.Terminated; t != nil {
			words = append(words, fmt.Sprintf("%s, exit status %d", t.Reason, t.ExitCode), t.Message)
		}
	}
	for _, ip := range p.Status.PodIPs {
		words = append(words, ip.IP)
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// removeProbes deletes all pods of Reach, without waiting for them to end.
func (s *server) removeProbes(ctx context.Context) error {
	now := int64(0)
	err := s.client.CoreV1().Pods(metav1.NamespaceSystem).DeleteCollection(ctx,
		metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{LabelSelector: probeLabel})
	if err != nil {
		return fmt.Errorf("remove the probe's pods: %w", err)
	}
	return nil
}
