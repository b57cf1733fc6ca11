// Command ra2-disturb disturbs one pod of the node that it runs on, for a while,
// and undoes what it did: also when it is told to end before.
//
//	ra2-disturb -pod UID [-container ID] [-for 1m] latency|corruption|duplication|dns|io|memory
//	ra2-disturb -pod UID [-for 1m] unreachable ADDRESS...
//
// It needs the node's processes (hostPID), the node's network (hostNetwork), its
// cgroups at -cgroups, and the rights to enter namespaces. It prints one JSON line
// when the disturbance began and one when it ended: what was done, and what was
// measured of it. Exit status: 0 done and undone, 1 failed, 2 wrong usage, 3 the
// kernel or the pod has no means for it, and nothing was changed; or it was done and
// undone, and nothing shows that it had an effect.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
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

// Line is one line of output. "unproven" is an end like "ended": all is undone, and
// nothing was seen that shows an effect.
type Line struct {
	Event string `json:"event"` // began; ended, unproven, lacks, failed
	What  string `json:"what"`
}

// lacks says that there are no means for the disturbance.
type lacks struct{ error }

// task is what the flags say.
type task struct {
	kind, pod, container, cgroups, scratch string
	pid                                    int // of one of its processes, where that is known
	addresses                              []netip.Addr
	longest                                time.Duration
}

// disturbance is one that has begun.
type disturbance interface {
	// undo takes it away. It returns what was seen of its effect; proven says
	// whether that shows one.
	undo() (seen string, proven bool, err error)
	// over is closed when there is nothing left to disturb; nil if that isn't known.
	over() <-chan struct{}
}

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
	t, err := parse(args, errs)
	if err != nil {
		return 2
	}
	what, d, err := t.begin()
	if err != nil {
		return tell(out, err)
	}
	json.NewEncoder(out).Encode(Line{"began", what})
	ctx, cancel := context.WithTimeout(ctx, t.longest)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-d.over():
	}
	seen, proven, err := d.undo()
	switch {
	case err != nil:
		return tell(out, fmt.Errorf("undo: %w", err))
	case !proven:
		json.NewEncoder(out).Encode(Line{"unproven", seen})
		return 3
	}
	json.NewEncoder(out).Encode(Line{"ended", seen})
	return 0
}

// parse reads the flags. What is wrong with them is told on errs.
func parse(args []string, errs io.Writer) (t task, err error) {
	flags := flag.NewFlagSet("ra2-disturb", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&t.pod, "pod", "", "UID of the pod")
	flags.StringVar(&t.container, "container", "", "id of one of its containers")
	flags.IntVar(&t.pid, "pid", 0, "a process of the pod, instead of looking for one")
	flags.StringVar(&t.cgroups, "cgroups", "/sys/fs/cgroup", "where the node's cgroups are")
	flags.StringVar(&t.scratch, "scratch", os.TempDir(), "folder on the node's disk that io writes to")
	flags.DurationVar(&t.longest, "for", time.Minute, "how long")
	if err := flags.Parse(args); err != nil {
		return t, err
	}
	t.kind = flags.Arg(0)
	for i := 1; i < flags.NArg(); i++ {
		a, err := netip.ParseAddr(flags.Arg(i))
		if err != nil {
			fmt.Fprintf(errs, "ra2-disturb: %v\n", err)
			return t, err
		}
		t.addresses = append(t.addresses, a)
	}
	return t, nil
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
func (t task) begin() (what string, d disturbance, err error) {
	pid, err := t.find()
	if err != nil {
		return "", nil, err
	}
	switch t.kind {
	case "latency", "corruption", "duplication":
		return t.packets(pid)
	case "dns":
		if t.addresses, err = nameServers(pid); err != nil {
			return "", nil, err
		}
		return cut(pid, t.addresses)
	case "unreachable":
		return cut(pid, t.addresses)
	case "io", "memory":
		return t.hog(pid)
	}
	return "", nil, fmt.Errorf("%q is no disturbance", t.kind)
}
