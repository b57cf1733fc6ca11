package main

import (
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink/nl"
)

// TestQdiscMessage lets somebody else's definitions of the kernel's structs read
// the messages: 2000 ms are 31,250,000 ticks of 64 ns.
func TestQdiscMessage(t *testing.T) {
	for kind, want := range map[string]struct{ latency, duplicate, corrupt uint32 }{
		"latency": {latency: 31_250_000}, "duplication": {duplicate: math.MaxUint32}, "corruption": {corrupt: math.MaxUint32 / 10},
	} {
		msg := qdisc(7, kind)
		tc := nl.DeserializeTcMsg(msg)
		if tc.Ifindex != 7 || tc.Parent != math.MaxUint32 || tc.Handle != byUs || tc.Info != 0 || tc.Family != 0 {
			t.Errorf("%s: %+v", kind, tc)
		}
		attributes, err := nl.ParseRouteAttr(msg[nl.SizeofTcMsg:])
		if err != nil || len(attributes) != 2 || attributes[0].Attr.Type != nl.TCA_KIND || string(attributes[0].Value) != "netem\x00" || attributes[1].Attr.Type != nl.TCA_OPTIONS {
			t.Fatalf("%s: %+v, %v", kind, attributes, err)
		}
		options := attributes[1].Value
		got := nl.DeserializeTcNetemQopt(options)
		if got.Latency != want.latency || got.Duplicate != want.duplicate || got.Limit != 100_000 || got.Loss != 0 || got.Gap != 0 || got.Jitter != 0 {
			t.Errorf("%s: %+v", kind, got)
		}
		inside, err := nl.ParseRouteAttr(options[nl.SizeofTcNetemQopt:])
		if err != nil {
			t.Fatal(err)
		}
		var corrupt uint32
		for _, a := range inside {
			if a.Attr.Type == nl.TCA_NETEM_CORRUPT {
				corrupt = nl.DeserializeTcNetemCorrupt(a.Value).Probability
			}
		}
		if corrupt != want.corrupt {
			t.Errorf("%s: corrupt %d, want %d", kind, corrupt, want.corrupt)
		}
	}
}

// TestPassed wants the packets of a qdisc to be counted, of whatever kind it is; and none
// where there is no qdisc of ours.
func TestPassed(t *testing.T) {
	pid := pod(t, "ip link add v0 type veth peer name v1", "ip addr add 192.0.2.1/24 dev v0", "ip link set v0 up", "ip link set v1 up", "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev v0",
		"tc qdisc add dev v0 root handle 2a2: tbf rate 1gbit burst 100k latency 50ms")
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(pid), "-n", self(t))
	cmd.Env = append(os.Environ(), counts+"=1")
	out, err := cmd.Output()
	var a, b int64
	if _, scan := fmt.Sscan(string(out), &a, &b); err != nil || scan != nil || a < 7 || b != 0 {
		t.Errorf("%v: %s; want 7 packets or more, and none", err, out)
	}
}

// self returns the path of the test's own binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// counts is set for the process that counts the packets of two links.
const counts = "RA2_DISTURB_TEST_COUNTS"

// asCounter sends by v0, and prints what passed v0 and v1. It is a process of its own:
// a test's thread that enters a network may be the one by which others know the
// process.
func asCounter() {
	for range 7 {
		if conn, err := net.Dial("udp", "192.0.2.2:9"); err == nil {
			fmt.Fprint(conn, "x")
			conn.Close()
		}
	}
	for _, name := range []string{"v0", "v1"} {
		l, err := net.InterfaceByName(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(netemOn{link: l.Index}.passed())
	}
}
