package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hogging is a process in the cgroups of a container.
type hogging struct {
	cmd    *exec.Cmd
	in     io.Closer
	said   *bufio.Reader
	began  time.Time
	ended  chan struct{} // closed when the container has ended: its cgroups have to be left then
	undone chan struct{} // closed when nobody watches the container any more
}

// hog starts a process in the cgroups of a container, so that what it takes is the
// container's. It has begun when the process says that it took some.
func (t task) hog(pid int) (string, disturbance, error) {
	groups, err := t.groups(pid)
	if err != nil {
		return "", nil, err
	}
	args, what, count := []string{"child", "io", t.scratch}, fmt.Sprintf("%d MiB written over and over, each block to the disk", ioSize>>20), func() int64 { return 0 }
	if t.kind == "memory" {
		m, ok := memoryOf(groups)
		if !ok {
			return "", nil, lacks{errors.New("no cgroup counts the container's memory")}
		}
		size, of := m.share()
		if err := fits(size, of); err != nil {
			return "", nil, err
		}
		args, what, count = []string{"child", "memory", strconv.FormatInt(size, 10)}, fmt.Sprintf("%d MiB of memory taken, %s", size>>20, of), m.usage
	}
	before := count()
	h, err := hogIn(groups, args)
	if err != nil {
		return "", nil, err
	}
	first, err := h.said.ReadString('\n')
	if err != nil {
		_, _, undone := h.undo()
		return "", nil, lacks{errors.Join(fmt.Errorf("it took nothing: %s %v", first, h.cmd.ProcessState), undone)}
	}
	if now := count(); now > before {
		what += fmt.Sprintf(": it uses %d MiB, %d before", now>>20, before>>20)
	}
	go h.watch(pid)
	return what, h, nil
}

// fits says why so much memory may not be taken.
func fits(size int64, of string) error {
	const spare = 256 << 20 // the node has to live on
	switch {
	case size < 1<<20:
		return lacks{fmt.Errorf("nothing can be taken %s: it uses more already", of)}
	case available() < size+spare:
		return lacks{fmt.Errorf("%d MiB would be taken (%s), and the node has only %d MiB left: others on it would suffer", size>>20, of, available()>>20)}
	}
	return nil
}

// hogIn starts this program as a child that waits, puts it into cgroups, and lets it go.
func hogIn(groups, args []string) (*hogging, error) {
	h := &hogging{cmd: exec.Command("/proc/self/exe", args...), began: time.Now(), ended: make(chan struct{}), undone: make(chan struct{})}
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.said = in, bufio.NewReader(out)
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	for _, g := range groups {
		if err := os.WriteFile(filepath.Join(g, "cgroup.procs"), []byte(strconv.Itoa(h.cmd.Process.Pid)), 0o644); err != nil {
			h.cmd.Process.Kill()
			_, _, undone := h.undo()
			return nil, lacks{errors.Join(fmt.Errorf("put a process into the container's cgroup: %w", err), undone)}
		}
	}
	_, err = in.Write([]byte{'\n'}) // go
	return h, err
}

// watch ends the process with the container: a cgroup that isn't empty can't be
// removed, and the node would keep the container.
func (h *hogging) watch(pid int) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-h.undone:
			return
		case <-tick.C:
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/ns", pid)); err != nil {
			h.cmd.Process.Kill()
			close(h.ended)
			return
		}
	}
}

// over implements disturbance.
func (h *hogging) over() <-chan struct{} { return h.ended }

// undo implements disturbance. The kernel's ending of a hog is an outcome, like its own.
func (h *hogging) undo() (string, bool, error) {
	close(h.undone)
	h.in.Close()
	rest, _ := io.ReadAll(h.said)
	_ = h.cmd.Wait() // the state tells
	seen := strings.TrimSpace(string(rest))
	select {
	case <-h.ended:
		return "the container ended meanwhile, and this with it", true, nil
	default:
	}
	if seen == "" {
		seen = fmt.Sprintf("it ended by itself (%v) within %v", h.cmd.ProcessState, time.Since(h.began).Round(time.Second))
	}
	return seen, h.cmd.ProcessState.Success(), nil
}
