package netboot

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// These tests make a site of their own: a network namespace with the bridge
// "prov" (10.17.0.1/24) that the Server listens on.

var lab = flag.Bool("lab", false, "start QEMU machines with real firmware")

const hostMAC = "52:54:00:17:00:11"

// inSite runs the calling test again in network and mount namespaces of its
// own, and reports true there. It skips without root.
func inSite(t *testing.T, tools ...string) bool {
	t.Helper()
	if os.Getenv("RA2_NETBOOT_SITE") == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for a network namespace: run go tool task test")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs the program %s: run go tool task test, which installs it", tool)
		}
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=20m"}
	if *lab {
		args = append(args, "-lab")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "RA2_NETBOOT_SITE="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("in its namespace: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("in its namespace:\n%s", out)
	default:
		t.Logf("in its namespace:\n%s", out)
	}
	return false
}

// sh runs a line of shell, which must succeed.
func sh(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.Command("sh", "-ec", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// makeSite makes the bridge.
func makeSite(t *testing.T) {
	t.Helper()
	sh(t, `ip link set lo up
ip link add prov type bridge forward_delay 0 mcast_snooping 0
ip addr add 10.17.0.1/24 dev prov
ip addr add fd00:17::1/64 dev prov nodad
ip link set prov up`)
}

// peerOn plugs a machine of its own namespace into the bridge, with eth0, and
// returns a prefix for commands in it.
func peerOn(t *testing.T, name, mac string) []string {
	t.Helper()
	cmd := exec.Command("unshare", "--net", "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	own, _ := os.Readlink("/proc/self/ns/net")
	awaitTrue(t, "the namespace of "+name, 5*time.Second, func() bool {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
		return err == nil && its != own
	})
	sh(t, fmt.Sprintf(`ip link add %[1]s type veth peer name eth0 address %[2]s netns %[3]d
ip link set %[1]s master prov up
nsenter -t %[3]d -n ip link set lo up
nsenter -t %[3]d -n ip link set eth0 up`, name, mac, cmd.Process.Pid))
	return []string{"nsenter", "-t", fmt.Sprint(cmd.Process.Pid), "-n"}
}

// in runs a command in a machine's namespace and returns what it printed.
func in(t *testing.T, peer []string, argv ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	argv = append(append([]string{}, peer...), argv...)
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	return string(out), err
}

// awaitTrue waits until seen is true.
func awaitTrue(t *testing.T, what string, limit time.Duration, seen func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !seen(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// A diary keeps events.
type diary struct {
	mu     sync.Mutex
	began  time.Time
	events []Event
}

func (d *diary) add(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// all returns the events that match.
func (d *diary) all(kind Kind, match func(Event) bool) []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []Event
	for _, e := range d.events {
		if e.Kind == kind && (match == nil || match(e)) {
			found = append(found, e)
		}
	}
	return found
}

// await wants exactly n events of a kind, the last of them within 10 s.
func (d *diary) await(t *testing.T, kind Kind, n int) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		got := len(d.all(kind, nil))
		if got == n {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("%d events %q, wanted %d", got, kind, n)
			return
		}
	}
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var text strings.Builder
	for _, e := range d.events {
		fmt.Fprintf(&text, "%7.2fs %s (own %s)\n", e.Time.Sub(d.began).Seconds(), e, e.Own.Round(time.Microsecond))
	}
	return text.String()
}

// serve runs a Server until the test ends.
func serve(t *testing.T, c Config) (*Server, *diary) {
	t.Helper()
	d := &diary{began: time.Now()}
	c.Report = d.add
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		t.Logf("events:\n%s", d)
	})
	return s, d
}

// aBoot returns an open boot with small files in a temporary directory.
func aBoot(t *testing.T) Boot {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat(name[:1], size)), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mac, err := ParseMAC(hostMAC)
	if err != nil {
		t.Fatal(err)
	}
	return Boot{
		Node: "cp-a", MAC: mac, Hostname: "cp-a",
		Addrs:   []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24"), netip.MustParsePrefix("fd00:17::11/64")},
		Gateway: netip.MustParseAddr("10.17.0.1"), DNS: []netip.Addr{netip.MustParseAddr("10.17.0.1")},
		NTP: []netip.Addr{netip.MustParseAddr("10.17.0.1")}, Kernel: file("kernel", 3<<20), Initrd: file("initrd", 5<<20+1),
		Args: []string{"ra2.mode=install", "ra2.node=cp-a"}, Ticket: secret.New("one-time"),
	}
}

// open returns a Table with b open.
func open(t *testing.T, b Boot) *Table {
	t.Helper()
	table := &Table{}
	if err := table.Open(b); err != nil {
		t.Fatal(err)
	}
	return table
}
