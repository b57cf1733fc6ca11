package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/certs"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// binaries returns the folder with etcd and kube-apiserver, or skips.
func binaries(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("RA2_KUBERNETES_BIN")
	if dir == "" {
		t.Skip("needs real servers: set RA2_KUBERNETES_BIN to a folder with etcd and kube-apiserver")
	}
	return dir
}

// site is one control plane on loopback addresses.
func site(api uint16) inventory.Cluster {
	return inventory.Cluster{
		Name: "edge-17",
		Kubernetes: inventory.Kubernetes{
			Version: kubeadm.Version,
			Endpoint: inventory.Endpoint{
				Host: "api.edge-17.example", Port: api,
				VIPs: []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("::1"), netip.MustParseAddr("192.0.2.1")},
			},
			PodCIDRs:     []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("fd00:17:244::/56")},
			ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd00:17:96::/112")},
		},
		Nodes: []inventory.Node{
			// The first one in the inventory is dead: nothing may depend on it.
			{Name: "cp-dead", ControlPlane: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}},
			{Name: "cp-a", Zone: "a", ControlPlane: true, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
			{Name: "w-a", Worker: true, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.5/8")}},
		},
	}
}

// freePort returns a port that nobody listened on a moment ago.
func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

// start runs etcd and kube-apiserver with the certificates that kubeadm makes
// of pki, and returns a client once they are ready.
func start(t *testing.T) (*Client, *kubernetes.Clientset) {
	bin := binaries(t)
	want := site(freePort(t))
	pki, err := kubeadm.NewPKI(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := certificates(t, want, pki)
	client, err := New(want, pki, rand.Reader, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client.etcdPort = freePort(t)
	etcd := fmt.Sprintf("https://127.0.0.1:%d", client.etcdPort)
	peer := fmt.Sprintf("https://127.0.0.1:%d", freePort(t))
	run(t, filepath.Join(bin, "etcd"), "--name=cp-a", "--data-dir="+t.TempDir(),
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=cp-a="+peer,
		"--cert-file="+dir+"/etcd/server.crt", "--key-file="+dir+"/etcd/server.key", "--trusted-ca-file="+dir+"/etcd/ca.crt", "--client-cert-auth",
		"--peer-cert-file="+dir+"/etcd/peer.crt", "--peer-key-file="+dir+"/etcd/peer.key", "--peer-trusted-ca-file="+dir+"/etcd/ca.crt", "--peer-client-cert-auth")
	run(t, filepath.Join(bin, "kube-apiserver"), "--advertise-address=10.17.0.11", "--secure-port="+strconv.Itoa(int(want.Kubernetes.Endpoint.Port)),
		"--authorization-mode=Node,RBAC", "--client-ca-file="+dir+"/ca.crt", "--enable-bootstrap-token-auth=true",
		"--disable-admission-plugins=ServiceAccount", // there is no controller that makes the account
		"--etcd-cafile="+dir+"/etcd/ca.crt", "--etcd-certfile="+dir+"/apiserver-etcd-client.crt", "--etcd-keyfile="+dir+"/apiserver-etcd-client.key", "--etcd-servers="+etcd,
		"--kubelet-client-certificate="+dir+"/apiserver-kubelet-client.crt", "--kubelet-client-key="+dir+"/apiserver-kubelet-client.key",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+dir+"/sa.pub", "--service-account-signing-key-file="+dir+"/sa.key",
		"--service-cluster-ip-range=10.96.0.0/16,fd00:17:96::/112",
		"--tls-cert-file="+dir+"/apiserver.crt", "--tls-private-key-file="+dir+"/apiserver.key")
	return client, admin(t, client, pki)
}

// certificates lays pki and lets kubeadm make the rest, as its phase "certs
// all" does.
func certificates(t *testing.T, want inventory.Cluster, pki kubeadm.PKI) string {
	t.Helper()
	node := want.Nodes[1]
	node.Addresses = []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")} // kubeadm refuses loopback ones
	config, err := kubeadm.Init(kubeadm.Input{Cluster: want, Node: node, Token: secret.New("abcdef.0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	read, err := configutil.BytesToInitConfiguration(config, true)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range pki.Files() {
		path := filepath.Join(dir, strings.TrimPrefix(f.Path, "/etc/kubernetes/pki"))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, os.FileMode(f.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	read.CertificatesDir = dir
	if err := certs.CreatePKIAssets(read); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run starts a program that ends with the test; what it said is shown when the
// test fails.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s said last: ...%s", filepath.Base(program), text[max(0, len(text)-2000):])
		}
	})
}

// admin waits until the API server is ready and binds the administrators'
// group, as kubeadm does with its super-admin.
func admin(t *testing.T, c *Client, pki kubeadm.PKI) *kubernetes.Clientset {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for c.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			t.Fatal(c.Ready(t.Context()))
		case <-time.After(300 * time.Millisecond):
		}
	}
	super := &Client{want: c.want, ca: c.ca}
	var err error
	if super.api, err = pki.CA.Client(rand.Reader, time.Now(), "super", "system:masters"); err != nil {
		t.Fatal(err)
	}
	s, err := super.build(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.want.Kubernetes.Endpoint.Port))
	if err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: kubeadm.AdminGroup},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: kubeadm.AdminGroup}},
	}
	if _, err := s.client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return s.client
}

func TestRealServers(t *testing.T) {
	c, super := start(t)
	t.Run("look", func(t *testing.T) { testLook(t, c, super) })
	t.Run("apply", func(t *testing.T) { testApply(t, c, super) })
	t.Run("token", func(t *testing.T) { testToken(t, c) })
	t.Run("forget", func(t *testing.T) { testForget(t, c, super) })
	t.Run("reach", func(t *testing.T) { testReach(t, c, super) })
}

// makeNode makes a node object as its kubelet would; kubelet is the address of
// a server that plays the kubelet.
func makeNode(t *testing.T, super *kubernetes.Clientset, name, kubelet string, ready corev1.ConditionStatus) {
	t.Helper()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			kubeadm.LabelImage: "1111111111111111", kubeadm.LabelGeneration: "2222222222222222", kubeadm.LabelZone: "a",
		}},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: ready, Reason: "KubeletNotReady", Message: "cni plugin not initialized",
		}}},
	}
	if at, err := netip.ParseAddrPort(kubelet); err == nil {
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: at.Addr().String()}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(at.Port())
	}
	made, err := super.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = node.Status
	if _, err := super.CoreV1().Nodes().UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func testLook(t *testing.T, c *Client, super *kubernetes.Clientset) {
	makeNode(t, super, "w-a", "", corev1.ConditionFalse)
	makeNode(t, super, "cp-a", "", corev1.ConditionTrue)
	renewed := metav1.NewMicroTime(time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC))
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "cp-a"}, Spec: coordinationv1.LeaseSpec{RenewTime: &renewed}}
	if _, err := super.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(t.Context(), lease, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	seen, nodes := c.Look(t.Context())
	if !seen.Answers || seen.Err != "" || seen.EtcdMembers != 1 || seen.EtcdHealthy != 1 {
		t.Errorf("the cluster: %+v", seen)
	}
	for vip, want := range map[string]bool{"127.0.0.2": true, "::1": true, "192.0.2.1": false} {
		if got := seen.VIPs[netip.MustParseAddr(vip)]; got != want {
			t.Errorf("%s answers: %v", vip, got)
		}
	}
	w, cp, dead := nodes["w-a"], nodes["cp-a"], nodes["cp-dead"]
	if w.Ready || !strings.Contains(w.NotReady, "KubeletNotReady: cni plugin not initialized") || w.Generation != "2222222222222222" || w.Zone != "a" {
		t.Errorf("w-a: %+v", w)
	}
	if !cp.Renewed.Equal(renewed.Time) || !w.Renewed.IsZero() {
		t.Errorf("Leases: cp-a %v, w-a %v", cp.Renewed, w.Renewed)
	}
	if !cp.Ready || !cp.EtcdVoter || cp.NotReady != "" {
		t.Errorf("cp-a: %+v", cp)
	}
	if !dead.Known || dead.Exists {
		t.Errorf("cp-dead: %+v", dead)
	}
}

const object = `apiVersion: v1
kind: Namespace
metadata: {name: probe}
---
---
apiVersion: v1
kind: ConfigMap
metadata: {name: x, namespace: probe}
data: {a: "1"}
`

func testApply(t *testing.T, c *Client, super *kubernetes.Clientset) {
	if digest, err := c.AppliedDigest(t.Context()); digest != "" || err != nil {
		t.Errorf("before: %q, %v", digest, err)
	}
	// An apply that ends halfway records nothing.
	broken := object + "---\napiVersion: v1\nkind: Nonsense\nmetadata: {name: none}\n"
	if err := c.Apply(t.Context(), []byte(broken), "sha256:broken"); err == nil || !strings.Contains(err.Error(), "apply Nonsense none") {
		t.Errorf("nonsense: %v", err)
	}
	if digest, _ := c.AppliedDigest(t.Context()); digest != "" {
		t.Errorf("a broken apply recorded %q", digest)
	}
	for i, digest := range []string{"sha256:one", "sha256:one", "sha256:two"} {
		text := strings.Replace(object, `"1"`, fmt.Sprintf(`"%d"`, i), 1)
		if err := c.Apply(t.Context(), []byte(text), digest); err != nil {
			t.Fatal(err)
		}
		if got, err := c.AppliedDigest(t.Context()); got != digest || err != nil {
			t.Errorf("recorded %q, %v", got, err)
		}
	}
	if err := c.Remember(t.Context(), "team"); err != nil {
		t.Fatal(err)
	}
	if seen, _ := c.Look(t.Context()); seen.Objects != "sha256:two" || seen.Verified != "team" {
		t.Errorf("recorded %q and %q", seen.Objects, seen.Verified)
	}
	x, err := super.CoreV1().ConfigMaps("probe").Get(t.Context(), "x", metav1.GetOptions{})
	if err != nil || x.Data["a"] != "2" {
		t.Errorf("%v, %v", x.Data, err)
	}
}

// The token is a user of the cluster: the API server itself says so.
func testToken(t *testing.T, c *Client) {
	token, err := c.CreateBootstrapToken(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := *s.config
	config.CertData, config.KeyData, config.BearerToken = nil, nil, token.Reveal()
	joining := kubernetes.NewForConfigOrDie(&config)
	_, err = joining.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err == nil || !strings.Contains(err.Error(), `User "system:bootstrap:`+token.Reveal()[:6]+`" cannot list`) {
		t.Errorf("the API server takes the token for: %v", err)
	}
}

func testForget(t *testing.T, c *Client, super *kubernetes.Clientset) {
	client, err := c.etcdClient(c.etcdEndpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.MemberAddAsLearner(t.Context(), []string{"https://192.0.2.9:2380"}); err != nil {
		t.Fatal(err)
	}
	if members, err := c.Etcd(t.Context()); err != nil || len(members) != 2 || members[0].Voter() || !members[1].Voter() || members[0].Err != "it has never started" {
		t.Fatalf("%+v, %v", members, err)
	}
	makeNode(t, super, "cp-dead", "", corev1.ConditionUnknown)
	removed, err := c.Forget(t.Context(), c.want.Nodes[0])
	if err != nil || len(removed) != 2 || !strings.Contains(removed[0], "192.0.2.9:2380") || removed[1] != "node object cp-dead" {
		t.Errorf("removed %q, %v", removed, err)
	}
	if removed, err := c.Forget(t.Context(), c.want.Nodes[0]); err != nil || len(removed) != 0 {
		t.Errorf("again: removed %q, %v", removed, err)
	}
	// The last member is never removed.
	if removed, err := c.Forget(t.Context(), c.want.Nodes[1]); err == nil || !strings.Contains(err.Error(), "no majority") || len(removed) != 0 {
		t.Errorf("the last member: removed %q, %v", removed, err)
	}
}

// testReach plays the two kubelets: it gives pods their addresses, ends the
// client, and serves its log.
func testReach(t *testing.T, c *Client, super *kubernetes.Clientset) {
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "asked for %s\n", strings.Join(strings.Split(r.URL.Path, "/")[:3], "/"))
	}))
	defer kubelet.Close()
	// A ready control plane is there as well; workers are preferred.
	label := []byte(`{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`)
	if _, err := super.CoreV1().Nodes().Patch(t.Context(), "cp-a", types.MergePatchType, label, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node-1", "node-2"} {
		makeNode(t, super, name, kubelet.Listener.Addr().String(), corev1.ConditionTrue)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	watcher, err := super.CoreV1().Pods(metav1.NamespaceSystem).Watch(ctx, metav1.ListOptions{LabelSelector: probeLabel})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	placed := make(chan string, 2) // the nodes on which pods were made
	go func() {
		for e := range watcher.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok || pod.Status.Phase != corev1.PodPending || e.Type != "ADDED" {
				continue
			}
			placed <- pod.Spec.NodeName
			pod.Status.Phase = corev1.PodSucceeded
			if pod.Labels[probeLabel] == "server" {
				pod.Status.Phase = corev1.PodRunning
				pod.Status.PodIPs = []corev1.PodIP{{IP: "10.244.1.2"}, {IP: "fd00:17:244:1::2"}}
				pod.Status.PodIP = "10.244.1.2"
			}
			_, _ = super.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		}
	}()
	evidence, err := c.Reach(ctx)
	if err != nil || len(evidence) != 1 || evidence[0] != "pod on node-1 to pod on node-2: asked for /containerLogs/kube-system" {
		t.Errorf("%q, %v", evidence, err)
	}
	if a, b := <-placed, <-placed; a == b {
		t.Errorf("both pods were on %s", a)
	}
	left, err := super.CoreV1().Pods(metav1.NamespaceSystem).List(t.Context(), metav1.ListOptions{LabelSelector: probeLabel})
	if err != nil || len(left.Items) != 0 {
		t.Errorf("%d pods are left, %v", len(left.Items), err)
	}
}
