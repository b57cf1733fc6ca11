package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

const (
	probeTime = 6 * time.Minute         // that all probes together may take
	podTime   = probeTime + time.Minute // after which the kubelet ends a pod of ours
	readyTime = time.Minute             // until a pod runs, or answers
	probePort = 8080
	flows     = 16 // to one address: that all land on one of two pods by chance is one case in 32,768
)

// waits is how long what a cluster does behind our back may take.
type waits struct {
	enforce  time.Duration // until a policy is in force, and a pool of processors is made smaller
	balancer time.Duration // until a load balancer has given an address, and an ingress controller one
	volume   time.Duration // until a claim is bound, and its volume is mounted
	evict    time.Duration // until a pod that took too much is evicted: kubelets measure each minute
	routes   time.Duration // until routers outside know an address
	steady   time.Duration // that an address has to answer without a failure before a pod is lost
	failover time.Duration // that is watched after a pod was seen to be lost
}

// usual is what clusters under load were given time for.
func usual() waits {
	return waits{enforce: 30 * time.Second, balancer: time.Minute, volume: 2 * time.Minute, evict: 150 * time.Second, routes: 30 * time.Second, steady: 3 * time.Second, failover: 5 * time.Second}
}

// scene is where probes are made: a namespace with two servers on two nodes where
// there are two, and what leads to them.
type scene struct {
	t       taking
	kube    kubernetes.Interface
	home    string
	image   string
	where   []string // nodes that take workloads
	servers []*corev1.Pod
	web     *corev1.Service // of both servers, also by node ports
	open    *corev1.Service // of type LoadBalancer
	opened  time.Time       // when it was made
	given   []string        // addresses that it got
	reached bool            // each of these answers from here
	claimed bool            // a claim was made, and the volume that it got has to go, too
	waits
}

// Probes adds to a snapshot what is found out by doing, with pods and Services of
// ours in a namespace that is removed. A probe that can't be made leaves its part
// missing, with why. The error is of what couldn't be removed, or of a run that was
// interrupted.
func (c *Cluster) Probes(ctx context.Context, s *conform.Snapshot, image string) error {
	return c.probes(ctx, s, image, usual())
}

func (c *Cluster) probes(ctx context.Context, s *conform.Snapshot, image string, how waits) (err error) {
	t := taking{c, s}
	delete(s.Missing, "probes")
	where := workers(s.Nodes)
	if len(where) == 0 {
		s.Missing["probes"] = "not tried: no node is Ready and takes workloads"
		return nil
	}
	kube, err := c.kube()
	if err != nil {
		return err
	}
	home, err := errand.Home(ctx, kube, ours, "ra2-verify-probes-", "restricted")
	if err != nil {
		s.Missing["probes"] = why(err)
		return context.Cause(ctx)
	}
	x := &scene{t: t, kube: kube, home: home, image: image, where: where, waits: how}
	defer func() { err = errors.Join(err, errand.Gone(ctx, kube, home), x.volumeGone(ctx)) }()
	doing, cancel := context.WithTimeoutCause(ctx, probeTime, fmt.Errorf("all probes together may take %v", probeTime))
	defer cancel()
	if err := x.raise(doing); err != nil {
		s.Missing["probes"] = "failed: " + conform.Trim(err.Error())
		return context.Cause(ctx)
	}
	for _, probe := range x.all(doing) {
		if doing.Err() == nil {
			probe(doing)
		}
	}
	s.Ended = time.Now().UTC()
	return context.Cause(ctx)
}

// all returns the probes in the order in which they are made. What a cluster takes
// minutes for is begun here and told last; what takes a server away comes at the end.
func (x *scene) all(ctx context.Context) []func(context.Context) {
	evicted, stored := x.ephemeral(ctx), x.storage(ctx)
	return []func(context.Context){
		x.dualStack, x.balance, x.nodePort, x.externalName, x.networkPolicy, x.pinning, x.hugePages, x.ingress,
		x.loadBalancer, x.routed, stored, evicted, x.failover,
	}
}

// skip says why a probe isn't made here.
func (x *scene) skip(name, why string) { x.t.Missing[conform.ProbeOf(name)] = "not tried: " + why }

// workers returns the nodes on which probes are made: those that are Ready and take
// workloads, in the order of their names.
func workers(nodes []corev1.Node) []string {
	var all []string
	for _, n := range nodes {
		ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		kept := slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule })
		if ready && !kept && !n.Spec.Unschedulable && n.Status.NodeInfo.OperatingSystem != "windows" {
			all = append(all, n.Name)
		}
	}
	slices.Sort(all)
	return all
}

// pod returns a pod of ours that runs ra2-probe.
func (x *scene) pod(name string, command ...string) *corev1.Pod {
	return errand.Pod(x.home, ours, "ra2-"+name+"-", x.image, podTime, append([]string{"/ra2-probe"}, command...)...)
}

// raise makes servers and Services, and waits until the servers answer.
func (x *scene) raise(ctx context.Context) error {
	for i := range 2 {
		pod := x.pod("server", "serve")
		pod.Spec.NodeName, pod.Labels["app"], pod.Labels["server"] = x.where[i%len(x.where)], "web", fmt.Sprint(i)
		pod.Spec.Containers[0].ReadinessProbe = readiness()
		made, err := errand.Create(ctx, x.kube, pod)
		if err != nil {
			return fmt.Errorf("start a server on %s: %w", pod.Spec.NodeName, err)
		}
		x.servers = append(x.servers, made)
	}
	var err error
	if x.web, err = x.serve(ctx, corev1.ServiceTypeNodePort, "web"); err != nil {
		return err
	}
	if x.open, err = x.serve(ctx, corev1.ServiceTypeLoadBalancer, "open"); err != nil {
		return err
	}
	x.opened = time.Now()
	waiting, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("a server may take %v", readyTime))
	defer cancel()
	for i, pod := range x.servers {
		x.t.cluster.telling("wait for " + pod.Name)
		if x.servers[i], err = errand.Until(waiting, x.kube, pod, "answers on "+pod.Spec.NodeName, ready); err != nil {
			return err
		}
	}
	return nil
}

func readiness() *corev1.Probe {
	return &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(probePort)}}}
}

func ready(p *corev1.Pod) bool {
	return len(p.Status.PodIPs) > 0 && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// serve makes a Service of both servers, by both families where the cluster has them.
func (x *scene) serve(ctx context.Context, kind corev1.ServiceType, name string) (*corev1.Service, error) {
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	made, err := x.kube.CoreV1().Services(x.home).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ours: ""}},
		Spec: corev1.ServiceSpec{
			Type: kind, Selector: map[string]string{"app": "web"}, IPFamilyPolicy: new(corev1.IPFamilyPolicyPreferDualStack),
			Ports: []corev1.ServicePort{{Name: "tcp", Protocol: corev1.ProtocolTCP, Port: probePort}, {Name: "udp", Protocol: corev1.ProtocolUDP, Port: probePort}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("make the Service %s of type %s: %w", name, kind, err)
	}
	return made, nil
}

// tell keeps the outcome of a probe. A pod that couldn't ask has found out nothing.
func (x *scene) tell(p conform.Probe, err error) {
	p.Time = time.Now().UTC()
	if err != nil {
		p.Outcome, p.Said = conform.Unknown, append(p.Said, conform.Trim(err.Error()))
	}
	x.t.Probes = append(x.t.Probes, p)
	x.t.Told[conform.ProbeOf(p.Name)] = p.Time
}

// until looks every other second until what is waited for is so.
func until(ctx context.Context, what string, look func(context.Context) (bool, string)) error {
	for {
		asking, cancel := context.WithTimeout(ctx, askTime)
		done, last := look(asking)
		cancel()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w; last seen: %s", what, context.Cause(ctx), last)
		case <-time.After(2 * time.Second):
		}
	}
}
