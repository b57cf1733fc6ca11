// Command ra2-disturb disturbs one pod of the node that it runs on, for a while,
// and undoes what it did: also when it is told to end before.
//
//	ra2-disturb -pod UID [-container ID] [-for 1m] latency|corruption|duplication|dns|io|memory
//	ra2-disturb -pod UID [-for 1m] unreachable ADDRESS...
//
// It needs the node's processes (hostPID), its cgroups at -cgroups, and the rights
// to enter namespaces. It prints one JSON line when the disturbance began and one
// when it ended. Exit status: 0 done and undone, 1 failed, 2 wrong usage, 3 the
// kernel or the pod has no means for it, and nothing was changed.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How much is done where RA2 says no number (docs/ra2-decisions.md). The latency is
// RA2's (ra2.app.018).
const (
	latency     = 2000 * time.Millisecond
	corruption  = 10        // of 100 packets
	duplication = 100       // of 100 packets
	memoryShare = 90        // of 100 bytes of the container's limit
	memoryFree  = 512 << 20 // without a limit
	ioSize      = 64 << 20  // of the file that is written over and over
)

// Line is one line of output.
type Line struct {
	Event string `json:"event"` // began, ended, lacks, failed
	What  string `json:"what"`
}

// lacks says that there are no means for the disturbance.
type lacks struct{ error }

// task is what the flags say.
type task struct {
	kind, pod, container, cgroups, scratch string
	pid                                    int // of one of its processes, where that is known
	addresses                              []netip.Addr
}

// undo takes a disturbance away and tells what came of it.
type undo func() (string, error)

func main() {
	runtime.LockOSThread() // namespaces are a thread's
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == "child" {
		return child(args[1:], in, out)
	}
	flags := flag.NewFlagSet("ra2-disturb", flag.ContinueOnError)
	flags.SetOutput(errs)
	var t task
	flags.StringVar(&t.pod, "pod", "", "UID of the pod")
	flags.StringVar(&t.container, "container", "", "id of one of its containers")
	flags.IntVar(&t.pid, "pid", 0, "a process of the pod, instead of looking for one")
	flags.StringVar(&t.cgroups, "cgroups", "/sys/fs/cgroup", "where the node's cgroups are")
	flags.StringVar(&t.scratch, "scratch", os.TempDir(), "folder on the node's disk that io writes to")
	how := flags.Duration("for", time.Minute, "how long")
	if flags.Parse(args) != nil {
		return 2
	}
	t.kind = flags.Arg(0)
	for i := 1; i < flags.NArg(); i++ {
		a, err := netip.ParseAddr(flags.Arg(i))
		if err != nil {
			fmt.Fprintf(errs, "ra2-disturb: %v\n", err)
			return 2
		}
		t.addresses = append(t.addresses, a)
	}
	what, back, err := t.begin()
	if err != nil {
		return tell(out, err)
	}
	json.NewEncoder(out).Encode(Line{"began", what})
	ctx, cancel := context.WithTimeout(ctx, *how)
	defer cancel()
	<-ctx.Done()
	if what, err = back(); err != nil {
		return tell(out, fmt.Errorf("undo: %w", err))
	}
	json.NewEncoder(out).Encode(Line{"ended", what})
	return 0
}

// tell prints why nothing was done.
func tell(out io.Writer, err error) int {
	if errors.As(err, new(lacks)) {
		json.NewEncoder(out).Encode(Line{"lacks", err.Error()})
		return 3
	}
	json.NewEncoder(out).Encode(Line{"failed", err.Error()})
	return 1
}

// begin disturbs.
func (t task) begin() (what string, back undo, err error) {
	pid, err := t.find()
	if err != nil {
		return "", nil, err
	}
	switch t.kind {
	case "latency", "corruption", "duplication":
		return netem(pid, t.kind)
	case "dns":
		if t.addresses, err = nameServers(pid); err != nil {
			return "", nil, err
		}
		return unreachable(pid, t.addresses)
	case "unreachable":
		return unreachable(pid, t.addresses)
	case "io", "memory":
		return t.hog(pid)
	}
	return "", nil, fmt.Errorf("%q is no disturbance", t.kind)
}

// find returns a process of the container, or of the pod where none is named: the
// cgroups of both have their ids in their names.
func (t task) find() (int, error) {
	if t.pid > 0 {
		return t.pid, nil
	}
	if t.pod == "" {
		return 0, errors.New("no pod is named")
	}
	procs, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, file := range procs {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		in := strings.ReplaceAll(string(text), "_", "-") // systemd's slices write pod1_2 for pod1-2
		if strings.Contains(in, t.pod) && strings.Contains(in, t.container) {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, lacks{fmt.Errorf("no process of pod %s %s is on this node", t.pod, t.container)}
}

// enter puts this thread into a namespace of a process: "net", "cgroup".
func enter(pid int, kind string) error {
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return err
	}
	defer file.Close()
	number := map[string]uintptr{"amd64": 308, "arm64": 268}[runtime.GOARCH] // setns(2)
	if _, _, errno := syscall.RawSyscall(number, file.Fd(), 0, 0); errno != 0 {
		return fmt.Errorf("enter the %s namespace of process %d: %w", kind, pid, errno)
	}
	return nil
}

// nameServers returns those that a container's resolv.conf(5) names.
func nameServers(pid int) ([]netip.Addr, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/root/etc/resolv.conf", pid))
	if err != nil {
		return nil, lacks{err}
	}
	defer file.Close()
	var all []netip.Addr
	for s := bufio.NewScanner(file); s.Scan(); {
		if words := strings.Fields(s.Text()); len(words) > 1 && words[0] == "nameserver" {
			if a, err := netip.ParseAddr(words[1]); err == nil {
				all = append(all, a)
			}
		}
	}
	if all == nil {
		return nil, lacks{errors.New("the container's resolv.conf names no server")}
	}
	return all, nil
}

// Numbers of rtnetlink(7), tc-netem and linux/rtnetlink.h.
const (
	newQdisc, delQdisc           = 36, 37
	newRoute, delRoute           = 24, 25
	ack, create, exclusive       = 4, 0x400, 0x200
	tcRoot                       = math.MaxUint32
	tcaKind, tcaOptions          = 1, 2
	netemCorrupt, netemLatency64 = 4, 10
	tableMain, routeUnreachable  = 254, 7
	routeByUs                    = 250 // of the numbers that are free for programs
	psched                       = 64  // nanoseconds of a tick
)

// attribute appends an attribute, padded to 4 bytes.
func attribute(to []byte, kind uint16, data []byte) []byte {
	to = binary.NativeEndian.AppendUint16(to, uint16(4+len(data)))
	to = binary.NativeEndian.AppendUint16(to, kind)
	return append(append(to, data...), make([]byte, -len(data)&3)...)
}

func words(all ...uint32) []byte {
	var b []byte
	for _, w := range all {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	return b
}

// share returns a percentage as netem counts: of 2^32-1.
func share(percent int) uint32 { return uint32(uint64(math.MaxUint32) * uint64(percent) / 100) }

// qdisc returns the message about the root qdisc of a link (struct tcmsg, then
// struct tc_netem_qopt).
func qdisc(link int, kind string) []byte {
	msg := append(words(0, uint32(link), 0x10000, tcRoot), words(0)...)
	msg = attribute(msg, tcaKind, []byte("netem\x00"))
	var delay, duplicate uint32
	var more []byte
	switch kind {
	case "latency":
		delay = uint32(latency.Nanoseconds() / psched)
		more = attribute(nil, netemLatency64, binary.NativeEndian.AppendUint64(nil, uint64(latency)))
	case "corruption":
		more = attribute(nil, netemCorrupt, words(share(corruption), 0))
	case "duplication":
		duplicate = share(duplication)
	}
	const limit = 100_000 // packets that wait: of 1 Gb/s for 1 s; netem's own 1000 would drop instead of delay
	return attribute(msg, tcaOptions, append(words(delay, limit, 0, 0, duplicate, 0), more...))
}

// netem puts netem on each link of a pod.
func netem(pid int, kind string) (string, undo, error) {
	if err := enter(pid, "net"); err != nil {
		return "", nil, err
	}
	links, err := net.Interfaces()
	if err != nil {
		return "", nil, err
	}
	var on []net.Interface
	back := func() (string, error) {
		var errs []error
		for _, l := range on {
			errs = append(errs, ask(delQdisc, 0, qdisc(l.Index, kind)))
		}
		return fmt.Sprintf("%s was on %d links", kind, len(on)), errors.Join(errs...)
	}
	var names []string
	for _, l := range links {
		if l.Flags&net.FlagLoopback != 0 || l.Flags&net.FlagUp == 0 {
			continue
		}
		if err := ask(newQdisc, create|exclusive, qdisc(l.Index, kind)); err != nil {
			_, undone := back()
			return "", nil, errors.Join(meansOf(err, l.Name), undone)
		}
		on, names = append(on, l), append(names, l.Name)
	}
	if on == nil {
		return "", nil, lacks{errors.New("the pod has no link but loopback")}
	}
	how := map[string]string{
		"latency": fmt.Sprintf("%d ms of latency", latency.Milliseconds()), "corruption": fmt.Sprintf("%d of 100 packets corrupted", corruption),
		"duplication": fmt.Sprintf("%d of 100 packets sent twice", duplication),
	}
	return how[kind] + " on " + strings.Join(names, ", "), back, nil
}

// meansOf says whether a refusal means that there are no means.
func meansOf(err error, link string) error {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EOPNOTSUPP):
		return lacks{fmt.Errorf("the node's kernel has no netem (module sch_netem): %w", err)}
	case errors.Is(err, syscall.EEXIST):
		return lacks{fmt.Errorf("%s has a qdisc of its own already, which isn't ours to remove", link)}
	}
	return fmt.Errorf("netem on %s: %w", link, err)
}

// route returns the message about an unreachable route (struct rtmsg).
func route(a netip.Addr) []byte {
	family := byte(syscall.AF_INET)
	if a.Is6() {
		family = syscall.AF_INET6
	}
	msg := []byte{family, byte(a.BitLen()), 0, 0, tableMain, routeByUs, 0, routeUnreachable, 0, 0, 0, 0}
	return attribute(msg, 1, a.AsSlice()) // RTA_DST
}

// unreachable takes the ways to some addresses away from a pod.
func unreachable(pid int, all []netip.Addr) (string, undo, error) {
	if len(all) == 0 {
		return "", nil, lacks{errors.New("no address is named")}
	}
	if err := enter(pid, "net"); err != nil {
		return "", nil, err
	}
	var done []netip.Addr
	back := func() (string, error) {
		var errs []error
		for _, a := range done {
			errs = append(errs, ask(delRoute, 0, route(a)))
		}
		return fmt.Sprintf("%v can be reached again", done), errors.Join(errs...)
	}
	for _, a := range all {
		if err := ask(newRoute, create|exclusive, route(a)); err != nil {
			_, undone := back()
			return "", nil, errors.Join(fmt.Errorf("make %v unreachable: %w", a, err), undone)
		}
		done = append(done, a)
	}
	return fmt.Sprintf("%v can't be reached", done), back, nil
}

// ask sends one message of rtnetlink and waits for the kernel's answer.
func ask(kind, flags uint16, body []byte) error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	msg := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	msg = binary.NativeEndian.AppendUint16(msg, kind)
	msg = binary.NativeEndian.AppendUint16(msg, 1|ack|flags)
	msg = append(append(msg, words(1, 0)...), body...)
	if err := syscall.Sendto(fd, msg, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 8192)
	n, _, err := syscall.Recvfrom(fd, buf, 0)
	if err != nil {
		return err
	}
	answers, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil {
		return err
	}
	for _, a := range answers {
		if code := int32(binary.NativeEndian.Uint32(append(a.Data, 0, 0, 0, 0))); a.Header.Type == syscall.NLMSG_ERROR && code != 0 {
			return syscall.Errno(-code)
		}
	}
	return nil
}

// hog starts a process in the cgroups of a container, so that what it takes is the
// container's.
func (t task) hog(pid int) (string, undo, error) {
	groups, err := t.groups(pid)
	if err != nil {
		return "", nil, err
	}
	args, what := []string{"child", "io", t.scratch}, fmt.Sprintf("%d MiB written over and over, each block to the disk", ioSize>>20)
	if t.kind == "memory" {
		size, of := memorySize(groups)
		args, what = []string{"child", "memory", strconv.FormatInt(size, 10)}, fmt.Sprintf("%d MiB of memory taken, %s", size>>20, of)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	var said bytes.Buffer
	cmd.Stdout = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end := func() (string, error) {
		in.Close()
		err := cmd.Wait()
		if cmd.ProcessState.Success() {
			err = nil
		}
		return strings.TrimSpace(said.String() + fmt.Sprint(" ", cmd.ProcessState)), ignoreKill(err)
	}
	for _, g := range groups {
		if err := os.WriteFile(filepath.Join(g, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
			cmd.Process.Kill()
			end()
			return "", nil, lacks{fmt.Errorf("put a process into the container's cgroup: %w", err)}
		}
	}
	_, err = in.Write([]byte{'\n'}) // go
	return what, end, err
}

// ignoreKill takes the kernel's ending of a hog for what it is: an outcome.
func ignoreKill(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil
	}
	return err
}

// groups returns the folders of the cgroups of a process: one with cgroup v2, one
// for each controller that matters with v1.
func (t task) groups(pid int) ([]string, error) {
	// Paths are relative to the reader's own root. Who may not enter may be there
	// already; else the folder isn't found below.
	_ = enter(1, "cgroup")
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		switch parts[1] {
		case "", "memory", "blkio":
			if dir, ok := below(filepath.Join(t.cgroups, parts[1]), parts[2]); ok {
				all = append(all, dir)
			}
		}
	}
	if all == nil {
		return nil, lacks{fmt.Errorf("the cgroup of the container is not below %s", t.cgroups)}
	}
	return all, nil
}

// below finds the folder of a cgroup. What is mounted may begin further down than the
// path does: a node that is itself a container sees only its own part.
func below(root, path string) (string, bool) {
	for rest := strings.Trim(filepath.Clean("/"+path), "/"); rest != ""; {
		if _, err := os.Stat(filepath.Join(root, rest, "cgroup.procs")); err == nil {
			return filepath.Join(root, rest), true
		}
		_, rest, _ = strings.Cut(rest, "/")
	}
	return "", false
}

// memorySize returns how much is left of a container's memory until its share is
// taken.
func memorySize(groups []string) (int64, string) {
	for _, g := range groups {
		for _, names := range [][2]string{{"memory.max", "memory.current"}, {"memory.limit_in_bytes", "memory.usage_in_bytes"}} {
			limit, used := number(g, names[0]), number(g, names[1])
			if limit > 0 && limit < 1<<50 { // v1 writes a very large number for none
				return max(0, limit*memoryShare/100-used), fmt.Sprintf("to %d of 100 of the container's limit of %d MiB", memoryShare, limit>>20)
			}
		}
	}
	return memoryFree, "the container has no limit"
}

func number(dir, name string) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, name))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// child takes memory or writes, once it is told that it is in its cgroup, until
// its input ends.
func child(args []string, in io.Reader, out io.Writer) int {
	if len(args) != 2 {
		return 2
	}
	from := bufio.NewReader(in)
	if _, err := from.ReadByte(); err != nil {
		return 1
	}
	if args[0] == "io" {
		return write(args[1], from, out)
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return 2
	}
	block, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	for i := 0; i < len(block); i += os.Getpagesize() {
		block[i] = 1
	}
	fmt.Fprintf(out, "%d MiB were held", size>>20)
	from.ReadByte()
	return 0
}

// write writes a file over and over, each block to the disk, until its input ends.
func write(dir string, in io.Reader, out io.Writer) int {
	file, err := os.CreateTemp(dir, "ra2-disturb-")
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	defer file.Close()
	os.Remove(file.Name()) // gone with the process, whatever ends it
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, in)
		close(ended)
	}()
	block := make([]byte, 1<<20)
	for n := int64(0); ; n++ {
		select {
		case <-ended:
			fmt.Fprintf(out, "%d MiB were written", n)
			return 0
		default:
		}
		if _, err := file.WriteAt(block, n<<20%ioSize); err != nil {
			fmt.Fprintln(out, err)
			return 1
		}
		if err := file.Sync(); err != nil {
			fmt.Fprintln(out, err)
			return 1
		}
	}
}
