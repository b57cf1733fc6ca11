package netboot

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests talk to other people's programs over a real network, in
// namespaces that they make.

var prov = netip.MustParseAddr("10.17.0.1")

const otherMAC = "52:54:00:17:00:99"

// loaders returns a directory with a loader of a size that ends in a whole block.
func loaders(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "undionly.kpxe"), bytes.Repeat([]byte("x"), 100*blockSize), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPeerUdhcpc(t *testing.T) {
	if !inSite(t, "udhcpc", "ip", "nsenter", "unshare") {
		return
	}
	makeSite(t)
	table := open(t, aBoot(t))
	_, d := serve(t, Config{Interface: "prov", Addr: prov, Book: table})
	host, other := peerOn(t, "host", hostMAC), peerOn(t, "other", otherMAC)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ $1 = bound ] && echo bound $ip/$mask router $router dns $dns ntp $ntpsrv name $hostname boot $boot_file\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ask := []string{"udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "3", "-T", "1", "-s", script, "-O", "hostname", "-O", "ntpsrv", "-O", "bootfile"}
	out, err := in(t, host, ask...)
	if want := "bound 10.17.0.11/24 router 10.17.0.1 dns 10.17.0.1 ntp 10.17.0.1 name cp-a"; err != nil || !strings.Contains(out, want) {
		t.Errorf("udhcpc of the open boot: %v\n%s", err, out)
	}
	if out, err := in(t, other, ask...); err == nil {
		t.Errorf("udhcpc of another MAC got an answer:\n%s", out)
	}
	table.Close(mustMAC(t))
	if out, err := in(t, host, ask...); err == nil {
		t.Errorf("udhcpc got an answer after the install step:\n%s", out)
	}
	if len(d.all(Leased, nil)) == 0 {
		t.Errorf("no lease is reported")
	}
}

// dhclient asks for its old address first, without a server identifier: the
// state INIT-REBOOT.
func TestPeerDhclient(t *testing.T) {
	if !inSite(t, "dhclient", "ip", "nsenter", "unshare") {
		return
	}
	makeSite(t)
	serve(t, Config{Interface: "prov", Addr: prov, Book: open(t, aBoot(t))})
	host := peerOn(t, "host", hostMAC)
	dir := t.TempDir()
	old := `lease { interface "eth0"; fixed-address 10.17.0.99; option subnet-mask 255.255.255.0; option dhcp-lease-time 3600;
  option dhcp-message-type 5; option dhcp-server-identifier 10.17.0.1; renew 5 2099/01/01 00:00:00; rebind 5 2099/01/01 00:00:00; expire 5 2099/01/01 00:00:00; }
`
	if err := os.WriteFile(dir+"/leases", []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := in(t, host, "dhclient", "-1", "-v", "-lf", dir+"/leases", "-pf", dir+"/pid", "-sf", "/bin/true", "eth0")
	// It went to the background with its lease; -x ends it.
	if out, err := in(t, host, "dhclient", "-x", "-lf", dir+"/leases", "-pf", dir+"/pid", "-sf", "/bin/true", "eth0"); err != nil {
		t.Errorf("dhclient -x: %v\n%s", err, out)
	}
	for _, want := range []string{"DHCPREQUEST for 10.17.0.99", "DHCPNAK from 10.17.0.1", "DHCPACK of 10.17.0.11 from 10.17.0.1"} {
		if !strings.Contains(out, want) {
			t.Errorf("dhclient did not say %q: %v\n%s", want, err, out)
		}
	}
}

func TestPeerCurlTFTP(t *testing.T) {
	if !inSite(t, "curl", "ip", "nsenter", "unshare") {
		return
	}
	makeSite(t)
	table := open(t, aBoot(t))
	_, d := serve(t, Config{Interface: "prov", Addr: prov, Book: table, Loaders: loaders(t)})
	host := peerOn(t, "host", hostMAC)
	sh(t, strings.Join(host, " ")+" ip addr add 10.17.0.11/24 dev eth0")
	url := "tftp://10.17.0.1/52-54-00-17-00-11/undionly.kpxe"
	for _, size := range []string{"1468", "512", "8192"} {
		out, err := in(t, host, "curl", "-sS", "--tftp-blksize", size, "-o", "/dev/null", "-w", "%{size_download}", url)
		if err != nil || out != "146800" {
			t.Errorf("curl with blksize %s: %v %s", size, err, out)
		}
	}
	if out, _ := in(t, host, "curl", "-v", "--tftp-blksize", "8192", "-o", "/dev/null", url); !strings.Contains(out, "blksize parsed from OACK (1468)") {
		t.Errorf("the block size is not brought down to 1468 (RFC 2348):\n%s", out)
	}
	if out, err := in(t, host, "curl", "-sS", "--tftp-no-options", "-o", "/dev/null", "-w", "%{size_download}", "tftp://10.17.0.1/undionly.kpxe"); err != nil || out != "146800" {
		t.Errorf("curl without options, by address: %v %s", err, out)
	}
	d.await(t, Loader, 5) // a transfer is told when its last block is acknowledged, which curl doesn't wait for
	table.Close(mustMAC(t))
	if out, err := in(t, host, "curl", "-sS", "-m", "5", "-o", "/dev/null", url); err == nil {
		t.Errorf("a closed boot was served: %s", out)
	}
}

// dnsmasq runs a site's own DHCP server in a machine of its own.
func dnsmasq(t *testing.T, args ...string) {
	t.Helper()
	site := peerOn(t, "site", "52:54:00:17:00:fe")
	sh(t, strings.Join(site, " ")+" ip addr add 10.17.0.254/24 dev eth0")
	argv := append(append([]string{}, site...), "dnsmasq", "--keep-in-foreground", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root",
		"--interface=eth0", "--dhcp-leasefile="+t.TempDir()+"/leases", "--no-ping")
	cmd := exec.Command(argv[0], append(argv[1:], args...)...)
	log := t.TempDir() + "/log"
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr, cmd.Stdout = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		said, _ := os.ReadFile(log)
		t.Logf("dnsmasq:\n%s", said)
	})
	awaitTrue(t, "dnsmasq to listen", 10*time.Second, func() bool {
		out, _ := in(t, site, "ss", "-Hlun", "sport", "=", ":67")
		return strings.Contains(out, ":67")
	})
}

// Sniff finds a site's server, and nobody where nobody is. A Server reports it
// from what it overhears.
func TestPeerForeign(t *testing.T) {
	if !inSite(t, "dnsmasq", "udhcpc", "ss", "ip", "nsenter", "unshare") {
		return
	}
	makeSite(t)
	offers, err := Sniff(t.Context(), "prov", 1500*time.Millisecond)
	if err != nil || len(offers) != 0 {
		t.Errorf("on a network without a server: %v, %v", offers, err)
	}
	dnsmasq(t, "--dhcp-range=10.17.0.200,10.17.0.220,1h", "--dhcp-boot=pxelinux.0")
	offers, err = Sniff(t.Context(), "prov", 5*time.Second)
	if err != nil || len(offers) != 1 || offers[0].Server.String() != "10.17.0.254" || !offers[0].Address.IsValid() || offers[0].BootFile != "pxelinux.0" {
		t.Errorf("beside dnsmasq: %v, %v", offers, err)
	}
	_, d := serve(t, Config{Interface: "prov", Addr: prov, Book: open(t, aBoot(t))})
	other := peerOn(t, "other", otherMAC)
	// With the broadcast flag the server's answers go to all.
	if out, err := in(t, other, "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-B", "-s", "/bin/true"); err != nil {
		t.Errorf("udhcpc at dnsmasq: %v\n%s", err, out)
	}
	if got := d.all(Foreign, func(e Event) bool { return strings.Contains(e.Note, "10.17.0.254") }); len(got) != 1 {
		t.Errorf("the other server is not reported once: %v", got)
	}
}
