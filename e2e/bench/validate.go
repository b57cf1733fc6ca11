package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// benchValidate measures `validate --hardware` on a rack of emulated
// controllers in another process, and on one host alone; and beside it the
// facts of that one host, asked for by python3-sushy.
func benchValidate(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	hosts := flags.Int("hosts", 1000, "controllers of the rack")
	delay := flags.Duration("delay", 50*time.Millisecond, "before each answer of a controller")
	runs := flags.Int("runs", 3, "of which the median counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ra2-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	one, err := measure(ctx, dir, 1, *delay, *runs)
	if err != nil {
		return err
	}
	many, err := measure(ctx, dir, *hosts, *delay, *runs)
	if err != nil {
		return err
	}
	fmt.Printf("%-26s %10s %14s %12s %10s\n", "", "wall time", "requests/host", "peak memory", "CPU time")
	one.print("1 host", 1)
	many.print(fmt.Sprintf("%d hosts", *hosts), *hosts)
	fmt.Printf("%-26s %10.2f     (aim: at most 3)\n", "times one host alone", many.wall.Seconds()/one.wall.Seconds())
	return sushy(ctx, dir, *delay)
}

// sample is one run of the program.
type sample struct {
	wall, cpu time.Duration
	memory    int64 // bytes, the most that was resident
	requests  int64
}

func (s sample) print(name string, hosts int) {
	fmt.Printf("%-26s %8.2f s %14.1f %9.0f MB %8.2f s\n", name, s.wall.Seconds(), float64(s.requests)/float64(hosts), float64(s.memory)/1e6, s.cpu.Seconds())
}

// measure runs the program on a new rack and returns the median run. Every run
// has to end with status 0 and no session open: what fails fast is not fast.
func measure(ctx context.Context, dir string, hosts int, delay time.Duration, runs int) (_ sample, err error) {
	r, err := openRack(ctx, hosts, delay)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	path := filepath.Join(dir, fmt.Sprintf("rack-%d.yaml", hosts))
	if err := os.WriteFile(path, []byte(r.inventory()), 0o600); err != nil {
		return sample{}, err
	}
	var all []sample
	for range runs {
		if _, err := r.counts(); err != nil { // from zero
			return sample{}, err
		}
		s, err := run(ctx, "validate", "--hardware", path)
		if err != nil {
			return sample{}, err
		}
		c, err := r.counts()
		if err != nil {
			return sample{}, err
		}
		if c.Sessions > 0 {
			return sample{}, fmt.Errorf("it left %d sessions open", c.Sessions)
		}
		s.requests = c.Requests
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sample) int { return int(a.wall - b.wall) })
	return all[len(all)/2], nil
}

// run runs the real binary once.
func run(ctx context.Context, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, "bin/ra2-deploy", args...)
	cmd.Env = append(os.Environ(), "RA2_BENCH_BMC="+password)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return sample{}, fmt.Errorf("ra2-deploy %s: %w:\n%s", strings.Join(args, " "), err, out)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, errors.New("this system doesn't tell what a process used")
	}
	return sample{wall: took, cpu: time.Duration(used.Utime.Nano() + used.Stime.Nano()), memory: used.Maxrss << 10}, nil
}

// inventory is what a user would write of a rack.
func (r *rack) inventory() string {
	var b strings.Builder
	b.WriteString(`apiVersion: ra2-deploy/v1alpha1
kind: Cluster
metadata: {name: bench}
spec:
  kubernetes:
    endpoint: {vips: [10.32.0.2]}
    podCIDRs: [10.64.0.0/10]
    serviceCIDRs: [10.16.0.0/16]
  provisioning: {interface: ra2-bench, cidr: 10.32.0.1/16}
  classes: {bench: {bios: {smt: enabled}}}
`)
	zones := []string{"a", "b", "c"}[:min(3, len(r.places))]
	if len(zones) == 1 {
		b.WriteString("  waivers: [{requirement: ra2.k8s.002, reason: one host alone is measured, until: 2099-12-31}]\n")
	}
	fmt.Fprintf(&b, "  zones: [%s]\n  nodes:\n", strings.Join(zones, ", "))
	for i, p := range r.places {
		role := "worker"
		if i < 3 {
			role = "control-plane, worker"
		}
		fmt.Fprintf(&b, `    - name: n-%04d
      zone: %s
      roles: [%s]
      class: bench
      serial: CHASSIS%04d
      bmc:
        url: redfish+%s
        credentials: {username: admin, password: {env: RA2_BENCH_BMC}}
        fingerprint: "%s"
      boot: {mac: "%s"}
      disk: {serial: DISK%04d}
      addresses: [10.32.%d.%d/16]
`, i, zones[i%len(zones)], role, i, p.URL, p.Fingerprint, macOf(i), i, 1+i/250, 1+i%250)
	}
	return b.String()
}
