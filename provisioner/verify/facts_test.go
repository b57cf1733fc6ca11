package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/apiserver"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// kubelets plays the kubelets of nodes on a real API server: pods of ours run and
// end as play says, and their logs are served.
type kubelets struct {
	kube *kubernetes.Clientset
	// play gives the status that a pod gets next, and whether it gets one.
	play func(*corev1.Pod) (corev1.PodStatus, bool)
	// log gives what a pod has printed when it is asked for the nth time.
	log func(p *corev1.Pod, n int) string

	mu    sync.Mutex
	asked map[string]int // logs, by pod
}

func (k *kubelets) serve(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // /containerLogs/NAMESPACE/POD/CONTAINER
	p, err := k.kube.CoreV1().Pods(parts[2]).Get(r.Context(), parts[3], metav1.GetOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	k.mu.Lock()
	k.asked[p.Name]++
	n := k.asked[p.Name]
	k.mu.Unlock()
	fmt.Fprint(w, k.log(p, n))
}

// work does what is to be done for each pod until ctx ends.
func (k *kubelets) work(ctx context.Context) {
	for ctx.Err() == nil {
		list, err := k.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: ours})
		for i := range list.Items {
			p := &list.Items[i]
			if p.DeletionTimestamp != nil {
				_ = k.kube.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
			} else if status, ok := k.play(p); ok && err == nil {
				p.Status = status
				_, _ = k.kube.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// playing starts a cluster with these nodes, whose kubelets are played.
func playing(t *testing.T, k *kubelets, nodes ...string) *Cluster {
	t.Helper()
	config := apiserver.Start(t, "--allow-privileged")
	apiserver.Controllers(t, config, "namespace-controller")
	fast := rest.CopyConfig(config)
	fast.QPS, fast.Burst = 200, 200
	k.kube, k.asked = kubernetes.NewForConfigOrDie(fast), map[string]int{}
	server := httptest.NewTLSServer(http.HandlerFunc(k.serve))
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	for _, name := range nodes {
		n, err := k.kube.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n.Spec.Taints = nil // a new node isn't ready, says the API server
		if n, err = k.kube.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: at.Addr().String()}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(at.Port())
		if _, err := k.kube.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { k.work(ctx) })
	t.Cleanup(func() {
		stop()
		working.Wait()
	})
	c, err := OpenConfig(config, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// gone wants no namespace of ours to be left, after a while.
func (k *kubelets) gone(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		left, err := k.kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: ours})
		if err == nil && len(left.Items) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("left behind: %v %v", left.Items, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// oneNode is what ra2-read prints of a small node.
const oneNode = `{"files":{"/proc/cmdline":"quiet\n","/proc/1/mounts":"/dev/dm-0 / erofs ro 0 0\n"},"digests":{},"links":{},"names":[],` +
	`"runs":{"runc --version":{"output":"runc version 1.3.0\nspec: 1.2.1\n","exit":0}},"lacks":{},"done":true}` + "\n"

func status(phase corev1.PodPhase, state corev1.ContainerState) corev1.PodStatus {
	return corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: "read", State: state}}}
}

// TestFacts reads three nodes on a real API server: of the first the log isn't whole
// yet when its pod has ended, the second can't get the image, the third's kubelet is
// silent. Nothing is left afterwards.
func TestFacts(t *testing.T) {
	k := &kubelets{
		play: func(p *corev1.Pod) (corev1.PodStatus, bool) {
			waits := status(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "nowhere/probe:v1"`}})
			switch {
			case p.Spec.NodeName == "b":
				return waits, p.Status.ContainerStatuses == nil
			case p.Status.Phase == corev1.PodPending:
				return status(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), true
			}
			return status(corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}), p.Status.Phase == corev1.PodRunning
		},
		log: func(_ *corev1.Pod, n int) string { return oneNode[:min(len(oneNode), n*100)] }, // first cut, then whole
	}
	c := playing(t, k, "a", "b", "silent")
	if _, err := errand.Home(t.Context(), k.kube, ours, "ra2-verify-nodes-", "privileged"); err != nil { // an earlier run's
		t.Fatal(err)
	}
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Nodes, func(n corev1.Node) bool { return n.Name == "silent" })
	s.Nodes[i].Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	if err := c.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Facts(t.Context(), &s, "nowhere/probe:v1"); err != nil {
		t.Fatal(err)
	}
	if f := s.Facts["a"]; !s.Has(conform.FactsOf("a")) || f.Runtime.OCISpec != "1.2.1" || f.KernelLine != "quiet" || len(s.Facts) != 1 {
		t.Errorf("a told %+v, lacks %s", f, s.Lacks(conform.FactsOf("a")))
	}
	for node, want := range map[string]string{"b": "its container can't be made; last seen: Pending ImagePullBackOff Back-off pulling image", "silent": "has not been heard of"} {
		if got := s.Lacks(conform.FactsOf(node)); s.Has(conform.FactsOf(node)) || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", node, got, want)
		}
	}
	if r := verdict(t, s, "ra2.crt.001"); r.Verdict != conform.Unknown {
		t.Errorf("a cluster of which one node told: %+v", r)
	}
	if left, err := k.kube.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{LabelSelector: ours}); err != nil || len(left.Items) > 0 {
		t.Errorf("the run is over, and pods are left: %v, %v", left.Items, err)
	}
	k.gone(t)
}

// TestFactsInterrupted ends a run while a node reads: what was made is removed, and
// the run is no verdict.
func TestFactsInterrupted(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	k := &kubelets{play: func(p *corev1.Pod) (corev1.PodStatus, bool) {
		defer stop(interrupted)
		return status(corev1.PodRunning, corev1.ContainerState{}), p.Status.Phase == corev1.PodPending
	}}
	c := playing(t, k, "a")
	s, err := c.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Facts(ctx, &s, errand.Image); !errors.Is(err, interrupted) || s.Has(conform.FactsOf("a")) {
		t.Errorf("%v; %v", err, s.Told)
	}
	k.gone(t)
}

// TestFactsRefused tells of who may create nothing, by the API server's own words.
func TestFactsRefused(t *testing.T) {
	k := &kubelets{play: func(*corev1.Pod) (corev1.PodStatus, bool) { return corev1.PodStatus{}, false }}
	c := playing(t, k, "a")
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.config.BearerToken = apiserver.Auditor
	if err := c.Facts(t.Context(), &s, errand.Image); err != nil {
		t.Fatal(err)
	}
	if got := s.Lacks(conform.FactsOf("a")); !strings.Contains(got, `not allowed: namespaces is forbidden: User "auditor" cannot create resource "namespaces"`) {
		t.Error(got)
	}
	if data, err := json.Marshal(s.Facts); err != nil || string(data) != "{}" {
		t.Errorf("%s, %v", data, err)
	}
}
