package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

const (
	probeTime = 4 * time.Minute // that all probes together may take
	readyTime = time.Minute     // until the servers answer
	probePort = 8080
	flows     = 16 // to one address: that all land on one of two pods by chance is one case in 32,768
)

// waits is how long what a cluster does behind our back may take.
type waits struct {
	enforce  time.Duration // until a policy is in force
	balancer time.Duration // until a load balancer has given an address
}

// scene is where probes are made: a namespace with two servers on two nodes where
// there are two, and what leads to them.
type scene struct {
	t       taking
	kube    kubernetes.Interface
	home    string
	image   string
	servers []*corev1.Pod
	web     *corev1.Service // of both servers, also by node ports
	open    *corev1.Service // of type LoadBalancer
	opened  time.Time       // when it was made
	waits
}

// Probes adds to a snapshot what is found out by doing, with pods and Services of
// ours in a namespace that is removed. A probe that can't be made leaves its part
// missing, with why. The error is of what couldn't be removed, or of a run that was
// interrupted.
func (c *Cluster) Probes(ctx context.Context, s *conform.Snapshot, image string) error {
	return c.probes(ctx, s, image, waits{enforce: 30 * time.Second, balancer: time.Minute})
}

func (c *Cluster) probes(ctx context.Context, s *conform.Snapshot, image string, how waits) (err error) {
	t := taking{c, s}
	delete(s.Missing, "probes")
	t.untried()
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
	defer func() { err = errors.Join(err, errand.Gone(ctx, kube, home)) }()
	doing, cancel := context.WithTimeoutCause(ctx, probeTime, fmt.Errorf("all probes together may take %v", probeTime))
	defer cancel()
	x := &scene{t: t, kube: kube, home: home, image: image, waits: how}
	if err := x.raise(doing, where); err != nil {
		s.Missing["probes"] = "failed: " + conform.Trim(err.Error())
		return context.Cause(ctx)
	}
	for _, probe := range []func(context.Context){x.dualStack, x.balance, x.nodePort, x.externalName, x.networkPolicy, x.loadBalancer} {
		if doing.Err() == nil {
			probe(doing)
		}
	}
	s.Ended = time.Now().UTC()
	return context.Cause(ctx)
}

// untried says why some probes aren't made here.
func (t taking) untried() {
	for name, why := range map[string]string{
		conform.ProbeAdvertise: "it takes a router outside that tells its routes",
		conform.ProbeMultipath: "it takes a router outside that tells its routes",
		conform.ProbeFailover:  "it takes a node away from what runs there",
	} {
		t.Missing[conform.ProbeOf(name)] = "not tried: " + why
	}
}

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

// raise makes servers and Services, and waits until the servers answer.
func (x *scene) raise(ctx context.Context, where []string) error {
	for i := range 2 {
		pod := errand.Pod(x.home, ours, "ra2-server-", x.image, probeTime+time.Minute, "/ra2-probe", "serve")
		pod.Spec.NodeName, pod.Labels["app"], pod.Labels["server"] = where[i%len(where)], "web", fmt.Sprint(i)
		pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(probePort)}}}
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

// answer is one line that ra2-probe prints (images/guest/probe).
type answer struct {
	URL    string `json:"url"`
	OK     bool   `json:"ok"`
	Error  string `json:"error"`
	Millis int64  `json:"millis"`
	Answer struct {
		Host string `json:"host"`
		From string `json:"from"`
	} `json:"answer"`
}

// String says in short what came of a question.
func (a answer) String() string {
	if !a.OK {
		return a.URL + ": " + a.Error
	}
	return fmt.Sprintf("%s: %s answered in %d ms, and saw %s", a.URL, a.Answer.Host, a.Millis, a.Answer.From)
}

// ask asks addresses from a pod on the first server's node, which a policy may know
// by its labels.
func (x *scene) ask(ctx context.Context, labels map[string]string, tries int, urls []string) ([]answer, error) {
	pod := errand.Pod(x.home, ours, "ra2-client-", x.image, probeTime, append([]string{"/ra2-probe", "get", "-timeout", "2s", "-tries", fmt.Sprint(tries)}, urls...)...)
	pod.Spec.NodeName = x.servers[0].Spec.NodeName
	for key, value := range labels {
		pod.Labels[key] = value
	}
	pod, err := errand.Create(ctx, x.kube, pod)
	if err != nil {
		return nil, fmt.Errorf("start a client: %w", err)
	}
	if pod, err = errand.Until(ctx, x.kube, pod, "has asked", errand.Ended); err != nil {
		return nil, err
	}
	var all []answer
	err = errand.Log(ctx, x.kube, pod, func(data []byte) (err error) {
		all, err = answers(data, len(urls))
		return err
	})
	return all, err
}

// answers reads the lines of ra2-probe, of which there is one for each question.
func answers(data []byte, want int) ([]answer, error) {
	var all []answer
	for line := range strings.Lines(string(data)) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, fmt.Errorf("it says %.200q, which isn't ra2-probe's: %w", line, err)
		}
		all = append(all, a)
	}
	if len(all) != want {
		return nil, fmt.Errorf("it tells of %d of %d questions", len(all), want)
	}
	return all, nil
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

// addressOf returns the URL of a server.
func addressOf(scheme, host string, port int32) string {
	end := ""
	if scheme == "http" {
		end = "/"
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(port)) + end
}

// both reports whether addresses of IPv4 and IPv6 are among these.
func both(addresses []string) bool {
	has := func(six bool) bool {
		return slices.ContainsFunc(addresses, func(text string) bool {
			a, err := netip.ParseAddr(text)
			return err == nil && a.Unmap().Is6() == six
		})
	}
	return has(true) && has(false)
}

func podIPs(p *corev1.Pod) []string {
	var all []string
	for _, ip := range p.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return all
}

// verdictOf is Pass where all went well.
func verdictOf(good bool) conform.Verdict {
	if good {
		return conform.Pass
	}
	return conform.Fail
}

// lines says what came of questions; failed ones first, since evidence is cut.
func lines(all []answer) []string {
	var bad, good []string
	for _, a := range all {
		if a.OK {
			good = append(good, a.String())
		} else {
			bad = append(bad, a.String())
		}
	}
	return append(bad, good...)
}

func allOK(all []answer) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(a answer) bool { return !a.OK })
}
