package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
)

// Config is a machine that doesn't change between boots.
type Config struct {
	Lab     string
	Name    string
	Method  string // "uefi-http", "uefi-pxe", "bios-pxe"
	Serial  string
	UUID    string
	MAC     net.HardwareAddr
	Bridge  string
	Port    string // name of the machine's port of the bridge, at most 15 letters
	Program string // this program, which starts itself as the machine
	Disks   []File
	Console *Console
	Stage   func(string) // hears where the boot is
}

// File is one disk of a machine as the lab keeps it.
type File struct {
	Name   string // "vda"
	Serial string
	Path   string
}

// Machine implements bmc.Runner and bmc.Presser. Its disks are block devices
// from its first boot until Close.
type Machine struct {
	cfg   Config
	mu    sync.Mutex
	child *os.Process // nil while off
	loops []*Loop
}

// New returns a machine that is off.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Close lets go of the disks. The machine must be off.
func (m *Machine) Close() error {
	var errs []error
	for _, l := range m.loops {
		errs = append(errs, l.Close())
	}
	m.loops = nil
	return errors.Join(errs...)
}

// Run is one boot.
func (m *Machine) Run(ctx context.Context, b bmc.Boot) bmc.End {
	m.cfg.Console.Say("power is on; boot override: " + b.Target)
	end, err := m.boot(ctx, b)
	if err != nil && ctx.Err() == nil {
		m.stage("stopped: " + err.Error())
		m.cfg.Console.Say("the machine stands still until its power is switched: " + err.Error())
		<-ctx.Done()
	}
	for _, l := range m.loops {
		_ = l.Flush()
	}
	switch {
	case ctx.Err() != nil:
		m.cfg.Console.Say("power went away")
	case end == bmc.Restarted:
		m.cfg.Console.Say("restart")
	default:
		m.cfg.Console.Say("the machine switched itself off")
	}
	m.stage("off")
	return end
}

func (m *Machine) stage(s string) {
	if m.cfg.Stage != nil {
		m.cfg.Stage(s)
	}
}

// cgroupTimeout is how long the processes of the last boot may take to be gone.
const cgroupTimeout = 20 * time.Second

// PressPower asks the running system to switch off: SIGRTMIN+4 starts
// poweroff.target of systemd(1), SIGPWR is for ra2-node as first process.
func (m *Machine) PressPower() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child != nil {
		_ = m.child.Signal(syscall.SIGPWR)
		_ = m.child.Signal(syscall.Signal(34 + 4))
	}
}

func (m *Machine) boot(ctx context.Context, b bmc.Boot) (bmc.End, error) {
	spec, err := m.spec(ctx, b)
	if err != nil {
		return bmc.Halted, err
	}
	specR, specW, err := os.Pipe()
	if err != nil {
		return bmc.Halted, err
	}
	stageR, stageW, err := os.Pipe()
	if err != nil {
		return bmc.Halted, errors.Join(err, specR.Close(), specW.Close())
	}
	defer specW.Close()
	defer stageR.Close()
	cmd := m.command(specR, stageW)
	err = cmd.Start()
	_, _ = specR.Close(), stageW.Close()
	if err != nil {
		return bmc.Halted, fmt.Errorf("start the namespaces of %s: %w", m.cfg.Name, err)
	}
	m.set(cmd.Process)
	defer m.set(nil)
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := m.join(cmd.Process.Pid, spec, specW); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return bmc.Halted, err
	}
	m.listen(stageR)
	end, err := ended(cmd.Wait(), cmd.ProcessState)
	network.Unplug(m.cfg.Port)
	return end, err
}

func (m *Machine) set(p *os.Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.child = p
}

func (m *Machine) command(spec, stage *os.File) *exec.Cmd {
	cmd := exec.Command(m.cfg.Program, ChildCommand()...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = m.cfg.Console.Terminal, m.cfg.Console.Terminal, m.cfg.Console.Terminal
	cmd.ExtraFiles = []*os.File{spec, stage}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	}
	return cmd
}

// join puts the child where it belongs and tells it to begin.
func (m *Machine) join(pid int, spec Spec, to io.WriteCloser) error {
	if err := enterCgroups(spec.Cgroups, m.cfg.Lab, m.cfg.Name, pid); err != nil {
		return err
	}
	if err := network.Cable(m.cfg.Port, m.cfg.Bridge, pid, NIC, m.cfg.MAC); err != nil {
		return err
	}
	if err := json.NewEncoder(to).Encode(spec); err != nil {
		return fmt.Errorf("tell %s what it is: %w", m.cfg.Name, err)
	}
	return to.Close()
}

// listen passes the stages on until /init begins or the child ends.
func (m *Machine) listen(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		m.stage(lines.Text())
	}
}

// ended reads how PID 1 went. reboot(2): in a PID namespace, RESTART ends PID 1
// with SIGHUP and HALT or POWER_OFF with SIGINT. Anything else is what a real
// kernel calls a panic: "Attempted to kill init!".
func ended(err error, state *os.ProcessState) (bmc.End, error) {
	if state == nil {
		return bmc.Halted, err
	}
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		switch s.Signal() {
		case syscall.SIGHUP:
			return bmc.Restarted, nil
		case syscall.SIGINT:
			return bmc.Halted, nil
		}
	}
	return bmc.Halted, fmt.Errorf("kernel panic: the first process ended: %s", state)
}

func (m *Machine) spec(ctx context.Context, b bmc.Boot) (Spec, error) {
	s := Spec{Name: m.cfg.Name, Method: m.cfg.Method, Serial: m.cfg.Serial, UUID: m.cfg.UUID, Boot: b, Console: m.cfg.Console.Path}
	// A machine that starts has no cgroups: those of the last boot's pods would
	// keep its kubelet busy for minutes.
	if err := removeCgroups(m.cfg.Lab, m.cfg.Name, cgroupTimeout); err != nil {
		return s, err
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return s, err
	}
	s.Cgroups = Hierarchies(string(info))
	for i, f := range m.cfg.Disks {
		if i >= len(m.loops) {
			l, err := Attach(f.Path)
			if err != nil {
				return s, err
			}
			m.loops = append(m.loops, l)
		}
		d, err := m.loops[i].Scan(ctx, f.Name, f.Serial)
		if err != nil {
			return s, err
		}
		s.Disks = append(s.Disks, d)
	}
	return s, nil
}
