package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// Hierarchies lists the cgroup file systems of the host from the text of
// /proc/self/mountinfo (proc_pid_mountinfo(5)).
func Hierarchies(mountinfo string) []Cgroup {
	var found []Cgroup
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		fields, tail := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 5 || len(tail) < 3 || (tail[0] != "cgroup" && tail[0] != "cgroup2") {
			continue
		}
		mount, inside := strings.CutPrefix(fields[4], cgroupRoot)
		if !inside || fields[3] != "/" || seen[mount] {
			continue
		}
		seen[mount] = true
		found = append(found, Cgroup{Mount: strings.Trim(mount, "/"), Kind: tail[0], Options: cgroupOptions(tail[0], tail[2])})
	}
	return found
}

// cgroupOptions keeps the options that name the hierarchy.
func cgroupOptions(kind, options string) string {
	if kind == "cgroup2" {
		return ""
	}
	var keep []string
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case o == "rw" || o == "ro" || o == "xattr" || o == "clone_children" || strings.HasPrefix(o, "release_agent="):
		case strings.HasPrefix(o, "name="):
			keep = append(keep, "none", o)
		default:
			keep = append(keep, o)
		}
	}
	return strings.Join(keep, ",")
}

// group is one machine's part of a hierarchy on the host.
func group(c Cgroup, lab, machine string) string {
	return filepath.Join(cgroupRoot, c.Mount, "ra2-"+lab, machine)
}

// enterCgroups makes the machine's cgroups and moves a process into them.
func enterCgroups(all []Cgroup, lab, machine string, pid int) error {
	for _, c := range all {
		dir := group(c, lab, machine)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make cgroup %s: %w", dir, err)
		}
		if c.Kind == "cgroup2" {
			delegate(filepath.Dir(filepath.Dir(dir)))
			delegate(filepath.Dir(dir))
		}
		if strings.Contains(c.Options, "cpuset") {
			inheritCPUs(filepath.Dir(dir))
			inheritCPUs(dir)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("move process %d into cgroup %s: %w", pid, dir, err)
		}
	}
	return nil
}

// delegate switches on what the parent has; a controller that is not there, or
// is used by a v1 hierarchy, stays off.
func delegate(dir string) {
	for _, c := range []string{"cpu", "memory", "pids", "io", "cpuset", "hugetlb"} {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
	}
}

// inheritCPUs fills a new cpuset, which is empty in cgroup v1 and then takes
// no process.
func inheritCPUs(dir string) {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if now, err := os.ReadFile(filepath.Join(dir, file)); err == nil && strings.TrimSpace(string(now)) == "" {
			if above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file)); err == nil {
				_ = os.WriteFile(filepath.Join(dir, file), above, 0)
			}
		}
	}
	_ = os.WriteFile(filepath.Join(dir, "cgroup.clone_children"), []byte("1"), 0)
}

// RemoveCgroups removes the cgroups of a whole lab.
func RemoveCgroups(lab string, deadline time.Duration) error { return removeCgroups(lab, "", deadline) }

// removeCgroups removes the cgroups of one machine, or of all. A killed
// process leaves its cgroup a moment later, so this tries until the deadline.
func removeCgroups(lab, machine string, deadline time.Duration) error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	end := time.Now().Add(deadline)
	for _, c := range Hierarchies(string(info)) {
		dir := group(c, lab, machine)
		for {
			err := removeTree(dir)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("remove cgroup %s: %w", dir, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// Members returns the processes in all cgroups of a lab.
func Members(lab string) []int {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var pids []int
	seen := map[int]bool{}
	for _, c := range Hierarchies(string(info)) {
		_ = filepath.WalkDir(filepath.Dir(group(c, lab, "x")), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return nil
			}
			text, _ := os.ReadFile(path)
			for _, word := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(word); err == nil && !seen[pid] {
					seen[pid] = true
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// Enter moves a process of a machine into the machine's cgroups, where Members
// finds it.
func Enter(lab, machine string, pid int) error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	return enterCgroups(Hierarchies(string(info)), lab, machine, pid)
}
