package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSite is a site's whole life: from powered off to Ready, looked at from
// all sides, rebuilt in parts, without power and back, and ended. About ten
// minutes.
func TestSite(t *testing.T) {
	needsSite(t)
	b := newBench(t, "e2e-site", "ha.yaml")
	b.must(b.run("image", "build", b.inventory()))
	w := b.tap()
	if !b.part("up", func(b *bench) { b.firstUp(w) }) {
		return
	}
	b.part("again", func(b *bench) { b.secondUp(w) })
	b.part("same", func(b *bench) { b.sameSystem("worker-b", "worker-c", ofNodes()) })
	b.part("judged", (*bench).judged)
	b.part("root", (*bench).readOnlyRoot)
	b.part("ssh", (*bench).noSSH)
	b.part("rebuild worker", func(b *bench) { b.rebuild("worker-a") })
	b.part("rebuild control plane", func(b *bench) { b.rebuild("cp-b") })
	b.part("power loss", (*bench).powerLoss)
	b.part("secrets", func(b *bench) { b.noSecrets(w) })
	b.part("down", (*bench).down)
}

// firstUp brings the site up. While one host installs, the test does what
// somebody else on the network could do.
func (b *bench) firstUp(w *tap) {
	events := filepath.Join(filepath.Dir(b.dir), "events.jsonl")
	c := b.startInside("up", "--yes", "--events", events, b.inventory())
	claim, ok := b.follow(c, events, 0, func(ev event) bool { return ev.Mark == "installer" })
	if !ok {
		b.Fatalf("no host claimed its identity\n%s", c.wait())
	}
	b.stranger(claim.Host, w)
	r := b.must(c.wait())
	if answers, tickets := w.heard(); answers == 0 || len(tickets) != 6 {
		b.Errorf("the test's own ear heard %d DHCP answers and the tickets %q; six hosts booted", answers, tickets)
	}
	if !strings.Contains(r.out, "power-on") || !strings.Contains(r.out, "Own code") {
		b.Errorf("no timing table\n%s", r)
	}
	if strings.Contains(r.out, "↻") {
		b.Errorf("a step was tried again\n%s", r)
	}
	kept, err := os.ReadFile(b.state("events.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	for _, told := range []string{"ticket used twice", "that address is not this host's", "is not served twice"} {
		if !bytes.Contains(kept, []byte(told)) {
			b.Errorf("the user was not told of a stranger: %q is not in %s", told, b.state("events.jsonl"))
		}
	}
	b.healthy()
	b.dataSame()
	for _, vip := range []string{"10.17.0.10", "[fd00:17::10]"} {
		if status, text := ask(b.kube().Client, http.MethodGet, "https://"+vip+":6443/readyz", "", nil); status != http.StatusOK {
			b.Errorf("the cluster at %s: %d %s", vip, status, text)
		}
	}
}

// secondUp wants that a finished site is left alone.
func (b *bench) secondUp(w *tap) {
	since := time.Now()
	before, _ := w.heard()
	r := b.must(b.inside("plan", "--exit-code", b.inventory()))
	if !strings.Contains(r.out, "Nothing to do") {
		b.Errorf("%s", r)
	}
	r = b.must(b.inside("up", "--yes", b.inventory()))
	if strings.Contains(r.out, "started") {
		b.Errorf("a second up began a step\n%s", r)
	}
	b.onlyReads(since, machines()...)
	if after, _ := w.heard(); after != before {
		b.Errorf("%d DHCP answers in a second up", after-before)
	}
}

// readOnlyRoot wants that nothing of the system can be changed, that a change
// above it ends with the power, and that the node comes back by itself.
func (b *bench) readOnlyRoot() {
	const node = "worker-a"
	for _, path := range []string{"/usr/bin/mark", "/usr/mark", "/mark"} {
		if err := os.WriteFile(b.root(node, path), []byte("x"), 0o644); !errors.Is(err, syscall.EROFS) {
			b.Errorf("write %s: %v; want a read-only file system", path, err)
		}
	}
	soft := []string{"/etc/mark", "/root/mark", "/var/mark"}
	for _, path := range append(soft, "/data/mark") {
		if err := os.WriteFile(b.root(node, path), []byte("x"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	old := b.pid1(node)
	b.reset(node, "ForceRestart")
	cut := time.Now()
	b.until(node+" to be Ready again by itself", 3*time.Minute, func() (bool, string) { return b.beats(node, cut) })
	if b.pid1(node) == old {
		b.Fatal("the machine did not restart")
	}
	for _, path := range soft {
		if _, err := os.Stat(b.root(node, path)); !errors.Is(err, os.ErrNotExist) {
			b.Errorf("%s outlived the restart: %v", path, err)
		}
	}
	if _, err := os.Stat(b.root(node, "/data/mark")); err != nil {
		b.Errorf("what is kept must be kept: %v", err)
	}
}

// beats tells whether a node's kubelet says that it is Ready, and has said so
// after a moment.
func (b *bench) beats(node string, after time.Time) (bool, string) {
	var n struct {
		Status struct {
			Conditions []struct {
				Type, Status      string
				LastHeartbeatTime time.Time
			}
		}
	}
	if err := b.kube().get("/api/v1/nodes/"+node, &n); err != nil {
		return false, err.Error()
	}
	for _, c := range n.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && c.LastHeartbeatTime.After(after), fmt.Sprintf("Ready is %s since a beat %s after", c.Status, c.LastHeartbeatTime.Sub(after))
		}
	}
	return false, "no condition Ready"
}

// noSSH wants that no node listens on port 22, in either family.
func (b *bench) noSSH() {
	for _, m := range machines() {
		for _, addr := range []string{fmt.Sprintf("10.17.0.%d:22", number(m)), fmt.Sprintf("[fd00:17::%d]:22", number(m))} {
			err := within(b.lab, func() error {
				conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
				if err == nil {
					_ = conn.Close()
				}
				return err
			})
			if !errors.Is(err, syscall.ECONNREFUSED) {
				b.Errorf("%s at %s: %v; want a refused connection", m, addr, err)
			}
		}
		for _, table := range []string{"tcp", "tcp6"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", b.pid1(m), table))
			if err != nil {
				b.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if f := strings.Fields(line); len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], ":0016") {
					b.Errorf("%s listens on port 22: %s", m, line)
				}
			}
		}
	}
}

// down ends the cluster: all off, keys gone, data disks as they were.
func (b *bench) down() {
	b.must(b.inside("down", "--yes", b.inventory()))
	for _, m := range machines() {
		b.off(m)
	}
	if left, err := filepath.Glob(b.state("secrets/*")); err != nil || len(left) > 0 {
		b.Errorf("keys are left: %v (%v)", left, err)
	}
	b.dataSame()
}
