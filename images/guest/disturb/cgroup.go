package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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

// memory is a cgroup that counts memory, with the names of its files.
type memory struct{ dir, limit, used string }

// memoryOf returns the one that counts, among the cgroups of a container.
func memoryOf(groups []string) (memory, bool) {
	for _, g := range groups {
		for _, m := range []memory{{g, "memory.max", "memory.current"}, {g, "memory.limit_in_bytes", "memory.usage_in_bytes"}} {
			if _, err := os.Stat(filepath.Join(g, m.used)); err == nil {
				return m, true
			}
		}
	}
	return memory{}, false
}

// usage returns the bytes that are used.
func (m memory) usage() int64 { return number(m.dir, m.used) }

// share returns how much is left until the container's share is taken.
func (m memory) share() (int64, string) {
	if limit := number(m.dir, m.limit); limit > 0 && limit < 1<<50 { // v1 writes a very large number for none
		return limit*memoryShare/100 - m.usage(), fmt.Sprintf("to %d of 100 of the container's limit of %d MiB", memoryShare, limit>>20)
	}
	return memoryFree, "the container has no limit"
}

func number(dir, name string) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, name))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// available returns how much memory the node has left (proc_meminfo(5)).
func available() int64 {
	text, _ := os.ReadFile("/proc/meminfo")
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(words[0], 10, 64)
	return n << 10
}
