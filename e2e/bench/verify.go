package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/replay"
)

// benchVerify measures `verify` on a cluster: one of yours by --cluster, else a
// server that replays one of so many nodes.
func benchVerify(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	kubeconfig := flags.String("cluster", "", "kubeconfig of a cluster; its requests are counted by ra2-deploy itself")
	nodes := flags.Int("nodes", 6, "of the cluster that is replayed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ra2-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var heard *listening
	if *kubeconfig == "" {
		*kubeconfig = filepath.Join(dir, "kubeconfig")
		if heard, err = replayed(*nodes, *kubeconfig); err != nil {
			return err
		}
		defer heard.server.Close()
	}
	return timeVerify(ctx, *kubeconfig, heard)
}

// timeVerify runs the program and prints what it took.
func timeVerify(ctx context.Context, kubeconfig string, heard *listening) error {
	cmd := exec.CommandContext(ctx, "bin/ra2-deploy", "verify", "--cluster", kubeconfig)
	cmd.Stderr = os.Stderr
	began := time.Now()
	out, err := cmd.Output()
	took := time.Since(began)
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 3) { // 3: rows stand against it
		return fmt.Errorf("bin/ra2-deploy verify: %w", err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	fmt.Printf("%s\n%-26s %8.1f s (aim: less than 60)\n", first, "wall time", took.Seconds())
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		fmt.Printf("%-26s %8.2f s\n%-26s %8.0f MB\n", "CPU time", (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "peak memory", float64(used.Maxrss)*1024/1e6)
	}
	if heard != nil {
		fmt.Printf("%-26s %8d\n%-26s %8d (aim: less than 5)\n", "requests", len(heard.times), "within a second, at most", heard.most())
	}
	return nil
}

// listening is an API server that knows when it was asked.
type listening struct {
	server *httptest.Server
	mu     sync.Mutex
	times  []time.Time
}

// replayed serves a cluster of so many nodes, and writes a kubeconfig for it.
func replayed(nodes int, kubeconfig string) (*listening, error) {
	s := mutate.Conformant()
	for i := len(s.Nodes); i < nodes; i++ {
		n := s.Nodes[3]
		n.Name = fmt.Sprintf("worker-%04d", i)
		s.Nodes = append(s.Nodes, n)
		s.Kubelets[n.Name] = s.Kubelets["worker-a"]
		for range 30 {
			p := s.Pods[len(s.Pods)-1]
			p.Spec.NodeName = n.Name
			s.Pods = append(s.Pods, p)
		}
	}
	handler, err := replay.New(s)
	if err != nil {
		return nil, err
	}
	l := &listening{}
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.times = append(l.times, time.Now())
		l.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	return l, os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: bench, cluster: {server: %q}}]
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
users: [{name: bench, user: {}}]
current-context: bench
`, l.server.URL), 0o600)
}

// most returns how many requests came within one second at most.
func (l *listening) most() int {
	most := 0
	for i, from := range l.times {
		n := 0
		for _, t := range l.times[i:] {
			if t.Sub(from) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
