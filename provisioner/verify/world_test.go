package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	neturl "net/url"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/apiserver"
)

// world is how the nodes, the network and the disks of a played cluster behave.
type world struct {
	k        *kubelets
	enforces bool   // policies are in force from the second question on
	spreads  bool   // a Service leads to both servers in turn
	six      bool   // IPv6 goes from pod to pod
	dead     bool   // nothing is reached
	address  string // that a load balancer gives; empty is none
	stores   bool   // a storage driver makes volumes
	forgets  bool   // what is written is gone with its pod
	evicts   bool   // pods that take too much of a disk are evicted
	pins     bool   // processors are given to one pod alone, and there are huge pages
	serves   bool   // an ingress controller works
	all      bool   // it leads every host to our servers
	hops     int    // that a router outside has; -1 is a router that doesn't answer
	bare     bool   // nothing is deployed: no classes, no router, kubelets as they come

	turns   int
	seen    map[string]int    // questions of strangers, by the number of policies there are
	servers map[string]string // names of the servers' pods, by their numbers
}

// begin starts the cluster, and somebody who makes volumes and gives addresses.
func (w *world) begin(t *testing.T) *Cluster {
	t.Helper()
	w.seen, w.servers = map[string]int{}, map[string]string{}
	w.k = &kubelets{play: w.play, log: w.log}
	c := playing(t, w.k, "a", "b")
	apiserver.Controllers(t, c.config, "persistentvolume-binder-controller", "persistentvolumeclaim-protection-controller", "persistentvolume-protection-controller")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.deployed(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	if !w.bare {
		class := storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "disks", Annotations: map[string]string{markDefault: "true"}}, Provisioner: "disks.example", ReclaimPolicy: new(corev1.PersistentVolumeReclaimRetain)}
		must(w.k.kube.StorageV1().StorageClasses().Create(t.Context(), &class, metav1.CreateOptions{}))(t)
		must(w.k.kube.NetworkingV1().IngressClasses().Create(t.Context(), &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "gate"}, Spec: networkingv1.IngressClassSpec{Controller: "gate.example/x"}}, metav1.CreateOptions{}))(t)
	}
	if !w.bare || w.hops != 0 {
		c.Routers = []Router{{"show route", w.route}}
	}
	return c
}

// settings is what kubelets would have told, and nodes offered.
func (w *world) settings(s *conform.Snapshot) {
	if w.bare {
		return
	}
	s.Kubelets["b"] = kubeletv1beta1.KubeletConfiguration{CPUManagerPolicy: "static"}
	for i := range s.Nodes {
		s.Nodes[i].Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse("3500m"), "hugepages-2Mi": quantity.MustParse("8Mi")}
	}
}

// route is what a router says.
func (w *world) route(_ context.Context, a netip.Addr) ([]byte, error) {
	switch {
	case w.hops < 0:
		return nil, errors.New("ssh: connect to host tor-a port 22: Connection refused")
	case w.hops == 0:
		return []byte("[]"), nil
	}
	return json.Marshal([]map[string]any{{"dst": a.String(), "nexthops": []map[string]string{{"gateway": "10.0.0.1"}, {"gateway": "10.0.0.2"}}[:w.hops]}})
}

// verb is what a pod of ours runs ra2-probe with.
func verb(p *corev1.Pod) string { return p.Spec.Containers[0].Command[1] }

// play runs servers, which are ready a moment after they run, and the others, of
// which most end.
func (w *world) play(p *corev1.Pod) (corev1.PodStatus, bool) {
	next := status(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	switch server := verb(p) == "serve"; {
	case p.Status.Phase == corev1.PodPending && !w.stores && slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil }):
	case p.Status.Phase == corev1.PodPending:
		return next, true
	case server && len(p.Status.PodIPs) == 0:
		n := p.Labels["server"]
		w.servers[n] = p.Name
		next.PodIP, next.PodIPs = "10.0.0.1"+n, []corev1.PodIP{{IP: "10.0.0.1" + n}, {IP: "fd00::1" + n}}
		next.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		w.give(p.Namespace)
		return next, true
	case server && slices.Contains(p.Spec.Containers[0].Command, "-for") && time.Since(p.CreationTimestamp.Time) > 5*time.Second, verb(p) == "fill" && w.evicts:
		dead := status(corev1.PodFailed, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}})
		if verb(p) == "fill" {
			dead.Reason, dead.Message = "Evicted", "it took too much"
		}
		return dead, p.Status.Phase == corev1.PodRunning
	case !server && verb(p) != "fill" && verb(p) != "processors" && p.Status.Phase == corev1.PodRunning:
		return status(corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}), true
	}
	return next, false
}

// give plays the load balancer, the ingress controller and the storage driver.
func (w *world) give(namespace string) {
	ctx := context.Background()
	services := w.k.kube.CoreV1().Services(namespace)
	if open, err := services.Get(ctx, "open", metav1.GetOptions{}); err == nil && w.address != "" {
		open.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: w.address}}
		_, _ = services.UpdateStatus(ctx, open, metav1.UpdateOptions{})
	}
}

// deployed plays the scheduler, a storage driver and an ingress controller until ctx
// ends.
func (w *world) deployed(ctx context.Context) {
	for ctx.Err() == nil {
		pods, err := w.k.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: ours, FieldSelector: "spec.nodeName="})
		for _, p := range pods.Items { // the scheduler's part
			if err == nil && p.DeletionTimestamp == nil {
				_ = w.k.kube.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "b"}}, metav1.CreateOptions{})
			}
		}
		claims, err := w.k.kube.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{LabelSelector: ours})
		for _, c := range claims.Items {
			if err == nil && w.stores && c.Spec.VolumeName == "" {
				_, _ = w.k.kube.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-" + string(c.UID)}, Spec: corev1.PersistentVolumeSpec{
					Capacity: c.Spec.Resources.Requests, AccessModes: c.Spec.AccessModes, StorageClassName: "disks", PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
					ClaimRef:               &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name, UID: c.UID, APIVersion: "v1"},
					PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "disks.example", VolumeHandle: string(c.UID)}},
				}}, metav1.CreateOptions{})
			}
		}
		volumes, err := w.k.kube.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
		for _, v := range volumes.Items {
			if err == nil && v.Status.Phase == corev1.VolumeReleased && v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete {
				_ = w.k.kube.CoreV1().PersistentVolumes().Delete(ctx, v.Name, metav1.DeleteOptions{})
			}
		}
		ingresses, err := w.k.kube.NetworkingV1().Ingresses("").List(ctx, metav1.ListOptions{LabelSelector: ours})
		for _, i := range ingresses.Items {
			if err == nil && w.serves && len(i.Status.LoadBalancer.Ingress) == 0 {
				i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "10.9.9.9"}}
				_, _ = w.k.kube.NetworkingV1().Ingresses(i.Namespace).UpdateStatus(ctx, &i, metav1.UpdateOptions{})
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// log is what ra2-probe prints in a pod; the first time without the last line.
func (w *world) log(p *corev1.Pod, n int) string {
	words := p.Spec.Containers[0].Command[2:]
	var out []string
	line := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			data = []byte(err.Error())
		}
		out = append(out, string(data)+"\n")
	}
	switch verb(p) {
	case "get":
		w.answers(p, n, words, line)
	case "read":
		for _, path := range words {
			volume := strings.Split(path, "/")[1]
			f := file{Path: path, OK: true, Text: p.Namespace + " " + volume}
			if strings.HasPrefix(p.Name, "ra2-reader") && w.forgets {
				f = file{Path: path, Error: "no such file or directory"}
			}
			line(f)
		}
	case "write", "map":
		line(file{Path: words[0], OK: verb(p) == "write" || w.pins, Text: words[1]})
	case "processors":
		pinned := strings.HasPrefix(p.Name, "ra2-pinned")
		switch {
		case w.pins && pinned:
			line(processors{"1-2", []int{0}})
		case w.pins && n > 1: // a moment after the other has got its own
			line(processors{"0-3", []int{0}})
			line(processors{"0,3", []int{0}})
		default:
			line(processors{"0-3", []int{0}})
		}
		return strings.Join(out, "")
	}
	if n == 1 && len(out) > 0 {
		out = out[:len(out)-1]
	}
	return strings.Join(out, "")
}

// answers is what a client was answered.
func (w *world) answers(p *corev1.Pod, n int, words []string, line func(any)) {
	policies, err := w.k.kube.NetworkingV1().NetworkPolicies(p.Namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return
	}
	if n == 1 {
		w.seen[fmt.Sprint(len(policies.Items))]++
	}
	friend := p.Labels["friend"] == "true" && len(policies.Items) == 2
	shut := w.enforces && len(policies.Items) > 0 && !friend && (len(policies.Items) == 2 || w.seen["1"] > 1)
	named := slices.Index(words, "-host")
	for _, arg := range words {
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
		if named >= 0 {
			a.OK, a.Answer.Host = w.serves && (w.all || strings.HasPrefix(words[named+1], "served.")), w.servers["0"]
		}
		if !a.OK {
			a.Error = "i/o timeout"
		}
		line(a)
	}
}
