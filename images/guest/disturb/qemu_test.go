package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ulikunitz/xz"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Few machines on which tests run have netem. TestNetemInQEMU boots Debian's kernel,
// whose first process is this very test: it makes a pod of a network namespace,
// lets the program disturb it, and measures.

var lab = flag.Bool("lab", false, "start QEMU")

// guest is set on the kernel line, and so in the environment of the first process;
// echo is set for the process that plays the pod.
const (
	guest = "RA2_DISTURB_TEST_IS_GUEST"
	echo  = "RA2_DISTURB_TEST_IS_ECHO"
)

func TestNetemInQEMU(t *testing.T) {
	if !*lab {
		t.Skip("starts QEMU: run go test ./images/guest/disturb -lab")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skipf("needs QEMU: %v", err)
	}
	kernel, modules := kernelPackage(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-cx16", "-m", "768", "-nographic", "-no-reboot", "-nic", "none",
		"-kernel", kernel, "-initrd", initrd(t, modules), "-append", "console=ttyS0 quiet panic=-1 mitigations=off "+guest+"=1").CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "measured everything") {
		t.Fatalf("%v\n%s", err, text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "wrong: ") {
			t.Error(line)
		} else if strings.HasPrefix(line, "measured") {
			t.Log(line)
		}
	}
}

// kernelPackage returns Debian's kernel and the modules netem and veth, which an
// image build keeps.
func kernelPackage(t *testing.T) (kernel string, modules []string) {
	t.Helper()
	cache := os.Getenv("RA2_CACHE")
	if cache == "" {
		cache = "/var/cache/ra2-deploy"
	}
	for _, dir := range glob(cache + "/package/*") {
		k, n, v := glob(dir+"/boot/vmlinuz-*"), glob(dir+"/usr/lib/modules/*/kernel/net/sched/sch_netem.ko*"), glob(dir+"/usr/lib/modules/*/kernel/drivers/net/veth.ko*")
		if len(k) > 0 && len(n) > 0 && len(v) > 0 {
			return k[0], []string{n[0], v[0]}
		}
	}
	t.Skipf("needs a kernel with netem: `image build` leaves one in %s", cache)
	return "", nil
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// initrd packs this test and the modules. It has to be static: there is nothing else.
func initrd(t *testing.T, modules []string) string {
	t.Helper()
	if info, err := buildinfo.ReadFile("/proc/self/exe"); err == nil {
		for _, s := range info.Settings {
			if s.Key == "CGO_ENABLED" && s.Value != "0" {
				t.Skip("needs CGO_ENABLED=0: it is the only program of the machine")
			}
		}
	}
	var out bytes.Buffer
	add := func(name string, mode int, data []byte) {
		fmt.Fprintf(&out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", out.Len(), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		out.WriteString(name + "\x00")
		out.Write(make([]byte, -out.Len()&3))
		out.Write(data)
		out.Write(make([]byte, -out.Len()&3))
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	add("init", 0o100755, self)
	for _, dir := range []string{"proc", "sys", "tmp", "dev"} {
		add(dir, 0o40755, nil)
	}
	for i, m := range modules {
		add(fmt.Sprintf("module%d", i), 0o100644, unpacked(t, m))
	}
	add("TRAILER!!!", 0, nil)
	path := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) != ".xz" {
		return data
	}
	r, err := xz.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// asGuest is the first process of the machine. It never returns.
func asGuest() {
	runtime.LockOSThread()
	for _, dir := range []string{"proc", "sysfs", "devtmpfs"} {
		at := map[string]string{"proc": "/proc", "sysfs": "/sys", "devtmpfs": "/dev"}[dir]
		if err := unix.Mount(dir, at, dir, 0, ""); err != nil {
			fmt.Println("wrong: mount", dir, err)
		}
	}
	if err := measure(); err != nil {
		fmt.Println("wrong:", err)
	}
	fmt.Println("measured everything")
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // -no-reboot ends QEMU
	select {}
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
	first, _, _ := ask100(conn, 1, 10*time.Second)
	fmt.Printf("measured %v for an echo of an undisturbed pod\n", first)
	for _, each := range []struct {
		kind string
		good func(rtt time.Duration, answers, same int) bool
	}{
		{"latency", func(rtt time.Duration, answers, same int) bool {
			return rtt >= latency && rtt < 2*latency && answers == 100 && same == 100
		}},
		{"corruption", func(rtt time.Duration, answers, same int) bool { return same >= 75 && same <= 97 }},
		{"duplication", func(rtt time.Duration, answers, same int) bool { return answers == 200 && same == 200 }},
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
		rtt, answers, same := ask100(conn, 100, 8*time.Second)
		fmt.Printf("measured %s of 100: first after %v, %d answers, %d as sent: %s", each.kind, rtt, answers, same, buf[:n])
		if !each.good(rtt, answers, same) {
			fmt.Println("wrong:", each.kind)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || !bytes.Contains(rest, []byte("ended")) {
			fmt.Printf("wrong: %s ended with %v: %s\n", each.kind, err, rest)
		}
		time.Sleep(3 * time.Second) // what was on its way may arrive
		conn.Close()
		if conn, err = net.Dial("udp", "192.0.2.2:7"); err != nil {
			return err
		}
		if rtt, answers, same := ask100(conn, 100, 2*time.Second); rtt > time.Second || answers != 100 || same != 100 {
			fmt.Printf("wrong: after %s: %v, %d answers, %d as sent\n", each.kind, rtt, answers, same)
		}
	}
	return nil
}

// ask100 sends datagrams and counts the answers, and those that are as they were
// sent, until none comes any more.
func ask100(conn net.Conn, n int, longest time.Duration) (first time.Duration, answers, same int) {
	began := time.Now()
	for i := range n {
		fmt.Fprintf(conn, "datagram %03d %s", i, strings.Repeat("x", 100))
	}
	buf := make([]byte, 2048)
	for {
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
}

// podOfGuest starts a process in a network namespace of its own that echoes, and
// joins it to the machine's by a pair of links.
func podOfGuest() (int, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stdout = []string{echo + "=1"}, os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
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
