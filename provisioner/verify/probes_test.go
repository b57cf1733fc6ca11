package verify

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

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
	answering(t, "127.0.77.7:8080")
	for name, c := range map[string]struct {
		world
		want string // each probe with its outcome; "-" is one that isn't made
	}{
		"all is well": {world{enforces: true, spreads: true, six: true, address: "127.0.77.7", stores: true, evicts: true, pins: true, serves: true, hops: 2}, `
			dual-stack pass, balance pass, udp pass, node-port pass, external-name pass, network-policy pass, load-balancer pass, advertise pass, multipath pass, failover pass,
			pinning pass, huge-pages pass, ingress pass, volumes pass, default-class pass, persistent pass, ephemeral pass`},
		"nothing behaves": {world{}, `
			dual-stack fail, balance fail, udp fail, node-port pass, external-name pass, network-policy unknown, load-balancer fail, advertise -, multipath -, failover -,
			pinning fail, huge-pages fail, ingress fail, volumes fail, default-class fail, persistent unknown, ephemeral fail`},
		"flannel": {world{spreads: true, six: true, address: "127.0.77.8", bare: true}, `
			dual-stack pass, balance pass, udp pass, node-port pass, external-name pass, network-policy fail, load-balancer unknown, advertise -, multipath -, failover -,
			pinning -, huge-pages -, ingress -, volumes fail, default-class -, persistent -, ephemeral fail`},
		"a disk that forgets, and one way": {world{spreads: true, six: true, enforces: true, address: "127.0.77.7", stores: true, forgets: true, evicts: true, pins: true, serves: true, all: true, hops: 1}, `
			dual-stack pass, balance pass, udp pass, node-port pass, external-name pass, network-policy pass, load-balancer pass, advertise pass, multipath fail, failover pass,
			pinning pass, huge-pages pass, ingress unknown, volumes pass, default-class pass, persistent fail, ephemeral pass`},
		"no pod reaches another": {world{dead: true, hops: -1, bare: true, address: "127.0.77.7"}, `
			dual-stack fail, balance fail, udp fail, node-port fail, external-name fail, network-policy unknown, load-balancer pass, advertise unknown, multipath unknown, failover pass,
			pinning -, huge-pages -, ingress -, volumes fail, default-class -, persistent -, ephemeral fail`},
	} {
		t.Run(name, func(t *testing.T) {
			w := &c.world
			cluster := w.begin(t)
			s, err := cluster.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.settings(&s)
			how := waits{enforce: 3 * time.Second, balancer: 3 * time.Second, volume: 5 * time.Second, evict: 8 * time.Second, routes: 3 * time.Second, failover: time.Second, steady: time.Second}
			if err := cluster.probes(t.Context(), &s, errand.Image, how); err != nil {
				t.Fatal(err)
			}
			for pair := range strings.SplitSeq(c.want, ",") {
				name, want, _ := strings.Cut(strings.TrimSpace(pair), " ")
				w.want(t, s, name, want)
			}
			if r := verdict(t, s, "ra2.k8s.018"); !strings.Contains(c.want, "external-name "+string(r.Verdict)) {
				t.Errorf("the row that rests on it: %+v", r)
			}
			w.k.gone(t)
		})
	}
}

// want compares what became of one probe.
func (w *world) want(t *testing.T, s conform.Snapshot, name, want string) {
	t.Helper()
	i := slices.IndexFunc(s.Probes, func(p conform.Probe) bool { return p.Name == name })
	switch {
	case i < 0 && (want != "-" || !strings.HasPrefix(s.Missing[conform.ProbeOf(name)], "not tried: ")):
		t.Errorf("%s is missing: %s", name, s.Lacks(conform.ProbeOf(name)))
	case i < 0:
	case string(s.Probes[i].Outcome) != want || len(s.Probes[i].Said) == 0 || s.Probes[i].Repeat == "" || !s.Has(conform.ProbeOf(name)):
		t.Errorf("%s is %s, want %s: %s", name, s.Probes[i].Outcome, want, strings.Join(s.Probes[i].Said, "\n\t"))
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
