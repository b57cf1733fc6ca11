package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// Child is the machine between power-on and its first process: firmware,
// loader and kernel. It is PID 1 of its namespaces and ends by becoming
// /init. An error means that the machine could not even be set up.
func Child(ctx context.Context) error {
	runtime.LockOSThread() // namespaces and /init belong to this thread
	spec, stage, err := readSpec()
	if err != nil {
		return err
	}
	unix.CloseOnExec(int(stage.Fd()))
	f := &firmware{spec: spec, stages: stage}
	if err := f.host(); err != nil {
		return err
	}
	k, err := f.find(ctx)
	if err != nil {
		return err
	}
	f.stage("kernel")
	if err := f.kernel(k); err != nil {
		return fmt.Errorf("kernel panic: %w", err)
	}
	return nil
}

// firmware is one boot of one machine.
type firmware struct {
	spec   Spec
	stages *os.File
}

// payload is what a loader found: an initramfs and its kernel line.
type payload struct {
	line      string
	initramfs []byte
}

func (f *firmware) stage(s string) { fmt.Fprintln(f.stages, s) }

// Say prints on the machine's console.
func (f *firmware) Say(line string) { fmt.Fprintf(os.Stdout, "%s\r\n", line) }

// host cuts the machine off from the host's mounts and cgroups.
func (f *firmware) host() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("cgroup namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Sethostname([]byte("(none)")); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	return nil
}

// pauseBetween is how long firmware waits before it tries all devices again.
const pauseBetween = 5 * time.Second

// find tries the boot devices in their order, for ever, as firmware does that
// nobody looks at.
func (f *firmware) find(ctx context.Context) (payload, error) {
	f.Say("RA2 Lab firmware: " + f.spec.Name + ", serial " + f.spec.Serial)
	f.Say(fmt.Sprintf("Logical processors: %v, SR-IOV: %v, override: %s", f.spec.Boot.Attributes[bmc.AttrSMT], f.spec.Boot.Attributes[bmc.AttrSRIOV], f.spec.Boot.Target))
	for {
		for _, device := range f.order() {
			k, err := device.boot(ctx)
			if err == nil {
				return k, nil
			}
			f.Say(fmt.Sprintf("boot from %s: %v; next: the next boot device", device.name, err))
		}
		f.Say(fmt.Sprintf("no boot device works; next: all again in %s", pauseBetween))
		f.stage("no boot device works")
		select {
		case <-ctx.Done():
			return payload{}, ctx.Err()
		case <-time.After(pauseBetween):
		}
	}
}

type bootDevice struct {
	name string
	boot func(context.Context) (payload, error)
}

// order is disk first: an empty disk falls through to the network. The
// override puts its device before all.
func (f *firmware) order() []bootDevice {
	disk := bootDevice{"disk", f.disk}
	net := bootDevice{"network (" + f.spec.Method + ")", func(ctx context.Context) (payload, error) { return f.network(ctx, f.spec.Method) }}
	switch f.spec.Boot.Target {
	case bmc.TargetPxe:
		method := f.spec.Method
		if method == "uefi-http" {
			method = "uefi-pxe"
		}
		net = bootDevice{"network (" + method + ")", func(ctx context.Context) (payload, error) { return f.network(ctx, method) }}
		return []bootDevice{net, disk}
	case bmc.TargetUefiHttp:
		net = bootDevice{"network (uefi-http)", func(ctx context.Context) (payload, error) { return f.network(ctx, "uefi-http") }}
		return []bootDevice{net, disk}
	}
	return []bootDevice{disk, net}
}

var errNoLoader = errors.New("nothing to boot is on it")

func joinLine(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
