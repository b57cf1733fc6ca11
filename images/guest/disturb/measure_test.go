package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// here is set for the process that measures in a network of its own on this kernel.
const here = "RA2_DISTURB_TEST_MEASURES_HERE"

// TestMeasured lets the program disturb a pod on this kernel, by whatever means that
// has, and measures.
func TestMeasured(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), here+"=1")
	cmd.SysProcAttr, cmd.WaitDelay = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, time.Second
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "measured everything") {
		t.Fatalf("%v\n%s", err, text)
	}
	if lacks, rest, ok := strings.Cut(text, "lacks "); ok {
		why, _, _ := strings.Cut(rest, "\n")
		t.Skipf("%s%s", lacks, why)
	}
	judge(t, text)
}

// judge reads what was measured.
func judge(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "wrong: ") {
			t.Error(line)
		} else if strings.HasPrefix(line, "measured") {
			t.Log(line)
		}
	}
}

// measure disturbs a pod in each way and measures what an echo from it tells.
func measure() error {
	for _, m := range glob("/module*") {
		data, err := os.ReadFile(m)
		if err != nil {
			return err
		}
		if err := unix.InitModule(data, ""); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", m, err)
		}
	}
	pod, err := podOfGuest()
	if err != nil {
		return err
	}
	conn, err := net.Dial("udp", "192.0.2.2:7")
	if err != nil {
		return err
	}
	first, _, _ := ask100(conn, 1, 1, 10*time.Second)
	fmt.Printf("measured %v for an echo of an undisturbed pod\n", first)
	for _, each := range []struct {
		kind string
		most int // answers that are waited for
		good func(rtt time.Duration, answers, same int) bool
	}{
		{"latency", 100, func(rtt time.Duration, answers, same int) bool {
			return rtt >= latency && rtt < 2*latency && answers == 100 && same == 100
		}},
		{"corruption", 101, func(rtt time.Duration, answers, same int) bool { return same >= 75 && same <= 97 }},
		{"duplication", 200, func(rtt time.Duration, answers, same int) bool { return answers == 200 && same == 200 }},
	} {
		cmd := exec.Command("/proc/self/exe", "-pid", fmt.Sprint(pod), each.kind)
		cmd.Env, cmd.Stderr = []string{asProgram + "=1"}, os.Stdout
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		buf := make([]byte, 4096)
		n, _ := out.Read(buf)
		if bytes.Contains(buf[:n], []byte(`"lacks"`)) {
			fmt.Printf("lacks %s", buf[:n])
			_ = cmd.Wait()
			continue
		}
		rtt, answers, same := ask100(conn, 100, each.most, 4*time.Second)
		fmt.Printf("measured %s of 100: first after %v, %d answers, %d as sent: %s", each.kind, rtt, answers, same, buf[:n])
		if !each.good(rtt, answers, same) {
			fmt.Println("wrong:", each.kind)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || !bytes.Contains(rest, []byte("ended")) {
			fmt.Printf("wrong: %s ended with %v: %s\n", each.kind, err, rest)
		}
		conn.Close() // what is on its way goes to a port that nobody has any more
		if conn, err = net.Dial("udp", "192.0.2.2:7"); err != nil {
			return err
		}
		if rtt, answers, same := ask100(conn, 100, 100, 4*time.Second); rtt > time.Second || answers != 100 || same != 100 {
			fmt.Printf("wrong: after %s: %v, %d answers, %d as sent\n", each.kind, rtt, answers, same)
		}
	}
	return nil
}

// ask100 sends n datagrams and counts the answers, and those that are as they were
// sent, until there are most of them or time is over.
func ask100(conn net.Conn, n, most int, longest time.Duration) (first time.Duration, answers, same int) {
	began := time.Now()
	for i := range n {
		fmt.Fprintf(conn, "datagram %03d %s", i, strings.Repeat("x", 100))
	}
	buf := make([]byte, 2048)
	for answers < most {
		_ = conn.SetReadDeadline(began.Add(longest))
		size, err := conn.Read(buf)
		if err != nil {
			return first, answers, same
		}
		if answers == 0 {
			first = time.Since(began)
		}
		answers++
		if text := string(buf[:size]); strings.HasPrefix(text, "datagram ") && strings.HasSuffix(text, " "+strings.Repeat("x", 100)) {
			same++
		}
	}
	return first, answers, same
}

// podOfGuest starts a process in a network namespace of its own that echoes, and
// joins it to the machine's by a pair of links.
func podOfGuest() (int, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stdout = []string{echo + "=1"}, os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	a, b := "v0", "v1"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: a}, PeerName: b, PeerNamespace: netlink.NsPid(cmd.Process.Pid)}); err != nil {
		return 0, fmt.Errorf("add links: %w", err)
	}
	if err := address(a, "192.0.2.1/24"); err != nil {
		return 0, err
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		return 0, err
	}
	return cmd.Process.Pid, answered("192.0.2.2:7", 10*time.Second)
}

// answered waits until the pod's echo answers: its link comes up in its own time.
func answered(address string, within time.Duration) error {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	for end := time.Now().Add(within); time.Now().Before(end); {
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err = conn.Write([]byte("?")); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("wait %s for the echo at %s: %w", within, address, err)
}

func address(name, prefix string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, a), netlink.LinkSetUp(link))
}

// asEcho is the process that plays the pod: it answers each datagram with itself.
func asEcho() {
	_, _ = os.Stdin.Read(make([]byte, 1)) // the link is there
	if err := address("v1", "192.0.2.2/24"); err != nil {
		fmt.Println("wrong: echo:", err)
	}
	conn, err := net.ListenPacket("udp", "192.0.2.2:7")
	if err != nil {
		fmt.Println("wrong: echo:", err)
		return
	}
	buf := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(buf[:n], from)
	}
}
