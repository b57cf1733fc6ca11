package workload

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/apiserver"
)

// TestLiveOnRealServer makes a namespace on a real API server, whose kubelet is a
// server of this test, and judges it.
func TestLiveOnRealServer(t *testing.T) {
	config := apiserver.Start(t)
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "listening") }))
	defer kubelet.Close()
	if _, err := c.Live(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), `look at the namespace shop: `) || !strings.Contains(err.Error(), "not find") {
		t.Errorf("a namespace that isn't there: %v", err)
	}
	fill(t, c, kubelet.Listener.Addr().String())
	w, err := c.Live(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	version, err := c.Version(t.Context())
	if err != nil || !strings.HasPrefix(version, "v1.") {
		t.Errorf("version %q, %v", version, err)
	}
	if w.Version, err = app.ParseVersion(version); err != nil {
		t.Fatal(err)
	}
	if want := "1 pods of 1 controllers, 1 ready, 0 restarts"; w.State() != want {
		t.Errorf("%s, want %s", w.State(), want)
	}
	catalogue, err := ra2.Load()
	if err != nil {
		t.Fatal(err)
	}
	results, err := app.Judge(catalogue, w)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]conform.Verdict{
		"ra2.app.011": conform.Unknown, "ra2.app.025": conform.Fail, "ra2.app.030": conform.Pass, "ra2.app.032": conform.Fail, "ra2.app.036": conform.Pass,
		"ra2.app.037": conform.Fail, "ra2.app.039": conform.Fail, "ra2.app.040": conform.Pass, "ra2.app.042": conform.Fail, "ra2.app.046": conform.Pass, "ra2.app.017": conform.Unknown,
	} {
		for _, r := range results {
			if r.ID == id && r.Verdict != want {
				t.Errorf("%s: %s, want %s: %+v", id, r.Verdict, want, r.Findings)
			}
		}
	}
}

// fill makes a namespace with a workload of one pod, as the controllers and a
// kubelet of a cluster would, on a node whose kubelet listens there.
func fill(t *testing.T, c *Client, kubelet string) {
	t.Helper()
	ctx, core := t.Context(), c.kube.CoreV1()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := netip.MustParseAddrPort(kubelet)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w-a"}}
	made, err := core.Nodes().Create(ctx, node, metav1.CreateOptions{})
	must(made, err)
	made.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: at.Addr().String()}}
	made.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(at.Port())
	made.Status.Images = []corev1.ContainerImage{{Names: []string{"registry.example/web:1"}, SizeBytes: 6e9}}
	must(core.Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{}))
	must(core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{}))
	must(core.Secrets("shop").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: "sh.helm.release.v1.web.v3", Labels: map[string]string{"owner": "helm", "name": "web", "version": "3", "status": "deployed"},
	}}, metav1.CreateOptions{}))
	must(core.ConfigMaps("shop").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}}, metav1.CreateOptions{}))
	must(core.Services("shop").Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}},
	}}, metav1.CreateOptions{}))
	must(core.PersistentVolumes().Create(ctx, &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-1"}, Spec: corev1.PersistentVolumeSpec{
		Capacity: corev1.ResourceList{"storage": resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv"}},
	}}, metav1.CreateOptions{}))
	must(core.PersistentVolumeClaims("shop").Create(ctx, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
		VolumeName: "pv-1", AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("1Gi")}},
	}}, metav1.CreateOptions{}))
	var pod corev1.Pod
	if err := yaml.Unmarshal([]byte(livePod), &pod); err != nil {
		t.Fatal(err)
	}
	status := pod.Status
	running, err := core.Pods("shop").Create(ctx, &pod, metav1.CreateOptions{})
	must(running, err)
	running.Status = status
	must(core.Pods("shop").UpdateStatus(ctx, running, metav1.UpdateOptions{}))
}

// livePod is a pod as its kubelet tells of it.
const livePod = `
metadata: {name: web-1, labels: {app: web}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: s-1, controller: true}]}
spec:
  nodeName: w-a
  containers: [{name: web, image: registry.example/web:1, envFrom: [{configMapRef: {name: settings}}]}]
status:
  phase: Running
  startTime: "2026-11-24T10:00:00Z"
  conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-11-24T10:00:20Z"}]
  containerStatuses:
    - {name: web, ready: true, started: true, image: x, imageID: x, restartCount: 0, state: {running: {startedAt: "2026-11-24T10:00:05Z"}}, user: {linux: {uid: 0, gid: 0}}}
`
