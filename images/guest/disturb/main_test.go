package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test's own binary is the program, when this variable says so.
const asProgram = "RA2_DISTURB_TEST_IS_PROGRAM"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asProgram) != "":
		main()
	case os.Getenv(guest) != "" && os.Getpid() == 1:
		asGuest()
	case os.Getenv(counts) != "":
		asCounter()
		os.Exit(0)
	case os.Getenv(here) != "":
		runtime.LockOSThread()
		if err := measure(); err != nil {
			fmt.Println("wrong:", err)
		}
		fmt.Println("measured everything")
		os.Exit(0)
	case os.Getenv(echo) != "":
		asEcho()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// running is a disturbance that began.
type running struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// begin starts the program and returns its first line.
func begin(t *testing.T, args ...string) (*running, Line) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	r := &running{cmd, bufio.NewScanner(out)}
	return r, r.line(t)
}

func (r *running) line(t *testing.T) Line {
	t.Helper()
	var l Line
	if !r.lines.Scan() {
		return l
	}
	if err := json.Unmarshal(r.lines.Bytes(), &l); err != nil {
		t.Fatalf("%s: %v", r.lines.Text(), err)
	}
	return l
}

// end ends it as a kubelet does, and returns its last line.
func (r *running) end(t *testing.T) (Line, int) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	l := r.line(t)
	r.cmd.Wait()
	return l, r.cmd.ProcessState.ExitCode()
}

// pod starts a process in a network namespace of its own, with a link.
func pod(t *testing.T, commands ...string) int {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	for _, tool := range []string{"ip", "tc", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs iproute2 and util-linux: it reads back what was done with ip and tc")
		}
	}
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Skipf("needs network namespaces: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for _, c := range commands {
		insideOf(t, cmd.Process.Pid, c)
	}
	return cmd.Process.Pid
}

// insideOf runs a command in the network namespace of a process.
func insideOf(t *testing.T, pid int, command string) string {
	t.Helper()
	out, err := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(pid), "-n"}, strings.Fields(command)...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

func TestUnreachable(t *testing.T) {
	pid := pod(t, "ip link set lo up", "ip link add v0 type veth peer name v1", "ip addr add 192.0.2.1/24 dev v0", "ip -6 addr add fd00:17::1/64 dev v0 nodad", "ip link set v0 up", "ip link set v1 up")
	// Link-local routes come when they will, and aren't ours.
	routes := func() string {
		return insideOf(t, pid, "ip route show type unreachable") + insideOf(t, pid, "ip -6 route show type unreachable")
	}
	before := routes()
	r, l := begin(t, "-pid", strconv.Itoa(pid), "unreachable", "192.0.2.53", "fd00:17::53")
	if l.Event != "began" || l.What != "[192.0.2.53 fd00:17::53] can't be reached" {
		t.Fatalf("%+v", l)
	}
	for _, want := range []string{"unreachable 192.0.2.53 proto 250", "unreachable fd00:17::53 dev lo proto 250"} {
		if !strings.Contains(routes(), want) {
			t.Errorf("no %q in\n%s", want, routes())
		}
	}
	if l, code := r.end(t); l.Event != "ended" || code != 0 || routes() != before {
		t.Errorf("%+v, exit status %d, routes\n%s", l, code, routes())
	}
	// What was unreachable before is nobody's work here, and stays; what a killed run of ours has left goes.
	insideOf(t, pid, "ip route add unreachable 192.0.2.53")
	if _, l := begin(t, "-pid", strconv.Itoa(pid), "unreachable", "192.0.2.53"); l.Event != "lacks" || !strings.Contains(l.What, "192.0.2.53: no route to host") {
		t.Errorf("%+v", l)
	}
	insideOf(t, pid, "ip route add unreachable 192.0.2.54 proto 250")
	before = routes()
	if r, l := begin(t, "-pid", strconv.Itoa(pid), "unreachable", "192.0.2.53", "192.0.2.54"); l.What != "[192.0.2.54] can't be reached" {
		t.Errorf("%+v", l)
	} else if l, code := r.end(t); l.Event != "ended" || code != 0 || routes() == before || !strings.Contains(routes(), "192.0.2.53") {
		t.Errorf("%+v, exit status %d, routes\n%s", l, code, routes())
	}
}

// TestLinks wants of each kind that it is on the link, as tc reads it back, and
// gone afterwards; or that the kernel's lack of means is said and nothing changed.
// What comes of it TestMeasured measures.
func TestLinks(t *testing.T) {
	for kind, want := range map[string]string{"latency": "delay 2s", "corruption": "corrupt 10%", "duplication": "duplicate 100%"} {
		pid := pod(t, "ip link add v0 type veth peer name v1", "ip link set v0 up", "ip link set v1 up")
		made := func() string { // a link's state comes when it will
			return insideOf(t, pid, "tc qdisc show") + fmt.Sprint(strings.Count(insideOf(t, pid, "ip -o link"), "\n"), " links")
		}
		before := made()
		r, l := begin(t, "-pid", strconv.Itoa(pid), kind)
		switch got := insideOf(t, pid, "tc qdisc show dev v0"); {
		case l.Event == "lacks":
			t.Logf("%s: %s", kind, l.What)
		case l.Event != "began" || !strings.Contains(l.What, " by "):
			t.Errorf("%+v", l)
		case strings.Contains(l.What, "by netem") && !strings.Contains(got, want), strings.Contains(l.What, "by a detour") && !strings.Contains(got, "clsact"):
			t.Errorf("%s: tc shows %q", l.What, got)
		}
		if l.Event == "began" { // nobody answers an echo, and nothing is sent: no effect is seen
			if l, code := r.end(t); l.Event != "unproven" || code != 3 {
				t.Errorf("%+v, exit status %d", l, code)
			}
		}
		if after := made(); after != before {
			t.Errorf("%s: there was\n%sand is\n%s", kind, before, after)
		}
	}
}

// TestNodesNetwork wants that what shares the node's network is left alone.
func TestNodesNetwork(t *testing.T) {
	for _, args := range [][]string{{"latency"}, {"unreachable", "192.0.2.53"}} {
		_, l := begin(t, append([]string{"-pid", strconv.Itoa(os.Getpid())}, args...)...)
		if l.Event != "lacks" || !strings.Contains(l.What, "the whole node would be disturbed") {
			t.Errorf("%v: %+v", args, l)
		}
	}
}

// group makes a cgroup with 256 MiB of memory and a process in it.
func group(t *testing.T) (dir string, pid int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a cgroup")
	}
	root, limit := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(root); err != nil {
		root, limit = "/sys/fs/cgroup", "memory.max"
	}
	dir = filepath.Join(root, fmt.Sprintf("ra2-disturb-test-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("needs cgroups that can be written: %v", err)
	}
	cmd := exec.Command("sleep", "600")
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{limit: "268435456", "cgroup.procs": strconv.Itoa(cmd.Process.Pid)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Skipf("needs cgroups with a memory controller: %v", err)
		}
	}
	return dir, cmd.Process.Pid
}

func TestMemory(t *testing.T) {
	dir, pid := group(t)
	r, l := begin(t, "-pid", strconv.Itoa(pid), "memory")
	if l.Event != "began" || !strings.Contains(l.What, "to 90 of 100 of the container's limit of 256 MiB") {
		t.Fatalf("%+v", l)
	}
	used := func() int64 { return max(number(dir, "memory.usage_in_bytes"), number(dir, "memory.current")) >> 20 }
	for deadline := time.Now().Add(20 * time.Second); used() < 225; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d MiB are used", used())
		}
	}
	if l, code := r.end(t); l.Event != "ended" || code != 0 || !strings.Contains(l.What, "MiB were held") || used() > 100 {
		t.Errorf("%+v, exit status %d, %d MiB are used", l, code, used())
	}
}

func TestIO(t *testing.T) {
	_, pid := group(t)
	scratch := t.TempDir()
	r, l := begin(t, "-pid", strconv.Itoa(pid), "-scratch", scratch, "-for", "500ms", "io")
	if l.Event != "began" {
		t.Fatalf("%+v", l)
	}
	var n int
	if l := r.line(t); l.Event != "ended" {
		t.Errorf("%+v", l)
	} else if _, err := fmt.Sscanf(l.What, "%d MiB were written", &n); err != nil || n == 0 {
		t.Errorf("%+v", l)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBelow(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "kubepods/pod1/c"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "kubepods/pod1/c"} {
		if err := os.WriteFile(filepath.Join(root, dir, "cgroup.procs"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := filepath.Join(root, "kubepods/pod1/c")
	for _, path := range []string{"/kubepods/pod1/c", "/site/w-a/kubepods/pod1/c", "/../../kubepods/pod1/c"} {
		if got, ok := below(root, path); got != want || !ok {
			t.Errorf("%s: %s, %v", path, got, ok)
		}
	}
	for _, path := range []string{"/", "", "/kubepods/pod2/d"} {
		if got, ok := below(root, path); ok {
			t.Errorf("%s: %s: that is not the container's", path, got)
		}
	}
}

func TestNameServers(t *testing.T) {
	// This process's own root is read: it has a resolv.conf, or it hasn't.
	all, err := nameServers(os.Getpid())
	if text, _ := os.ReadFile("/etc/resolv.conf"); strings.Contains("\n"+string(text), "\nnameserver ") != (len(all) > 0) || (err != nil) == (len(all) > 0) {
		t.Errorf("%v, %v of\n%s", all, err, text)
	}
}

func TestRefuses(t *testing.T) {
	for args, want := range map[string]int{
		"-pod 00000000-0000-0000-0000-000000000000 latency": 3, "latency": 1, "-pid 1 nonsense": 1, "-pid 1 unreachable x": 2, "-nonsense": 2, "-pid 1 unreachable": 3,
	} {
		var out strings.Builder
		if code := run(t.Context(), strings.Fields(args), strings.NewReader(""), &out, io.Discard); code != want {
			t.Errorf("%s: exit status %d, %s", args, code, &out)
		}
	}
}
