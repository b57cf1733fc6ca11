package preflight

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// These tests make a site of their own: network namespaces, of which the
// test's own has the bridge "prov" (10.17.0.1/24, fd00:17::1/64), and machines
// plugged into it that run other people's programs.

// inSite runs the calling test again in network and mount namespaces of its
// own, and reports true there. It skips without root.
func inSite(t *testing.T, programs ...string) bool {
	t.Helper()
	if os.Getenv("RA2_PREFLIGHT_SITE") == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for a network namespace: run go tool task test")
	}
	for _, program := range append(programs, "ip", "nsenter", "unshare") {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs the program %s: run go tool task test, which installs it", program)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), "RA2_PREFLIGHT_SITE="+t.Name())
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

// sh runs lines of shell, which must succeed.
func sh(t *testing.T, lines string) string {
	t.Helper()
	out, err := exec.Command("sh", "-ec", lines).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", lines, err, out)
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

// A machine is a network namespace with eth0 on the bridge.
type machine struct{ pid int }

// plug plugs in a machine with these addresses.
func plug(t *testing.T, name, mac string, addrs ...string) machine {
	t.Helper()
	cmd := exec.Command("unshare", "--net", "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	own, _ := os.Readlink("/proc/self/ns/net")
	await(t, "the namespace of "+name, func() bool {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
		return err == nil && its != own
	})
	m := machine{cmd.Process.Pid}
	sh(t, fmt.Sprintf(`ip link add %[1]s type veth peer name eth0 address %[2]s netns %[3]d
ip link set %[1]s master prov up`, name, mac, m.pid))
	m.sh(t, "ip link set lo up; ip link set eth0 up")
	for _, a := range addrs {
		nodad := ""
		if strings.Contains(a, ":") {
			nodad = " nodad"
		}
		m.sh(t, "ip addr add "+a+" dev eth0"+nodad)
	}
	return m
}

// sh runs lines of shell in the machine.
func (m machine) sh(t *testing.T, lines string) string {
	t.Helper()
	return sh(t, fmt.Sprintf("nsenter -t %d -n sh -ec '%s'", m.pid, lines))
}

// run runs a server in the machine until the test ends, and waits until it has
// its UDP port.
func (m machine) run(t *testing.T, port int, argv ...string) {
	t.Helper()
	cmd := exec.Command("nsenter", append([]string{"-t", fmt.Sprint(m.pid), "-n"}, argv...)...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		said, _ := os.ReadFile(log.Name())
		t.Logf("%s said:\n%s", argv[0], said)
	})
	// The machine's table of UDP sockets (proc(5)): its second field ends in the port.
	await(t, fmt.Sprintf("%s on port %d", argv[0], port), func() bool {
		table, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", m.pid))
		return strings.Contains(string(table), fmt.Sprintf(":%04X ", port))
	})
}

// dnsmasq runs it as DHCP and DNS server.
func (m machine) dnsmasq(t *testing.T, port int, args ...string) {
	t.Helper()
	m.run(t, port, append([]string{"dnsmasq", "--keep-in-foreground", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--no-resolv", "--no-hosts",
		"--dhcp-leasefile=" + filepath.Join(t.TempDir(), "leases")}, args...)...)
}

// chrony runs it as an NTP server that takes its own clock for right, or one
// without a source. It doesn't set the clock.
func (m machine) chrony(t *testing.T, lines string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte("allow all\ncmdport 0\nbindcmdaddress /\npidfile "+dir+"/pid\n"+lines), 0o644); err != nil {
		t.Fatal(err)
	}
	m.run(t, ntpPort, "chronyd", "-d", "-x", "-U", "-u", "root", "-f", conf)
}

// await waits until seen is true.
func await(t *testing.T, what string, seen func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !seen(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// macs of the inventory's hosts.
const (
	macA  = "52:54:00:17:00:11"
	macB  = "52:54:00:17:00:12"
	other = "52:54:00:17:00:99"
)

// site is the inventory of the test's site.
func site() inventory.Cluster {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	return inventory.Cluster{
		Name: "edge",
		Kubernetes: inventory.Kubernetes{Endpoint: inventory.Endpoint{
			Host: "api.edge.internal", VIPs: []netip.Addr{addr("10.17.0.10"), addr("fd00:17::10")},
		}},
		Provisioning: inventory.Provisioning{
			Interface: "prov", DHCP: inventory.DHCPAuthoritative,
			Networks: []netip.Prefix{prefix("10.17.0.1/24"), prefix("fd00:17::1/64")},
			Gateways: []netip.Addr{addr("10.17.0.254"), addr("fd00:17::254")},
			DNS:      []netip.Addr{addr("10.17.0.254")}, NTP: []netip.Addr{addr("10.17.0.254")},
		},
		Nodes: []inventory.Node{
			{Name: "cp-a", ControlPlane: true, Boot: inventory.Boot{MAC: macA}, Addresses: []netip.Prefix{prefix("10.17.0.11/24"), prefix("fd00:17::11/64")}},
			{Name: "cp-b", ControlPlane: true, Boot: inventory.Boot{MAC: macB}, Addresses: []netip.Prefix{prefix("10.17.0.12/24"), prefix("fd00:17::12/64")}},
		},
	}
}
