package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/apiserver"
)

// kubelets plays the scheduler and the kubelets of two nodes: it places pods where
// no cordon is, says that they run, ends those that are deleted, and serves the log
// of ra2-disturb. All else is done by a real kube-controller-manager.
type kubelets struct {
	kube *kubernetes.Clientset
	says string // the first line of ra2-disturb
	ends string // and its last one
	hurt bool   // a pod that is disturbed isn't ready meanwhile

	mu     sync.Mutex
	end    map[string]chan struct{} // by pod of ours: closed when it is told to end
	undone atomic.Int32             // how many told that they undid it
}

// serve answers for the log of a pod: the first line at once, the last one when the
// pod is told to end.
func (k *kubelets) serve(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // /containerLogs/NAMESPACE/POD/CONTAINER
	fmt.Fprintln(w, k.says)
	w.(http.Flusher).Flush()
	select {
	case <-k.ending(parts[3]):
		k.undone.Add(1)
		fmt.Fprintln(w, k.ends)
	case <-r.Context().Done():
	}
}

func (k *kubelets) ending(pod string) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end[pod] == nil {
		k.end[pod] = make(chan struct{})
	}
	return k.end[pod]
}

// work does what is to be done for each pod until ctx ends.
func (k *kubelets) work(ctx context.Context) {
	for ctx.Err() == nil {
		list, err := k.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
		if err == nil {
			for i := range list.Items {
				k.step(ctx, &list.Items[i])
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (k *kubelets) step(ctx context.Context, p *corev1.Pod) {
	_, tool := p.Labels[ours]
	pods := k.kube.CoreV1().Pods(p.Namespace)
	switch {
	case p.DeletionTimestamp != nil:
		if tool {
			if ch := k.ending(p.Name); !closed(ch) {
				close(ch)
				return // it takes a moment
			}
			k.ready(ctx, true)
		}
		now := int64(0)
		_ = pods.Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	case p.Spec.NodeName == "":
		k.place(ctx, p)
	case p.Status.Phase == corev1.PodPending:
		k.status(ctx, p, true)
		if tool && k.hurt {
			k.ready(ctx, false)
		}
	}
}

// place puts a pod where the fewest are, as the scheduler does with equals.
func (k *kubelets) place(ctx context.Context, p *corev1.Pod) {
	best, fewest := "", 0
	for _, name := range []string{"w-a", "w-b"} {
		n, err := k.kube.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil || n.Spec.Unschedulable {
			continue
		}
		there, err := k.kube.CoreV1().Pods(p.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
		if err == nil && (best == "" || len(there.Items) < fewest) {
			best, fewest = name, len(there.Items)
		}
	}
	if best != "" {
		_ = k.kube.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: best}}, metav1.CreateOptions{})
	}
}

func closed(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// ready changes whether the pods of the shop are ready.
func (k *kubelets) ready(ctx context.Context, is bool) {
	list, err := k.kube.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{})
	if err != nil || !k.hurt {
		return
	}
	for i := range list.Items {
		k.status(ctx, &list.Items[i], is)
	}
}

func (k *kubelets) status(ctx context.Context, p *corev1.Pod, ready bool) {
	is := map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}[ready]
	started := metav1.Now()
	_ = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		p, err := k.kube.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		p.Status.Phase, p.Status.StartTime = corev1.PodRunning, &started
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: is, Reason: "ContainersNotReady", LastTransitionTime: started}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: p.Spec.Containers[0].Name, Ready: ready, ContainerID: "containerd://c0ffee", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}}}
		_, err = k.kube.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
		return err
	})
}

// shopDeployment is a workload of two pods.
const shopDeployment = `
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}
`

// shop starts a cluster without nodes of its own, with a Deployment that is
// available.
func shop(t *testing.T, set func(*kubelets)) (*Client, *kubelets) {
	t.Helper()
	config := apiserver.Start(t, "--allow-privileged")
	apiserver.Controllers(t, config, "deployment-controller", "replicaset-controller", "namespace-controller", "disruption-controller", "garbage-collector-controller")
	fast := rest.CopyConfig(config)
	fast.QPS, fast.Burst = 200, 200
	kube, err := kubernetes.NewForConfig(fast)
	if err != nil {
		t.Fatal(err)
	}
	k := &kubelets{kube: kube, says: `{"event":"began","what":"2000 ms of latency on eth0"}`, ends: `{"event":"ended","what":"it is undone"}`, end: map[string]chan struct{}{}}
	set(k)
	server := httptest.NewTLSServer(http.HandlerFunc(k.serve))
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	for _, name := range []string{"w-a", "w-b"} {
		n, err := kube.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: at.Addr().String()}}
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(at.Port())
		if _, err := kube.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.work(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	if _, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.Unmarshal([]byte(shopDeployment), &d); err != nil {
		t.Fatal(err)
	}
	if _, err := kube.AppsV1().Deployments("shop").Create(t.Context(), &d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c, err := New(fast)
	if err != nil {
		t.Fatal(err)
	}
	c.kube = kube // without the rate that spares a cluster
	r, err := c.rolling("deployment/shop/web")
	if err != nil {
		t.Fatal(err)
	}
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.rolled(ready); err != nil {
		t.Fatal(err)
	}
	return c, k
}

// disturbing are experiments that are short, and a check that counts.
func disturbing(t *testing.T, checks *atomic.Int32) Disturbing {
	return Disturbing{
		Namespace: "shop", For: 3 * time.Second, Back: time.Minute, CheckTime: 5 * time.Second, Tell: t.Logf,
		Check: func(context.Context) (string, error) {
			checks.Add(1)
			return "2 orders", nil
		},
	}
}

// verdicts judges what came of experiments.
func verdicts(t *testing.T, runs []app.Run) map[string]conform.Result {
	t.Helper()
	catalogue, err := ra2.Load()
	if err != nil {
		t.Fatal(err)
	}
	results, err := app.Judge(catalogue, app.Workload{Runs: runs, Live: &app.Live{}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]conform.Result{}
	for _, r := range results {
		out[r.ID] = r
	}
	return out
}

// clean wants that nothing of ours is left.
func clean(t *testing.T, c *Client) {
	t.Helper()
	ctx := context.Background()
	nodes, err := c.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes.Items {
		if _, mark := n.Annotations[ours]; mark || n.Spec.Unschedulable {
			t.Errorf("%s is cordoned still", n.Name)
		}
	}
	d, err := c.kube.AppsV1().Deployments("shop").Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, mark := d.Spec.Template.Annotations[ours]; mark || *d.Spec.Replicas != 2 {
		t.Errorf("the deployment has %d replicas and the template %v", *d.Spec.Replicas, d.Spec.Template.Annotations)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		left, err := c.kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: ours})
		if err != nil {
			t.Fatal(err)
		}
		if len(left.Items) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("namespaces of ours are left: %v", left.Items[0].Status)
		}
	}
}

func TestDisturbOnRealServer(t *testing.T) {
	c, k := shop(t, func(*kubelets) {})
	plan, err := c.Plan(t.Context(), "shop", []app.Kind{app.Latency, app.ControlPlane, app.Scale, app.Update, app.Delete, app.Drain})
	if err != nil || len(plan) != 7 {
		t.Fatalf("%v, %v", plan, err)
	}
	var checks atomic.Int32
	runs, err := c.Disturb(t.Context(), disturbing(t, &checks), plan)
	if err != nil {
		t.Fatal(err)
	}
	got := verdicts(t, runs)
	for _, id := range []string{"ra2.app.008", "ra2.app.013", "ra2.app.014", "ra2.app.017", "ra2.app.018", "ra2.app.019", "ra2.app.038"} {
		if r := got[id]; r.Verdict != conform.Pass || r.How != conform.Behaviour {
			t.Errorf("%s: %s by %s, %+v", id, r.Verdict, r.How, r.Findings)
		}
	}
	if n := checks.Load(); n < 3*7 {
		t.Errorf("the data was looked at %d times", n)
	}
	if n := k.undone.Load(); n != 2 {
		t.Errorf("%d of 2 disturbances were undone", n)
	}
	for _, r := range runs { // who was taken away was seen to go
		if (r.Kind == app.Delete || r.Kind == app.Drain) && (len(r.Units) != 1 || r.Units[0].Least != 1 || r.Units[0].Before != 2) {
			t.Errorf("%+v", r.Units)
		}
	}
	clean(t, c)
}

// TestDisturbFails lets the pod be unready while it is disturbed, and the data be
// gone afterwards.
func TestDisturbFails(t *testing.T) {
	c, _ := shop(t, func(k *kubelets) { k.hurt = true })
	plan, err := c.Plan(t.Context(), "shop", []app.Kind{app.Latency, app.IO})
	if err != nil {
		t.Fatal(err)
	}
	var checks atomic.Int32
	d := disturbing(t, &checks)
	d.Check = func(context.Context) (string, error) {
		if checks.Add(1) > 1 {
			return "1 order", errors.New("exit status 1")
		}
		return "2 orders", nil
	}
	runs, err := c.Disturb(t.Context(), d, plan)
	if err != nil {
		t.Fatal(err)
	}
	r := verdicts(t, runs)["ra2.app.018"]
	if r.Verdict != conform.Fail || !strings.Contains(r.Findings[0].Got, "had no ready pod for") || !strings.Contains(r.Findings[0].Got, "afterwards: exit status 1: 1 order") {
		t.Errorf("%+v", r)
	}
	if r := verdicts(t, runs)["ra2.app.021"]; r.Verdict == conform.Pass {
		t.Errorf("the check fails before it begins, and it is %+v", r)
	}
	clean(t, c)
}

// TestDisturbLacks wants unknown, with the kernel's reason.
func TestDisturbLacks(t *testing.T) {
	c, _ := shop(t, func(k *kubelets) {
		k.says = `{"event":"lacks","what":"the node's kernel has no netem (module sch_netem): no such file or directory"}`
	})
	plan, err := c.Plan(t.Context(), "shop", []app.Kind{app.Corruption})
	if err != nil {
		t.Fatal(err)
	}
	var checks atomic.Int32
	runs, err := c.Disturb(t.Context(), disturbing(t, &checks), plan)
	if err != nil {
		t.Fatal(err)
	}
	r := verdicts(t, runs)["ra2.app.022"]
	if r.Verdict != conform.Unknown || !strings.Contains(strings.Join(r.Findings[0].Missing, " "), "no netem") {
		t.Errorf("%+v", r)
	}
	clean(t, c)
}

// TestDisturbInterrupted ends the run while a pod is disturbed, while a node is
// drained, and between an update and its way back: all is undone.
func TestDisturbInterrupted(t *testing.T) {
	c, k := shop(t, func(*kubelets) {})
	for _, kind := range []app.Kind{app.Latency, app.Drain, app.Update} {
		plan, err := c.Plan(t.Context(), "shop", []app.Kind{kind})
		if err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancelCause(t.Context())
		why := errors.New("interrupted")
		var checks atomic.Int32
		d := disturbing(t, &checks)
		d.For = time.Minute
		d.Check = func(context.Context) (string, error) {
			if checks.Add(1) == 2 { // the first one while it is disturbed
				interrupt(why)
			}
			return "", nil
		}
		before := k.undone.Load()
		runs, err := c.Disturb(ctx, d, plan)
		if !errors.Is(err, why) {
			t.Errorf("%s: %v", kind, err)
		}
		if len(runs) != 1 || !strings.Contains(runs[0].Lacks, "interrupted") || runs[0].Units != nil || runs[0].Checks != nil {
			t.Errorf("%s: %+v", kind, runs)
		}
		if kind == app.Latency && k.undone.Load() != before+1 {
			t.Error("the disturbance was not undone")
		}
		clean(t, c)
	}
}
