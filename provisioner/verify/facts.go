package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/nodes"
)

// ours marks what is made on a cluster to judge it, so that what a run that was cut
// short has left can be found: kubectl get namespaces -l ra2-deploy.io/verify.
const ours = "ra2-deploy.io/verify"

// factsTime is how long all nodes together may take to tell their facts.
const factsTime = 3 * time.Minute

// paced is a rate limiter of client-go that sends no more than the cluster does.
type paced struct{ c *Cluster }

// TryAccept implements flowcontrol.RateLimiter: who can't wait sends nothing.
func (paced) TryAccept() bool { return false }

// Accept implements flowcontrol.RateLimiter.
func (p paced) Accept() { _ = p.Wait(context.Background()) }

// Stop implements flowcontrol.RateLimiter.
func (paced) Stop() {}

// QPS implements flowcontrol.RateLimiter, in requests per second.
func (p paced) QPS() float32 { return float32(time.Second) / float32(p.c.every) }

// Wait implements flowcontrol.RateLimiter.
func (p paced) Wait(ctx context.Context) error { return p.c.pace(ctx) }

// kube returns a client for objects that are made, which asks as slowly as all else.
func (c *Cluster) kube() (*kubernetes.Clientset, error) {
	config := rest.CopyConfig(c.config)
	config.RateLimiter = paced{c}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	return kube, nil
}

// Clean removes what an earlier run that was cut short has left.
func (c *Cluster) Clean(ctx context.Context) error {
	kube, err := c.kube()
	if err != nil {
		return err
	}
	return errand.Leftovers(ctx, kube, ours)
}

// Facts adds to a snapshot what its nodes tell of themselves: one privileged pod on
// each, which reads and ends, in a namespace that is removed. A node that can't tell
// leaves its part missing, with why. The error is of what couldn't be removed, or of
// a run that was interrupted.
func (c *Cluster) Facts(ctx context.Context, s *conform.Snapshot, image string) (err error) {
	if !s.Has(conform.Nodes) {
		return nil
	}
	s.Facts = map[string]conform.NodeFacts{}
	t := taking{c, s}
	kube, err := c.kube()
	if err != nil {
		return err
	}
	home, err := errand.Home(ctx, kube, ours, "ra2-verify-nodes-", "privileged")
	if err != nil {
		for _, n := range s.Nodes {
			t.Missing[conform.FactsOf(n.Name)] = why(err)
		}
		return context.Cause(ctx)
	}
	defer func() { err = errors.Join(err, errand.Gone(ctx, kube, home)) }()
	waiting, cancel := context.WithTimeoutCause(ctx, factsTime, fmt.Errorf("all nodes together may take %v", factsTime))
	defer cancel()
	pods := map[string]*corev1.Pod{}
	for _, n := range s.Nodes { // all at once, and then each is waited for
		part := conform.FactsOf(n.Name)
		if silent(n) || n.Status.NodeInfo.OperatingSystem == "windows" {
			t.Missing[part] = "not asked: the node's kubelet has not been heard of, or it runs Windows"
			continue
		}
		c.telling("facts of " + n.Name)
		if pods[n.Name], err = errand.Create(waiting, kube, reader(home, image, n.Name)); err != nil {
			t.note(part, fmt.Errorf("start ra2-read on %s: %w", n.Name, err))
			delete(pods, n.Name)
		}
	}
	for _, n := range s.Nodes {
		if pod := pods[n.Name]; pod != nil {
			c.telling("facts of " + n.Name)
			t.note(conform.FactsOf(n.Name), t.fact(waiting, kube, n.Name, pod))
		}
	}
	s.Ended = time.Now().UTC()
	return context.Cause(ctx)
}

// fact waits for one pod and reads what it printed.
func (t taking) fact(ctx context.Context, kube kubernetes.Interface, node string, pod *corev1.Pod) error {
	pod, err := errand.Until(ctx, kube, pod, "has read node "+node, errand.Ended)
	if err != nil {
		return err
	}
	return errand.Log(ctx, kube, pod, func(data []byte) error {
		said, err := nodes.Read(data)
		if err == nil {
			t.Facts[node] = said.Facts()
		}
		return err
	})
}

// reader is the pod that runs ra2-read on a node: it sees the node's root, read-only.
func reader(home, image, node string) *corev1.Pod {
	const root = "/host"
	pod := errand.OnNode(errand.Pod(home, ours, "ra2-read-", image, factsTime, append([]string{"/ra2-read", "-root", root}, nodes.Ask()...)...), node)
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "host", MountPath: root, ReadOnly: true}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
	return pod
}

// telling tells what is done now.
func (c *Cluster) telling(what string) {
	if c.Tell != nil {
		c.Tell(what, c.Asked())
	}
}

// Plan says what Facts and Probes make on a cluster, for who has to approve of it.
func Plan(s conform.Snapshot, image string) []string {
	return []string{
		fmt.Sprintf("a namespace ra2-verify-nodes-… with a privileged pod on each of its %d nodes (image %s), which reads the node's files, changes none, and ends", len(s.Nodes), image),
		"a namespace ra2-verify-probes-… with two pods that answer and some that ask and write, two Services of them (NodePort, LoadBalancer), an ExternalName, two NetworkPolicies about one of them, an Ingress where there is a class, and a claim of 1 GiB where there is one",
	}
}
