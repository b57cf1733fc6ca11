package ipmi_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/ipmi"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

const (
	user     = "admin"
	password = "correct-horse-16"
)

// rig is OpenIPMI's ipmi_sim with a machine of two files behind it.
type rig struct {
	*testing.T
	dir string
	cfg ipmisim.Config
	sim *ipmisim.Sim
}

// machine is what ipmi_sim calls. Where the file "deaf" is, an order is taken
// and nothing happens: done by the looks of it.
const machine = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >> log
case "$1 $2" in
"get power") echo "power:$(cat power)" ;;
"get boot") echo "boot:$(cat boot)" ;;
"set power"|"set boot") [ -e deaf ] || echo "$3" > "$2" ;;
*) exit 1 ;;
esac
`

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	if _, err := exec.LookPath(ipmisim.Program); err != nil {
		t.Skip("needs OpenIPMI's ipmi_sim: apt install openipmi")
	}
	r := &rig{T: t, dir: t.TempDir()}
	r.write("power", "0")
	r.write("boot", "none")
	if err := os.WriteFile(filepath.Join(r.dir, "machine"), []byte(machine), 0o700); err != nil {
		t.Fatal(err)
	}
	r.cfg = ipmisim.Config{
		Dir: filepath.Join(r.dir, "bmc"), Addr: freePort(t), Username: user, Password: password,
		UUID:    "17170000-0000-4000-8000-000000000011",
		FRU:     ipmisim.FRU{Maker: "RA2 Lab", Model: "Container", Part: "RA2-1", Serial: "RA2LAB0011", BoardSerial: "RA2BOARD0011"},
		Control: []string{filepath.Join(r.dir, "machine")},
	}
	r.start()
	t.Cleanup(func() { _ = r.sim.Close() })
	return r
}

func (r *rig) start() {
	r.Helper()
	var err error
	if r.sim, err = ipmisim.Start(r.cfg); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text+"\n"), 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) read(name string) string {
	r.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// client returns a client that is less patient than at a site.
func (r *rig) client(change func(*ipmi.Config)) *ipmi.Client {
	r.Helper()
	return client(r.T, r.cfg.Addr, change)
}

func client(t *testing.T, addr netip.AddrPort, change func(*ipmi.Config)) *ipmi.Client {
	t.Helper()
	cfg := ipmi.Config{
		Host: "host-a", URL: "ipmi://" + addr.String(), Username: user, Password: secret.New(password),
		AnswerTimeout: 4 * time.Second, PowerTimeout: 8 * time.Second, Poll: 20 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := ipmi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// freePort is a UDP port that nobody has at this moment.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// relay stands between a client and a controller, and counts and loses.
type relay struct {
	addr netip.AddrPort
	sent func() int                          // datagrams from the client
	drop func(n int, p []byte, up bool) bool // n counts datagrams of both directions
}

func newRelay(t *testing.T, to netip.AddrPort, drop func(n int, p []byte, up bool) bool) *relay {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = front.Close(), back.Close() })
	var state struct {
		count, up chan int
		peer      chan netip.AddrPort
	}
	state.count, state.up, state.peer = make(chan int, 1), make(chan int, 1), make(chan netip.AddrPort, 1)
	state.count <- 0
	state.up <- 0
	state.peer <- netip.AddrPort{}
	lost := func(p []byte, up bool) bool {
		n := <-state.count
		state.count <- n + 1
		return drop != nil && drop(n, p, up)
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := front.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			<-state.peer
			state.peer <- from
			state.up <- 1 + <-state.up
			if !lost(buf[:n], true) {
				_, _ = back.Write(buf[:n])
			}
		}
	}()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, err := back.Read(buf)
			if err != nil && strings.Contains(err.Error(), "closed") {
				return
			}
			peer := <-state.peer
			state.peer <- peer
			if err == nil && !lost(buf[:n], false) {
				_, _ = front.WriteToUDPAddrPort(buf[:n], peer)
			}
		}
	}()
	return &relay{
		addr: front.LocalAddr().(*net.UDPAddr).AddrPort(), drop: drop,
		sent: func() int { n := <-state.up; state.up <- n; return n },
	}
}

func portOf(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// freeSocket returns the address of a socket that hears and says nothing.
func freeSocket(t *testing.T) (string, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String(), nil
}
