package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// TestWorkload lets verify workload disturb what runs on a cluster, and looks from
// outside whether that happens, hits nothing else, and is undone: a workload that
// bears it, one that doesn't, and runs that are interrupted and killed. About four
// minutes.
func TestWorkload(t *testing.T) {
	needsSite(t)
	for _, tool := range []string{"kubectl", "nsenter", "tc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s to make a workload and to look at it: %v", tool, err)
		}
	}
	b := newBench(t, "e2e-app", "workload.yaml")
	b.must(b.run("image", "build", b.inventory()))
	b.must(b.inside("up", "--yes", b.inventory()))
	for _, name := range []string{"shop", "frail"} {
		b.must(b.kubectl("create namespace " + name))
		b.must(b.kubectl("-n " + name + " apply -f testdata/workload/" + name + ".yaml"))
	}
	for _, name := range []string{"shop deployment/web", "frail deployment/frail"} {
		b.must(b.kubectl("rollout status --timeout 2m -n " + name))
	}
	b.part("good", (*bench).bears)
	b.part("bad", (*bench).breaks)
	b.part("interrupted", (*bench).interruptedDisturbance)
	b.part("killed", (*bench).killedDisturbance)
}

// kubectl runs kubectl in the lab's network.
func (b *bench) kubectl(args string) result {
	b.Helper()
	return b.start("ip", "netns", "exec", b.namespace(), "sh", "-c", "export KUBECONFIG="+b.state("secrets/kubeconfig")+"; kubectl "+args).wait()
}

// disturb starts verify workload on a namespace.
func (b *bench) disturb(name, kinds, howLong string, more ...string) *command {
	b.Helper()
	return b.startInside(append([]string{
		"verify", "workload", "--cluster", b.state("secrets/kubeconfig"), "--disturb", kinds, "--for", howLong, "--back", "1m", "--yes", "-o", "json", name,
	}, more...)...)
}

// bears wants a good workload to pass by what it bore, and measures that it bore
// something.
func (b *bench) bears() {
	data := "kubectl --kubeconfig " + b.state("secrets/kubeconfig") + " get --raw /api/v1/namespaces/shop/services/http:web:80/proxy/ | grep -q web-"
	pods := b.pods("shop")
	before := b.median(pods[0])
	was := b.networks(pods)
	c := b.disturb("shop", "latency,dns,memory,delete", "25s", "--check", data)
	slow := b.untilSlow(c, pods, before+1900*time.Millisecond)
	b.Logf("an answer of %s takes %v, and %v while it is disturbed", pods[slow].name, before, b.median(pods[slow]))
	other := pods[1-slow]
	if took := b.median(other); took > time.Second {
		b.Errorf("%s isn't disturbed, and takes %v to answer", other.name, took)
	}
	b.until("unreachable name servers", 2*time.Minute, func() (bool, string) {
		routes := b.inPod(pods[slow], "ip", "route", "show", "type", "unreachable")
		if took := b.median(pods[slow]); routes != "" && took > time.Second {
			b.Errorf("%s takes %v to answer, when the latency is over", pods[slow].name, took)
		}
		return routes != "", "no route is unreachable"
	})
	b.until("the end of that", 2*time.Minute, func() (bool, string) {
		now := b.networks(pods)
		return now == was, now
	})
	doc := b.workload(b.exits(c.wait(), 3)) // other experiments were not made
	for id, want := range map[string]string{
		"ra2.app.018": "2000 ms of latency on eth0", "ra2.app.024": "can't be reached", "ra2.app.020": "MiB were held", "ra2.app.019": "it was deleted",
	} {
		r := rowIn(doc.Rows, id)
		if got := r.Findings[0].Got; r.Verdict != conform.Pass || !strings.Contains(got, want) || !strings.Contains(got, "data check: before ok") {
			b.Errorf("%s: %s, %+v", id, r.Verdict, r.Findings)
		}
	}
	b.nothingLeft()
}

// untilSlow waits until one of two pods takes that long to answer, and returns which.
func (b *bench) untilSlow(c *command, pods []pod, enough time.Duration) (slow int) {
	b.Helper()
	b.until("a pod that is slow", time.Minute, func() (bool, string) {
		select {
		case <-c.ended:
			b.Fatalf("it ended before a pod was slow\n%s", c.result)
		default:
		}
		took := []time.Duration{b.median(pods[0]), b.median(pods[1])}
		slow = slices.Index(took, max(took[0], took[1]))
		return took[slow] >= enough, fmt.Sprint(took)
	})
	return slow
}

// breaks wants a workload whose readiness probe waits a second to fail by that.
func (b *bench) breaks() {
	doc := b.workload(b.exits(b.disturb("frail", "latency", "10s", "--stateless", "says only who it is").wait(), 3))
	r := rowIn(doc.Rows, "ra2.app.018")
	if r.Verdict != conform.Fail || r.How != conform.Behaviour || !slices.ContainsFunc(r.Findings, func(f conform.Finding) bool { return strings.Contains(f.Got, "had no ready pod for ") }) {
		b.Errorf("%+v", r)
	}
	b.nothingLeft()
}

// interruptedDisturbance interrupts a run: what it did is undone before it ends, and
// it is no verdict.
func (b *bench) interruptedDisturbance() {
	pods := b.pods("shop")
	was := b.networks(pods)
	c := b.disturb("shop", "latency", "5m", "--stateless", "none")
	b.until("a link that is disturbed", time.Minute, func() (bool, string) {
		now := b.networks(pods)
		return now != was, now
	})
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		b.Fatal(err)
	}
	doc := b.workload(b.exits(c.wait(), 1))
	if r := rowIn(doc.Rows, "ra2.app.018"); r.Verdict != conform.Unknown || !strings.Contains(strings.Join(r.Findings[0].Missing, ""), "interrupted") {
		b.Errorf("%+v", r)
	}
	if now := b.networks(pods); now != was {
		b.Errorf("it was\n%sand is\n%s", was, now)
	}
	b.nothingLeft()
}

// killedDisturbance kills a run while a pod more is there: the next one undoes it.
func (b *bench) killedDisturbance() {
	replicas := func() int {
		var d struct{ Spec struct{ Replicas int } }
		if err := b.kube().get("/apis/apps/v1/namespaces/shop/deployments/web", &d); err != nil {
			b.Fatal(err)
		}
		return d.Spec.Replicas
	}
	c := b.disturb("shop", "scale", "10s", "--stateless", "none")
	b.until("a pod more", time.Minute, func() (bool, string) { n := replicas(); return n == 3, fmt.Sprint(n) })
	if err := c.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	c.wait()
	if n := replicas(); n != 3 {
		b.Fatalf("it has %d replicas: it was killed too late", n)
	}
	r := b.disturb("shop", "dns", "5s", "--stateless", "none").wait()
	if n := replicas(); n != 2 || !strings.Contains(r.err, "was left by an earlier run") {
		b.Errorf("%d replicas\n%s", n, r)
	}
	b.nothingLeft()
}

// nothingLeft wants no namespace of ours, no cordon and no word in a template.
func (b *bench) nothingLeft() {
	b.Helper()
	for what, args := range map[string]string{
		"namespaces": "get namespaces -l ra2-deploy.io/disturb -o name", "cordons": "get nodes --field-selector spec.unschedulable=true -o name",
		"annotations": "get deployments -A -o jsonpath='{.items[*].spec.template.metadata.annotations}'",
	} {
		if r := b.must(b.kubectl(args)); strings.TrimSpace(r.out) != "" {
			b.Errorf("%s are left: %s", what, r.out)
		}
	}
}

// workload reads a report.
func (b *bench) workload(r result) (doc report.Workload) {
	b.Helper()
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		b.Fatalf("%v\n%s", err, r)
	}
	return doc
}

func rowIn(rows []conform.Result, id string) conform.Result {
	i := slices.IndexFunc(rows, func(r conform.Result) bool { return r.ID == id })
	if i < 0 {
		return conform.Result{Findings: []conform.Finding{{}}}
	}
	return rows[i]
}
