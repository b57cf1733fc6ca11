package conform

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

func TestJudge(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	found := func(v ...Verdict) func(Snapshot) []Finding {
		return func(Snapshot) []Finding {
			var all []Finding
			for _, v := range v {
				all = append(all, Finding{Verdict: v, Subject: "node/a"})
			}
			return all
		}
	}
	waived := func(until time.Time, nodes ...string) *inventory.Cluster {
		return &inventory.Cluster{Waivers: []inventory.Waiver{{Requirement: "ra2.k8s.012", Nodes: nodes, Reason: "agreed", Until: until}}}
	}
	for _, c := range []struct {
		name  string
		check func(Snapshot) []Finding
		want  *inventory.Cluster
		told  bool
		is    Verdict
		says  string
	}{
		{"passes", found(Pass, NotApplicable), nil, true, Pass, ""},
		{"one of many fails", found(Pass, Fail, Unknown), nil, true, Fail, ""},
		{"unknown is not pass", found(Pass, Unknown), nil, true, Unknown, ""},
		{"nothing was looked at", found(), nil, true, Unknown, "nothing in this cluster"},
		{"a part is missing", found(Pass), nil, false, Unknown, "pods: not allowed: pods is forbidden"},
		{"waived", found(Pass, Fail), waived(day(1)), true, Waived, ""},
		{"waived for this node", found(Fail), waived(day(1), "a"), true, Waived, ""},
		{"waived for another node", found(Fail), waived(day(1), "b"), true, Fail, ""},
		{"its waiver ended", found(Fail), waived(day(-1)), true, Fail, "its waiver ended on 2026-11-23"},
		{"an unknown can be waived", found(Unknown), waived(day(1)), true, Waived, ""},
		{"a pass is not waived", found(Pass), waived(day(1)), true, Pass, ""},
	} {
		s := Snapshot{Ended: at, Told: map[Part]time.Time{}, Missing: map[Part]string{Pods: "not allowed: pods is forbidden"}, Want: c.want}
		if c.told {
			s.Told[Pods] = at
		}
		got := Judge([]Row{{ID: "ra2.k8s.012a", Check: c.check, Needs: []Part{Pods}}}, s)[0]
		said := ""
		for _, f := range got.Findings {
			said += f.Do + strings.Join(f.Missing, "; ")
		}
		if got.Verdict != c.is || !strings.Contains(said, c.says) {
			t.Errorf("%s: %s, %q", c.name, got.Verdict, said)
		}
	}
}

func TestEvidence(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := Snapshot{Told: map[Part]time.Time{Nodes: at}}
	e := s.saw(Nodes, "node/cp-a", labelPath("topology.kubernetes.io/zone"), "a")
	if e.Command != `kubectl get node/cp-a -o jsonpath='{.metadata.labels.topology\.kubernetes\.io/zone}'` || !e.Time.Equal(at) {
		t.Errorf("%+v", e)
	}
	for object, want := range map[string]string{
		"GET /version":         "kubectl get --raw '/version'",
		"daemonsets":           "kubectl get daemonsets -A",
		"pod/kube-system/etcd": "kubectl get -n kube-system pod/etcd",
	} {
		if got := Kubectl(object, ""); got != want {
			t.Errorf("%s: %s", object, got)
		}
	}
	for object, want := range map[string]string{
		"GET /apis": "kubectl get --raw '/apis' | jq '.groups[].name'", "node/$(a'b)": "kubectl get 'node/$(a'\\''b)' -o jsonpath='{.groups[*].name}'",
	} {
		if got := Kubectl(object, ".groups[*].name"); got != want {
			t.Errorf("%s: %s", object, got)
		}
	}
	long := Trim(strings.Repeat("é", maxValue))
	if len(long) > maxValue+40 || !strings.HasSuffix(long, "… (800 bytes in all)") || strings.ContainsRune(long, '\uFFFD') {
		t.Errorf("%q", long)
	}
}

func TestRedact(t *testing.T) {
	for _, secret := range []string{
		"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMHcCAQEE",
		"Authorization: Bearer abcdefgh.1234", "--token=MHcCAQEE", `{"password": "MHcCAQEE x"}`, "https://user:MHcCAQEE@host/",
		"--password MHcCAQEE", `["--token", "MHcCAQEE"]`, `{\"secretKey\":\"MHcCAQEE\"}`, "aws_secret_access_key = MHcCAQEE", `{"auth":"MHcCAQEE"}`,
		"eyJhbGciOiJSUzI1NiJ9.MHcCAQEE.xyz", "abcdef.0123456789abcdef", "client-key-data: MHcCAQEE",
	} {
		if got := Redact("before " + secret + " after"); strings.Contains(got, "MHcCAQEE") || strings.Contains(got, "0123456789abcdef") || strings.Contains(got, "abcdefgh.1234") || !strings.HasPrefix(got, "before ") {
			t.Errorf("%q becomes %q", secret, got)
		}
	}
	for _, plain := range []string{"kube-apiserver --authorization-mode=Node,RBAC", "sha256:0123456789abcdef", "v1.37.2",
		"--token-auth-file=/etc/x", "secretName: tls", "--service-account-key-file /etc/kubernetes/pki/sa.pub", "--enable-bootstrap-token-auth=true", "password: true"} {
		if got := Redact(plain); got != plain {
			t.Errorf("%q becomes %q", plain, got)
		}
	}
}

// TestDetect names images that are a product, and some that only look like one.
func TestDetect(t *testing.T) {
	for image, want := range map[string]string{
		"docker.io/flannel/flannel:v0.28.10": "flannel", "registry.example:5000/mirror/calico/node:v3@sha256:aa": "Calico", "quay.io/metallb/speaker:v0.16.2": "MetalLB",
		"ghcr.io/k8snetworkplumbingwg/multus-cni": "Multus", "example/node:v1": "", "example/speaker": "", "shop/controller:v2": "", "registry.k8s.io/ingress-nginx/controller:v1": "ingress-nginx",
	} {
		got := ""
		for _, p := range products() {
			if p.is(image) {
				got = p.name
			}
		}
		if got != want {
			t.Errorf("%s is %q, want %q", image, got, want)
		}
	}
	for resource, want := range map[string]bool{"intel.com/intel_sriov_netdevice": true, "openshift.io/vf_pool": true, "nvidia.com/gpu": false, "intel.com/fpga-af": false} {
		if networkPool.MatchString(resource) != want {
			t.Errorf("%s is a pool of virtual functions: %v", resource, !want)
		}
	}
}

// FuzzTrim wants a line that is short and whole, in which nothing is redacted
// twice.
func FuzzTrim(f *testing.F) {
	f.Add("--token=abc def\npassword: x")
	f.Add(strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, value string) {
		got := Trim(value)
		if len(got) > maxValue+40 || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r") {
			t.Errorf("%q becomes %q", value, got)
		}
		if once := Redact(value); Redact(once) != once {
			t.Errorf("%q becomes %q, and then %q", value, once, Redact(once))
		}
	})
}
