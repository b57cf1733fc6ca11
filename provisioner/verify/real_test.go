package verify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/apiserver"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/replay"
)

// take takes a snapshot as the user of a token, and returns all that the
// server answered.
func take(t *testing.T, config *rest.Config, token string) (conform.Snapshot, []byte) {
	t.Helper()
	var answers bytes.Buffer
	c := rest.CopyConfig(config)
	c.BearerToken = token
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(r)
			if err == nil {
				body, _ := io.ReadAll(res.Body)
				answers.Write(body)
				res.Body = io.NopCloser(bytes.NewReader(body))
			}
			return res, err
		})
	})
	cluster, err := OpenConfig(c, 1000)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, answers.Bytes()
}

// verdict judges a snapshot by one row.
func verdict(t *testing.T, s conform.Snapshot, id string) conform.Result {
	t.Helper()
	rows, err := conform.Rows()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r conform.Row) bool { return r.ID == id })
	return conform.Judge(rows[i:i+1], s)[0]
}

// TestRealServer takes snapshots of a real API server: everything is told to
// its administrator, nothing of a Secret's content is, and a user without
// rights gets a snapshot that says so.
func TestRealServer(t *testing.T) {
	config := apiserver.Start(t)
	client := kubernetes.NewForConfigOrDie(config)
	populate(t, client)
	s, answers := take(t, config, apiserver.Admin)
	if len(s.Missing) > 0 {
		t.Errorf("missing: %v", s.Missing)
	}
	if bytes.Contains(answers, []byte("bm90IHRvIGJlIHJlYWQ=")) || len(s.HelmReleases) != 1 || s.HelmReleases[0] != (conform.HelmRelease{Namespace: "cnf", Name: "upf", Revision: "1", Status: "deployed"}) {
		t.Errorf("the content of a Secret was read, or its labels were not: %v", s.HelmReleases)
	}
	if k := s.Kubelets["worker-a"]; k.ReservedSystemCPUs != "0,40" {
		t.Errorf("the kubelet's configuration: %+v", k)
	}
	if len(s.Custom["bgppeers.metallb.io"]) != 1 || s.Custom["bgppeers.metallb.io"][0].Text("spec", "password") != conform.Redacted {
		t.Errorf("the peers: %v", s.Custom["bgppeers.metallb.io"])
	}
	few, _ := take(t, config, apiserver.Auditor)
	if !few.Has(conform.Server) || few.Has(conform.Nodes) || few.Missing[conform.Nodes] != `not allowed: nodes is forbidden: User "auditor" cannot list resource "nodes" in API group "" at the cluster scope` {
		t.Errorf("%v", few.Missing)
	}
	for _, row := range []string{"ra2.k8s.003", "ra2.stg.007", "ra2.k8s.012b"} {
		if r := verdict(t, few, row); r.Verdict != conform.Unknown {
			t.Errorf("%s of who may not see it: %s", row, r.Verdict)
		}
	}
	t.Run("replay", func(t *testing.T) { replayed(t, s) })
	t.Run("evidence", func(t *testing.T) { seenAgain(t, config, s) })
	t.Run("mutations", func(t *testing.T) { testMutations(t, config, client) })
}

// replayed compares what the replaying server of other tests says with what
// the real one said.
func replayed(t *testing.T, s conform.Snapshot) {
	server, err := replay.New(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := asks(t, server).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "nodes", again.Nodes, s.Nodes)
	same(t, "custom resources", again.Custom, s.Custom)
	same(t, "definitions", again.CustomTypes, s.CustomTypes)
	same(t, "API services", again.APIServices, s.APIServices)
	same(t, "missing", again.Missing, s.Missing)
	for _, g := range s.Served {
		if !slices.ContainsFunc(again.Served, func(o conform.GroupVersion) bool { return o.String() == g.String() }) {
			t.Errorf("%s is lost", g)
		}
	}
}

// seenAgain runs the command of each evidence, as a reader would, and wants an
// answer.
func seenAgain(t *testing.T, config *rest.Config, s conform.Snapshot) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl isn't installed: nobody sees the evidence again")
	}
	ran := map[string]bool{}
	for _, r := range judged(t, s).Rows {
		for _, f := range r.Findings {
			for _, e := range f.Evidence {
				args, ok := strings.CutPrefix(e.Command, "kubectl ")
				if kind := strings.Split(e.Object, "/")[0]; !ok || ran[kind+e.Path] {
					continue // one node stands for all
				}
				ran[strings.Split(e.Object, "/")[0]+e.Path] = true
				line := fmt.Sprintf("%s --server %s --token %s --insecure-skip-tls-verify %s", kubectl, config.Host, apiserver.Admin, args)
				if out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v: %s", r.ID, e.Command, err, out)
				}
			}
		}
	}
	if len(ran) < 30 {
		t.Errorf("only %d commands were tried", len(ran))
	}
}

const peers = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"bgppeers.metallb.io"},
	"spec":{"group":"metallb.io","scope":"Namespaced","names":{"plural":"bgppeers","singular":"bgppeer","kind":"BGPPeer","listKind":"BGPPeerList"},
	"versions":[{"name":"v1beta2","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

const peer = `{"apiVersion":"metallb.io/v1beta2","kind":"BGPPeer","metadata":{"name":"tor","namespace":"cnf"},"spec":{"peerAddress":"10.17.0.1","password":"hunter2"}}`

// populate makes objects of all kinds that a row of the mutations below needs.
func populate(t *testing.T, client *kubernetes.Clientset) {
	t.Helper()
	kubelet := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/configz" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"kubeletconfig":{"reservedSystemCPUs":"0,40","cpuManagerPolicy":"static"}}`)
	}))
	kubelet.Listener = outside(t)
	kubelet.StartTLS()
	t.Cleanup(kubelet.Close)
	ctx, want := t.Context(), mutate.Conformant()
	for i := range want.Nodes {
		n := want.Nodes[i]
		at := netip.MustParseAddrPort(kubelet.Listener.Addr().String())
		n.Status.Addresses = append([]corev1.NodeAddress{{Type: corev1.NodeHostName, Address: at.Addr().String()}}, n.Status.Addresses...)
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(at.Port())
		n.Spec.PodCIDR = n.Spec.PodCIDRs[0]
		made := must(client.CoreV1().Nodes().Create(ctx, &n, metav1.CreateOptions{}))(t)
		made.Status = n.Status
		must(client.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{}))(t)
	}
	must(client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cnf"}}, metav1.CreateOptions{}))(t)
	must(client.NetworkingV1().IngressClasses().Create(ctx, &want.IngressClasses[0], metav1.CreateOptions{}))(t)
	must(client.StorageV1().StorageClasses().Create(ctx, &want.StorageClasses[0], metav1.CreateOptions{}))(t)
	must(client.CoreV1().Secrets("cnf").Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "sh.helm.release.v1.upf.v1", Labels: map[string]string{"owner": "helm", "name": "upf", "version": "1", "status": "deployed"}},
		Type:       "helm.sh/release.v1", Data: map[string][]byte{"release": []byte("not to be read")},
	}, metav1.CreateOptions{}))(t)
	post(t, client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", peers)
	post(t, client, "/apis/metallb.io/v1beta2/namespaces/cnf/bgppeers", peer)
}

// outside listens on an address of this machine that is no loopback: the API
// server is proxy to no kubelet there.
func outside(t *testing.T) net.Listener {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		if l, err := net.Listen("tcp", netip.AddrPortFrom(p.Addr(), 0).String()); err == nil {
			return l
		}
	}
	t.Skip("this machine has no address but loopback, where an API server is proxy to no kubelet")
	return nil
}

// must returns what a request gave, or ends the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// post makes an object; one of a type that was just defined is served a moment
// later.
func post(t *testing.T, client *kubernetes.Clientset, path, object string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, err := client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body([]byte(object)).DoRaw(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("POST %s: %v", path, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// testMutations breaks rows on the real server, one after the other, and wants
// the verdict to turn to fail, and back when it is mended.
func testMutations(t *testing.T, config *rest.Config, client *kubernetes.Clientset) {
	label := func(node, patch string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			return err
		}
	}
	class := func(patch string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.StorageV1().StorageClasses().Patch(ctx, "fast", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			return err
		}
	}
	for _, c := range []struct {
		row, name    string
		broken, mend func(context.Context) error
	}{
		{"ra2.k8s.003", "a zone of workers alone", label("cp-b", `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":null}}}`), label("cp-b", `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`)},
		{"ra2.k8s.004", "a worker is cordoned", label("worker-c", `{"spec":{"unschedulable":true}}`), label("worker-c", `{"spec":{"unschedulable":null}}`)},
		{"ra2.k8s.011", "a label is removed", label("worker-a", `{"metadata":{"labels":{"profile.anuket.io/basic":null}}}`), label("worker-a", `{"metadata":{"labels":{"profile.anuket.io/basic":"true"}}}`)},
		{"ra2.stg.007", "no default class", class(`{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"false"}}}`), class(`{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}}`)},
		{"ra2.pkg.001", "Tiller", func(ctx context.Context) error {
			_, err := client.CoreV1().Pods("cnf").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "tiller"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "t", Image: "gcr.io/kubernetes-helm/tiller:v2.17.0"}}}}, metav1.CreateOptions{})
			return err
		}, func(ctx context.Context) error {
			now := int64(0)
			return client.CoreV1().Pods("cnf").Delete(ctx, "tiller", metav1.DeleteOptions{GracePeriodSeconds: &now})
		}},
	} {
		for _, step := range []struct {
			do   func(context.Context) error
			want conform.Verdict
		}{{nil, conform.Pass}, {c.broken, conform.Fail}, {c.mend, conform.Pass}} {
			if step.do != nil {
				if err := step.do(t.Context()); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			s, _ := take(t, config, apiserver.Admin)
			if r := verdict(t, s, c.row); r.Verdict != step.want {
				t.Errorf("%s, %s: %s, want %s: %+v", c.row, c.name, r.Verdict, step.want, r.Findings)
			}
		}
	}
}

// TestRealAlpha starts an API server that was asked for alpha and beta APIs and
// for one family, and one that wasn't.
func TestRealAlpha(t *testing.T) {
	for _, c := range []struct {
		flags []string
		want  conform.Verdict
	}{
		{nil, conform.Pass},
		{[]string{"--runtime-config=api/alpha=true,api/beta=true", "--service-cluster-ip-range=10.96.0.0/16"}, conform.Fail},
	} {
		s, _ := take(t, apiserver.Start(t, c.flags...), apiserver.Admin)
		for _, id := range []string{"ra2.k8s.012b", "ra2.k8s.019"} {
			if r := verdict(t, s, id); r.Verdict != c.want {
				t.Errorf("%v: %s: %s, want %s: %+v", c.flags, id, r.Verdict, c.want, r.Findings)
			}
		}
		if r := verdict(t, s, "ra2.k8s.013"); r.Verdict != conform.Pass {
			t.Errorf("%v: %+v", c.flags, r.Findings)
		}
		if r := verdict(t, s, "ra2.k8s.010"); (r.Findings[0].Verdict == conform.Pass) != (c.want == conform.Pass) {
			t.Errorf("%v: %+v", c.flags, r.Findings[0])
		}
	}
}
