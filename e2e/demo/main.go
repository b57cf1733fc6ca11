// Command demo shows the main job from nothing: it builds the image, makes a
// site of lab machines, and lets ra2-deploy bring it up.
//
//	go run ./e2e/demo [--qemu]
//
// The lab stays up; the last lines say how to end it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/qemu"
)

func main() {
	real := flag.Bool("qemu", false, "QEMU machines with real firmware instead of container machines")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := choose(*real).run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

// choose picks the site. Six servers with real kernels need hardware
// virtualisation that works; where it doesn't, one control plane shows the way.
func choose(real bool) demo {
	switch {
	case !real:
		return demo{name: "demo", site: "e2e/sites/ha.yaml", node: "worker-a"}
	case qemu.Accelerator() == "kvm":
		fmt.Println("KVM boots a guest here: the whole HA site runs on QEMU machines.")
		return demo{name: "demo-qemu", site: "e2e/sites/qemu-ha.yaml", node: "worker-a"}
	}
	fmt.Println("KVM doesn't boot a guest here, so QEMU emulates the processor: one control plane goes through real firmware.")
	return demo{name: "demo-qemu", site: "e2e/sites/qemu.yaml"}
}

// demo is one lab site and the way to it.
type demo struct {
	name string // of the lab, and of its network namespace after "ra2-"
	site string // file that describes the lab
	node string // that can be rebuilt, for the last words; empty where none can
}

func (d demo) run(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("run as root: the lab makes network namespaces, and the image is built as root")
	}
	began := time.Now()
	bin, err := filepath.Abs("bin/ra2-deploy")
	if err != nil {
		return err
	}
	dir := filepath.Join(".ra2-lab", d.name)
	inventory := filepath.Join(dir, "inventory.yaml")
	inside := []string{"ip", "netns", "exec", "ra2-" + d.name}
	for _, s := range []struct {
		say string
		cmd []string
	}{
		{"A lab of an earlier demo is ended.", []string{bin, "lab", "down", dir}},
		{"The lab: servers that are off, each with a Redfish controller.", []string{bin, "lab", "up", d.site, "--dir", dir}},
		{"The image: built once, then kept.", []string{bin, "image", "build", inventory}},
		{"The plan: what would be done, and why.", append(inside, bin, "plan", inventory)},
		{"The job: from powered off to Ready.", append(inside, bin, "up", "--yes", inventory)},
		{"The site as it is now.", append(inside, bin, "status", inventory)},
		{"Once more: nothing is left to do.", append(inside, bin, "up", "--yes", inventory)},
	} {
		fmt.Printf("\n== %s\n$ %s\n", s.say, strings.Join(s.cmd, " "))
		cmd := exec.CommandContext(ctx, s.cmd[0], s.cmd[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(s.cmd, " "), err)
		}
	}
	d.next(bin, dir, inventory, time.Since(began))
	return nil
}

// next says what to try now.
func (d demo) next(bin, dir, inventory string, took time.Duration) {
	in := "ip netns exec ra2-" + d.name + " "
	fmt.Printf("\nDone in %s. Try next:\n", took.Round(time.Second))
	for _, try := range [][2]string{
		{in + bin + " kubeconfig " + inventory + " > kubeconfig", ""},
		{in + "kubectl --kubeconfig kubeconfig get pods -A -o wide", "with a kubectl of your own"},
		{bin + " lab status " + dir, "machines and their consoles"},
		{in + bin + " rebuild " + d.node + " " + inventory + " --yes", "one node anew, nothing else is touched"},
		{in + bin + " down " + inventory + " --yes", "end the cluster; data disks stay as they are"},
		{bin + " lab down " + dir, "end the lab"},
	} {
		if d.node == "" && strings.Contains(try[0], " rebuild ") {
			continue // the only control plane can't leave its cluster
		}
		if try[1] != "" {
			fmt.Printf("  # %s\n", try[1])
		}
		fmt.Printf("  %s\n", try[0])
	}
}
