package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// world is how the network of a played cluster behaves.
type world struct {
	k        *kubelets
	enforces bool   // policies are in force from the second question on
	spreads  bool   // a Service leads to both servers in turn
	six      bool   // IPv6 goes from pod to pod
	dead     bool   // nothing is reached
	address  string // that a load balancer gives; empty is none

	turns int
	seen  map[string]int // questions of strangers, by the number of policies there are
}

// play runs servers, which are ready a moment after they run, and clients, which end.
func (w *world) play(p *corev1.Pod) (corev1.PodStatus, bool) {
	server, isServer := p.Labels["server"]
	next := status(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	switch {
	case p.Status.Phase == corev1.PodPending:
		return next, true
	case isServer && len(p.Status.PodIPs) == 0:
		next.PodIP, next.PodIPs = "10.0.0.1"+server, []corev1.PodIP{{IP: "10.0.0.1" + server}, {IP: "fd00::1" + server}}
		next.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		w.give(p.Namespace)
		return next, true
	case !isServer && p.Status.Phase == corev1.PodRunning:
		return status(corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}), true
	}
	return next, false
}

// give plays the load balancer.
func (w *world) give(namespace string) {
	services := w.k.kube.CoreV1().Services(namespace)
	open, err := services.Get(context.Background(), "open", metav1.GetOptions{})
	if err != nil || w.address == "" {
		return
	}
	open.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: w.address}}
	_, _ = services.UpdateStatus(context.Background(), open, metav1.UpdateOptions{})
}

// log answers what a client has asked, as ra2-probe prints it; the first time
// without the last line.
func (w *world) log(p *corev1.Pod, n int) string {
	policies, err := w.k.kube.NetworkingV1().NetworkPolicies(p.Namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	if n == 1 {
		w.seen[fmt.Sprint(len(policies.Items))]++
	}
	friend := p.Labels["friend"] == "true" && len(policies.Items) == 2
	shut := w.enforces && len(policies.Items) > 0 && !friend && (len(policies.Items) == 2 || w.seen["1"] > 1)
	var out []string
	for _, arg := range p.Spec.Containers[0].Command {
		u, err := neturl.Parse(arg)
		if err != nil || u.Host == "" {
			continue
		}
		guarded := slices.Contains([]string{"10.0.0.10", "fd00::10"}, u.Hostname())
		six := strings.Contains(u.Hostname(), ":")
		a := answer{URL: arg, OK: !w.dead && (w.six || !six) && (!guarded || !shut)}
		if w.turns++; w.spreads {
			a.Answer.Host = fmt.Sprint("server-", w.turns%2)
		}
		if !a.OK {
			a.Error = "i/o timeout"
		}
		line, err := json.Marshal(a)
		if err != nil {
			return err.Error()
		}
		out = append(out, string(line)+"\n")
	}
	if n == 1 {
		out = out[:len(out)-1]
	}
	return strings.Join(out, "")
}

// answering starts what a load balancer's address leads to.
func answering(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("needs the address %s: %v", address, err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	server.Start()
	t.Cleanup(server.Close)
}

// TestProbes makes all probes on a real API server whose nodes and network are
// played, in worlds that behave, that don't, and in which nothing can be known.
func TestProbes(t *testing.T) {
	const pass, fail, unknown = conform.Pass, conform.Fail, conform.Unknown
	answering(t, "127.0.77.7:8080")
	for name, c := range map[string]struct {
		world
		want map[string]conform.Verdict
	}{
		"all is well": {world{enforces: true, spreads: true, six: true, address: "127.0.77.7"}, map[string]conform.Verdict{
			conform.ProbeDualStack: pass, conform.ProbeBalance: pass, conform.ProbeNodePort: pass, conform.ProbeExternalName: pass, conform.ProbeNetworkPolicy: pass, conform.ProbeLoadBalancer: pass}},
		"nothing behaves": {world{}, map[string]conform.Verdict{
			conform.ProbeDualStack: fail, conform.ProbeBalance: fail, conform.ProbeNodePort: pass, conform.ProbeExternalName: pass, conform.ProbeNetworkPolicy: unknown, conform.ProbeLoadBalancer: fail}},
		"flannel": {world{spreads: true, six: true, address: "127.0.77.8"}, map[string]conform.Verdict{
			conform.ProbeDualStack: pass, conform.ProbeBalance: pass, conform.ProbeNodePort: pass, conform.ProbeExternalName: pass, conform.ProbeNetworkPolicy: fail, conform.ProbeLoadBalancer: unknown}},
		"no pod reaches another": {world{dead: true}, map[string]conform.Verdict{
			conform.ProbeDualStack: fail, conform.ProbeBalance: fail, conform.ProbeNodePort: fail, conform.ProbeExternalName: fail, conform.ProbeNetworkPolicy: unknown, conform.ProbeLoadBalancer: fail}},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.world
			w.seen = map[string]int{}
			w.k = &kubelets{play: w.play, log: w.log}
			cluster := playing(t, w.k, "a", "b")
			s, err := cluster.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := cluster.probes(t.Context(), &s, errand.Image, waits{enforce: 3 * time.Second, balancer: 3 * time.Second}); err != nil {
				t.Fatal(err)
			}
			if len(s.Probes) != len(c.want) {
				t.Errorf("%d probes: %s", len(s.Probes), s.Missing["probes"])
			}
			for _, p := range s.Probes {
				if p.Outcome != c.want[p.Name] || len(p.Said) == 0 || p.Repeat == "" || !s.Has(conform.ProbeOf(p.Name)) {
					t.Errorf("%s is %s, want %s: %s", p.Name, p.Outcome, c.want[p.Name], strings.Join(p.Said, "\n\t"))
				}
			}
			if r := verdict(t, s, "ra2.k8s.018"); r.Verdict != c.want[conform.ProbeExternalName] {
				t.Errorf("the row that rests on it: %+v", r)
			}
			w.k.gone(t)
		})
	}
}

func TestAnswers(t *testing.T) {
	for _, text := range []string{"", "{\"ok\":true}\n", "no JSON\nno JSON\n", "{}\n{}\n{}\n"} {
		if _, err := answers([]byte(text), 2); err == nil {
			t.Errorf("%q was taken for two answers", text)
		}
	}
}

// TestNowhere makes no probe where no node takes workloads.
func TestNowhere(t *testing.T) {
	s := conform.Snapshot{Told: map[conform.Part]time.Time{}, Missing: map[conform.Part]string{}, Nodes: []corev1.Node{{Spec: corev1.NodeSpec{Unschedulable: true}}}}
	if err := new(Cluster).Probes(t.Context(), &s, errand.Image); err != nil || !strings.Contains(s.Lacks(conform.ProbeOf(conform.ProbeNodePort)), "no node is Ready") {
		t.Errorf("%v; %v", err, s.Missing)
	}
}
