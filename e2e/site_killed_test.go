package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A moment is one at which a run is cut short.
type moment struct {
	name string
	is   func(event) bool
}

// moments are spread over a run, in the order in which it passes them. A host
// that has its order goes on by itself while nobody listens, so between two of
// them lies more than it could do meanwhile.
func moments() []moment {
	return []moment{
		{"the first firmware setting is pending", func(e event) bool { return strings.HasSuffix(e.Step, "/firmware") && e.Status == "done" }},
		{"a host has its kernel and initrd", func(e event) bool { return strings.Contains(e.Note, "fetched initrd") }},
		{"a host claimed its identity", func(e event) bool { return e.Mark == "installer" }},
		{"an image is half written", func(e event) bool { return regexp.MustCompile(`writing image.* [3-7]\d%`).MatchString(e.Note) }},
		{"an image is written", func(e event) bool { return e.Mark == "written" }},
		{"an installed system speaks", func(e event) bool { return e.Mark == "kernel" }},
		{"the first control plane starts", func(e event) bool {
			return e.Step == "cluster/born" && strings.Contains(e.Note, "wait-control-plane: started")
		}},
		{"a worker joins", func(e event) bool {
			return strings.HasPrefix(e.Step, "worker-") && strings.Contains(e.Note, "join kubelet-start: started")
		}},
		{"an etcd member joins", func(e event) bool { return e.Step == "cp-b/member" && strings.Contains(e.Note, "etcd-join: started") }},
		{"the last control plane is a member", func(e event) bool { return e.Step == "cp-c/member" && e.Status == "done" }},
		{"pods reach each other", func(e event) bool { return e.Step == "cluster/verified" && e.Status == "started" }},
	}
}

// TestKilled kills `up` at moments all over a run, one after the other on one
// site, and each time runs it again. In the end the site is whole.
func TestKilled(t *testing.T) {
	needsSite(t)
	b := newBench(t, "e2e-kill", "ha.yaml")
	b.must(b.run("image", "build", b.inventory()))
	for i, m := range moments() {
		if i == 4 { // the controllers still have sessions to give: a killed run leaves its own open
			b.part("interrupt", (*bench).interrupt)
		}
		b.killAt(m)
		if t.Failed() {
			return
		}
	}
	b.whole()
	b.must(b.inside("down", "--yes", b.inventory()))
	b.killAt(moment{"the cluster begins", func(e event) bool { return e.Step == "cluster/born" && e.Status == "started" }})
	b.whole()
}

// whole runs up and wants that it ends with all that was asked for.
func (b *bench) whole() {
	b.Helper()
	b.must(b.inside("up", "--yes", b.inventory()))
	b.healthy()
	b.dataSame()
	r := b.must(b.inside("plan", "--exit-code", b.inventory()))
	if !strings.Contains(r.out, "Nothing to do") {
		b.Errorf("%s", r)
	}
}

// killAt runs up until the moment and kills it there.
func (b *bench) killAt(m moment) {
	b.Helper()
	c, ev := b.cut(m, syscall.SIGKILL, "up")
	r := c.wait()
	if r.code == 0 {
		b.Errorf("%s: up ended before it was killed\n%s", m.name, r)
	}
	b.Logf("killed after %s: %s (%s %s %s)", r.took.Round(100*time.Millisecond), m.name, ev.Step, ev.Note, ev.Mark)
}

// cut starts a command and sends the signal at the moment.
func (b *bench) cut(m moment, sig syscall.Signal, args ...string) (*command, event) {
	b.Helper()
	c, ev := b.reach(m, args...)
	if err := c.Process.Signal(sig); err != nil {
		b.Fatal(err)
	}
	return c, ev
}

// reach starts a command and waits for the moment.
func (b *bench) reach(m moment, args ...string) (*command, event) {
	b.Helper()
	events := filepath.Join(filepath.Dir(b.dir), "events.jsonl")
	var from int64
	if info, err := os.Stat(events); err == nil {
		from = info.Size()
	}
	c := b.startInside(append(args, "--yes", "--events", events, b.inventory())...)
	ev, ok := b.follow(c, events, from, m.is)
	if !ok {
		b.Fatalf("the run ended before: %s\n%s", m.name, c.wait())
	}
	return c, ev
}

// interrupt wants that a run which is interrupted ends soon and in order: no
// session is left on a controller, and a person knows how to go on.
func (b *bench) interrupt() {
	since := time.Now()
	c, _ := b.cut(moments()[3], syscall.SIGINT, "up")
	at := time.Now()
	r := b.exits(c.wait(), 1)
	if took := time.Since(at); took > 10*time.Second {
		b.Errorf("an interrupted run took %s to end", took)
	}
	if !strings.Contains(r.err, "interrupted") || !strings.Contains(r.err, "next: ra2-deploy up") {
		b.Errorf("a person is not told how to go on\n%s", r)
	}
	for _, m := range machines() {
		opened, closed := 0, 0
		for _, q := range b.requests(m, since) {
			switch {
			case q.Method == "POST" && strings.HasSuffix(q.Path, "/Sessions") && q.Status == 201:
				opened++
			case q.Method == "DELETE" && strings.Contains(q.Path, "/Sessions/") && q.Status < 300:
				closed++
			}
		}
		if opened != 1 || closed != 1 {
			b.Errorf("%s: %d sessions were opened and %d closed; want one of each", m, opened, closed)
		}
	}
}
