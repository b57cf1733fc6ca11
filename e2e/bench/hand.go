package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
	"github.com/ra2-deploy/ra2-deploy/provisioner/cluster"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/templates"
)

// hand forms a cluster as a person with a shell script does: the same
// configuration files, then plain `kubeadm init` and `kubeadm join`.
type hand struct {
	site    *site
	want    inventory.Cluster
	pki     kubeadm.PKI
	cluster *cluster.Client
	began   time.Time
}

// The scripts. Joins are tried until they work: kubeadm gives each call to
// etcd two seconds, which is not always enough.
const (
	initScript = `set -e
systemctl restart keepalived.service
kubeadm init --config ` + kubeadm.ConfigPath + ` --skip-phases upload-certs,show-join-command --skip-token-print
`
	joinScript = `set -e
[ ! -e ` + kubeadm.KeepalivedPath + ` ] || systemctl restart keepalived.service
for try in 1 2 3 4 5; do
  kubeadm join --config ` + kubeadm.ConfigPath + ` && exit 0
  sleep 3
done
exit 1
`
)

// form makes the cluster of hosts that run the image already. It runs inside of
// the lab's network: only there the API answers.
func (h *hand) form(ctx context.Context) error {
	h.began = time.Now()
	controls, workers := split(h.want)
	if err := h.node(ctx, controls[0], kubeadm.Form, initScript); err != nil {
		return err
	}
	h.say("%s is initialised", controls[0].Name)
	objects, err := templates.Objects(h.want)
	if err != nil {
		return err
	}
	if err := h.cluster.Apply(ctx, objects, "sha256:by-hand"); err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(workers)+1)
	for i, w := range workers {
		wg.Go(func() { errs[i] = h.node(ctx, w, kubeadm.JoinNode, joinScript) })
	}
	wg.Go(func() { // etcd takes one new member at a time
		for _, c := range controls[1:] {
			if err := h.node(ctx, c, kubeadm.JoinNode, joinScript); err != nil {
				errs[len(workers)] = err
				return
			}
			h.say("%s joined", c.Name)
		}
	})
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	h.say("all joined")
	return h.ready(ctx)
}

func (h *hand) say(format string, args ...any) {
	fmt.Printf("  by hand %6.1f s  %s\n", time.Since(h.began).Seconds(), fmt.Sprintf(format, args...))
}

// node lays the files of one node and runs its script there.
func (h *hand) node(ctx context.Context, n inventory.Node, order func(kubeadm.Input, kubeadm.PKI, ...wire.File) (wire.Join, error), script string) error {
	in := kubeadm.Input{Cluster: h.want, Node: n, Image: "sha256:0", Generation: "sha256:0"}
	var err error
	if in.Token, err = kubeadm.NewToken(rand.Reader); err != nil {
		return err
	}
	if script == joinScript {
		if in.Token, err = h.cluster.CreateBootstrapToken(ctx, kubeadm.TokenTTL); err != nil {
			return err
		}
	}
	var extra []wire.File
	if n.ControlPlane {
		text, err := templates.Keepalived(h.want, n)
		if err != nil {
			return err
		}
		extra = []wire.File{{Path: kubeadm.KeepalivedPath, Mode: 0o600, Data: text}}
	}
	j, err := order(in, h.pki, extra...)
	if err != nil {
		return err
	}
	pid, err := h.site.pid1(n.Name)
	if err != nil {
		return err
	}
	if err := lay(ctx, pid, n.Boot.MAC, j.Files); err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	_, err = inside(ctx, pid, script)
	return err
}

// lay writes files below the root of a machine.
func lay(ctx context.Context, pid int, mac string, files []wire.File) error {
	link, err := inside(ctx, pid, "grep -l "+mac+" /sys/class/net/*/address")
	if err != nil {
		return err
	}
	nic := []byte(filepath.Base(filepath.Dir(strings.Fields(link)[0])))
	for _, f := range files {
		path := fmt.Sprintf("/proc/%d/root%s", pid, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		data := bytes.ReplaceAll(f.Data, []byte(wire.InterfacePlaceholder), nic)
		if err := os.WriteFile(path, data, os.FileMode(f.Mode)); err != nil {
			return err
		}
	}
	return nil
}

// inside runs a script in all namespaces of a machine.
func inside(ctx context.Context, pid int, script string) (string, error) {
	return output(ctx, "nsenter", "--target", strconv.Itoa(pid), "--all", "--wd=/", "/usr/bin/env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "/bin/sh", "-c", script)
}

// ready waits until every node is Ready and every etcd member votes.
func (h *hand) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		_, members := h.cluster.Look(ctx)
		missing := ""
		for _, n := range h.want.Nodes {
			if m := members[n.Name]; !m.Ready || n.ControlPlane && !m.EtcdVoter {
				missing = fmt.Sprintf("%s (ready: %v, etcd votes: %v; %s)", n.Name, m.Ready, m.EtcdVoter, m.NotReady)
			}
		}
		if missing == "" {
			h.say("all are Ready")
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited 10 min for all nodes to be Ready; last seen: %s", missing)
		}
	}
}

func split(c inventory.Cluster) (controls, workers []inventory.Node) {
	for _, n := range c.Nodes {
		if n.ControlPlane {
			controls = append(controls, n)
		} else {
			workers = append(workers, n)
		}
	}
	return controls, workers
}

// rerun runs this program again inside of a network namespace.
func rerun(ctx context.Context, namespace string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", namespace, self}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
