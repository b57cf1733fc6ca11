package verify

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/replay"
)

// rich is a snapshot with something of everything that the API tells.
func rich(t *testing.T) conform.Snapshot {
	t.Helper()
	s := mutate.Conformant()
	s.HelmReleases = []conform.HelmRelease{{Namespace: "cnf", Name: "upf", Revision: "1", Status: "deployed"}}
	return s
}

// asks returns a cluster that a server stands for. Requests are not paced by
// the clock: that is another test's matter.
func asks(t *testing.T, h http.Handler) *Cluster {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := OpenConfig(&rest.Config{Host: server.URL}, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// same compares two parts of snapshots as JSON.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	a, err1 := json.Marshal(got)
	b, err2 := json.Marshal(want)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("%s: got %.300s, want %.300s", what, a, b)
	}
}

// TestSnapshot takes a snapshot, in pages of two, of a server that has another
// one: nothing is lost or invented, and each list is asked once.
func TestSnapshot(t *testing.T) {
	want := rich(t)
	server, err := replay.New(want)
	if err != nil {
		t.Fatal(err)
	}
	server.Page = 2
	c := asks(t, server)
	got, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Missing) > 0 {
		t.Errorf("missing: %v", got.Missing)
	}
	same(t, "version", got.Server, want.Server)
	same(t, "nodes", got.Nodes, want.Nodes)
	same(t, "pods", got.Pods, want.Pods)
	same(t, "daemonsets", got.DaemonSets, want.DaemonSets)
	same(t, "kubelets", got.Kubelets, want.Kubelets)
	same(t, "config", got.Config, want.Config)
	same(t, "custom types", got.CustomTypes, want.CustomTypes)
	same(t, "API services", got.APIServices, want.APIServices)
	same(t, "releases", got.HelmReleases, want.HelmReleases)
	same(t, "served", len(got.Served), len(want.Served))
	for _, name := range conform.CustomResources() {
		if !got.Has(conform.CustomOf(name)) || len(got.Custom[name]) != len(want.Custom[name]) {
			t.Errorf("%s: %d of %d", name, len(got.Custom[name]), len(want.Custom[name]))
		}
	}
	seen := server.Seen()
	if len(seen) != c.Asked() {
		t.Errorf("%d requests came and %d are counted", len(seen), c.Asked())
	}
	slices.Sort(seen)
	if once := slices.Compact(slices.Clone(seen)); len(once) != len(seen) {
		t.Errorf("something was asked twice: %d of %d", len(seen)-len(once), len(seen))
	}
	for _, r := range seen {
		if !strings.HasPrefix(r, "GET ") {
			t.Errorf("it sent %s", r)
		}
		if strings.Contains(r, "/secrets") && !strings.Contains(r, "helm.sh") {
			t.Errorf("it asked for Secrets of others: %s", r)
		}
	}
}

// TestMissing takes snapshots of servers that don't tell everything.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*replay.Server)
		part    conform.Part
		why     string
		missing int
	}{
		{"not allowed", func(r *replay.Server) { r.Deny = []string{"/api/v1/pods"} }, conform.Pods, `not allowed: /api/v1/pods is forbidden: User "auditor" cannot get it`, 1},
		{"an expired page is no list", func(r *replay.Server) { r.Page, r.Break["/api/v1/pods"] = 5, 1 }, conform.Pods, "failed: GET ", 1},
		{"a kubelet that may not be asked", func(r *replay.Server) { r.Deny = []string{"/api/v1/nodes/cp-a/proxy"} }, conform.KubeletOf("cp-a"), "not allowed: ", 1},
		{"no definitions, so no custom resources", func(r *replay.Server) { r.Deny = []string{"/apis/apiextensions.k8s.io"} }, conform.CustomOf("bgppeers.metallb.io"), "customTypes: not allowed: ", 1 + len(conform.CustomResources())},
		{"the version", func(r *replay.Server) { r.Deny = []string{"/version"} }, conform.Server, "not allowed: ", 1},
	} {
		server, err := replay.New(rich(t))
		if err != nil {
			t.Fatal(err)
		}
		c.change(server)
		s, err := asks(t, server).Snapshot(t.Context())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if s.Has(c.part) || !strings.HasPrefix(s.Missing[c.part], c.why) || len(s.Missing) != c.missing {
			t.Errorf("%s: %v", c.name, s.Missing)
		}
	}
}

// TestUnreachable wants an error, and no snapshot in which all is missing.
func TestUnreachable(t *testing.T) {
	c := asks(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	if _, err := c.Snapshot(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, err := replay.New(rich(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asks(t, server).Snapshot(ctx); err == nil {
		t.Error("a run that was ended has a snapshot")
	}
}

// TestSilentNode wants that a node which nobody has heard of isn't asked.
func TestSilentNode(t *testing.T) {
	want := rich(t)
	want.Nodes[0].Status.Conditions[0].Status = "Unknown"
	server, err := replay.New(want)
	if err != nil {
		t.Fatal(err)
	}
	s, err := asks(t, server).Snapshot(t.Context())
	if err != nil || !strings.Contains(s.Missing[conform.KubeletOf("cp-a")], "has not been heard of") {
		t.Errorf("%v, %v", err, s.Missing)
	}
	if slices.ContainsFunc(server.Seen(), func(r string) bool { return strings.Contains(r, "/nodes/cp-a/proxy") }) {
		t.Error("it was asked")
	}
}

// TestPace takes a snapshot through a clock that isn't real: less than five
// requests in each second, and less than a minute for a small cluster.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := replay.New(rich(t))
		if err != nil {
			t.Fatal(err)
		}
		var times []time.Time
		c, err := OpenConfig(&rest.Config{Host: "http://cluster.example", Transport: transport(func(r *http.Request) (*http.Response, error) {
			times = append(times, time.Now())
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			return w.Result(), nil
		})}, PerSecond)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		for i := range times {
			within := 0
			for _, later := range times[i:] {
				if later.Sub(times[i]) < time.Second {
					within++
				}
			}
			if within > 4 {
				t.Fatalf("%d requests within a second", within)
			}
		}
	})
}

// TestMute wants that a server which stops answering after ten requests is left
// alone after three more, and that what it told before is kept.
func TestMute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := replay.New(rich(t))
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		c, err := OpenConfig(&rest.Config{Host: "http://cluster.example", Transport: transport(func(r *http.Request) (*http.Response, error) {
			if sent++; sent > 10 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			return w.Result(), nil
		})}, PerSecond)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s, err := c.Snapshot(t.Context())
		if took := time.Since(began); err != nil || sent != 10+patience || took > 2*time.Minute {
			t.Errorf("%v, %d requests in %v", err, sent, took)
		}
		if !s.Has(conform.Nodes) || s.Has(conform.Served) || s.Missing[conform.Served] != errMute.Error() || s.Has(conform.KubeletOf("cp-a")) {
			t.Errorf("told %v, missing %v", s.Told, s.Missing)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestScrub wants that what looks like a secret is not kept.
func TestScrub(t *testing.T) {
	item := `{"metadata":{"name":"x","managedFields":[{}],"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"password\":\"hunter2\"}","a":"b"}},
		"spec":{"password":"hunter2","passwordSecret":{"name":"bgp"},"secretName":"tls","peerAddress":"10.0.0.1",
		"containers":[{"env":[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"MODE","value":"fast"}],"args":["--token=hunter2","--v=2"]}]}}`
	got, err := scrubbed([]byte(item))
	if err != nil || strings.Contains(string(got), "hunter2") || strings.Contains(string(got), "managedFields") {
		t.Errorf("%s, %v", got, err)
	}
	for _, kept := range []string{`"secretName":"tls"`, `"name":"bgp"`, `"peerAddress":"10.0.0.1"`, `"value":"fast"`, `"--v=2"`, `"a":"b"`} {
		if !strings.Contains(string(got), kept) {
			t.Errorf("%s is gone from %s", kept, got)
		}
	}
}

// TestKubeconfig wants an error that names the file.
func TestKubeconfig(t *testing.T) {
	path := t.TempDir() + "/none"
	if _, err := Open(path, PerSecond); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, PerSecond); err == nil || !strings.Contains(err.Error(), "read the kubeconfig") {
		t.Errorf("%v", err)
	}
}

// TestEnded wants a kubeconfig of which the user's certificate has ended to be
// refused, with the day on which it did.
func TestEnded(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	own := server.TLS.Certificates[0].Certificate[0]
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own})
	ends := server.Certificate().NotAfter
	for _, c := range []struct {
		file []byte
		now  time.Time
		want bool
	}{{file, ends.Add(-time.Hour), false}, {file, ends.Add(time.Hour), true}, {nil, ends.Add(time.Hour), false}, {[]byte("x"), ends.Add(time.Hour), false}} {
		if err := ended(c.file, c.now); (err != nil) != c.want || err != nil && !strings.Contains(err.Error(), ends.UTC().Format(time.DateOnly)) {
			t.Errorf("%v: %v", c.now, err)
		}
	}
}
