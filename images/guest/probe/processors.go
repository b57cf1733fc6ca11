package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Processors is one line about processors.
type Processors struct {
	CPUs string `json:"cpus"` // that the kernel lets it run on, as /proc/self/status says: "0-1,4"
	NUMA []int  `json:"numa"` // nodes that these are of; empty where the kernel shows none
}

// watch tells of its processors, and again when others are given to it.
func watch(ctx context.Context, out io.Writer) int {
	for last := "none"; ; {
		p := processors("/")
		if p.CPUs != last {
			json.NewEncoder(out).Encode(p)
			last = p.CPUs
		}
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(time.Second):
		}
	}
}

// processors tells on which processors the kernel lets this program run, and of
// which NUMA nodes they are (proc_pid_status(5); Documentation/ABI/stable/sysfs-devices-node).
func processors(root string) (p Processors) {
	status, err := os.ReadFile(filepath.Join(root, "proc/self/status"))
	if err != nil {
		return p
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			p.CPUs = strings.TrimSpace(value)
		}
	}
	mine := members(p.CPUs)
	for n := 0; ; n++ {
		text, err := os.ReadFile(filepath.Join(root, "sys/devices/system/node", "node"+strconv.Itoa(n), "cpulist"))
		if err != nil { // numbers have gaps only where nodes were taken away
			return p
		}
		for cpu := range members(strings.TrimSpace(string(text))) {
			if mine[cpu] {
				p.NUMA = append(p.NUMA, n)
				break
			}
		}
	}
}

// members reads the kernel's form of a list: "0-1,40".
func members(list string) map[int]bool {
	all := map[int]bool{}
	for part := range strings.SplitSeq(list, ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		last := first
		if ranged {
			if last, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		for n := first; n <= last; n++ {
			all[n] = true
		}
	}
	return all
}
