package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// find returns the oldest process of the container, or of the pod where none is named:
// the cgroups of both have their ids in their names.
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
	best, born := 0, uint64(math.MaxUint64)
	for _, file := range procs {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		in := strings.ReplaceAll(string(text), "_", "-") // systemd's slices write pod1_2 for pod1-2
		if !strings.Contains(in, t.pod) || !strings.Contains(in, t.container) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if at := started(pid); err == nil && at < born {
			best, born = pid, at
		}
	}
	if best == 0 {
		return 0, lacks{fmt.Errorf("no process of pod %s %s is on this node", t.pod, t.container)}
	}
	return best, nil
}

// started returns when a process started, in the node's ticks (proc_pid_stat(5),
// field 22). The oldest of a container is the one that it ends with: others may be
// probes.
func started(pid int) uint64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // a name may hold anything
	if len(fields) < 20 {
		return math.MaxUint64
	}
	at, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return at
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

// enterNet puts this thread into a pod's network, unless that is the node's: what is
// done there is done to all of the node.
func enterNet(pid int) error {
	pods, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	for _, of := range []string{"1", "self"} {
		if nodes, err := os.Readlink("/proc/" + of + "/ns/net"); err == nil && nodes == pods {
			return lacks{errors.New("the pod uses the node's network, and the whole node would be disturbed")}
		}
	}
	return enter(pid, "net")
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
