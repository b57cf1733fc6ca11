package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netns"
)

// pod is one of a workload, as its node has it.
type pod struct {
	name, node, address string
	pid                 int // of one of its processes
	host                int // process 1 of its node
}

// pods returns the pods of a namespace.
func (b *bench) pods(name string) (all []pod) {
	b.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Name, UID string }
			Spec     struct{ NodeName string }
			Status   struct{ PodIP string }
		}
	}
	if err := b.kube().get("/api/v1/namespaces/"+name+"/pods", &list); err != nil {
		b.Fatal(err)
	}
	for _, p := range list.Items {
		all = append(all, pod{p.Metadata.Name, p.Spec.NodeName, p.Status.PodIP, b.processOf(p.Metadata.UID), b.pid1(p.Spec.NodeName)})
	}
	if len(all) != 2 {
		b.Fatalf("%+v; the workload has two pods", all)
	}
	return all
}

// processOf returns a process of a pod: its cgroup bears the pod's UID.
func (b *bench) processOf(uid string) (pid int) {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, f := range files {
		text, _ := os.ReadFile(f)
		if strings.Contains(strings.ReplaceAll(string(text), "_", "-"), uid) {
			_, err := fmt.Sscanf(f, "/proc/%d/cgroup", &pid)
			return must(b, pid, err)
		}
	}
	b.Fatalf("no process of pod %s (%v)", uid, err)
	return 0
}

func must[T any](b *bench, v T, err error) T {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// inPod runs a program of this host in a pod's network. It is asked often, so that
// what it says isn't kept.
func (b *bench) inPod(p pod, args ...string) string {
	b.Helper()
	out, err := exec.Command("nsenter", append([]string{"-t", fmt.Sprint(p.pid), "-n"}, args...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("%v in the network of %s: %v: %s", args, p.name, err, out)
	}
	return string(out)
}

// networks tells how the networks of pods are made.
func (b *bench) networks(pods []pod) (all string) {
	b.Helper()
	for _, p := range pods {
		all += p.name + "\n" + b.inPod(p, "tc", "qdisc", "show") + b.inPod(p, "ip", "-br", "link") + b.inPod(p, "ip", "route", "show", "type", "unreachable")
	}
	return all
}

// median returns how long a pod takes to answer its own node, of three times.
func (b *bench) median(p pod) time.Duration {
	b.Helper()
	took := make([]time.Duration, 3)
	done := make(chan error, len(took))
	for i := range took {
		go func() {
			began := time.Now()
			err := b.answers(p)
			took[i] = time.Since(began)
			done <- err
		}()
	}
	var errs []error
	for range took {
		errs = append(errs, <-done)
	}
	if err := errors.Join(errs...); err != nil {
		b.Errorf("ask %s on %s: %v", p.name, p.node, err)
	}
	slices.Sort(took)
	return took[1].Round(time.Millisecond)
}

// answers asks a pod from its node, on a connection of its own.
func (b *bench) answers(p pod) error {
	c := client(func() (netns.NsHandle, error) { return netns.GetFromPid(p.host) }, nil)
	c.Timeout = 15 * time.Second
	resp, err := c.Get("http://" + p.address + ":8080/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}
