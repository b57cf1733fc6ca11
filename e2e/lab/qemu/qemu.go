// Package qemu is a machine in QEMU: real firmware (OVMF or SeaBIOS), real
// kernel, disks and a NIC on a bridge. One boot is one QEMU process: it ends
// when the guest restarts, so that firmware settings can come in force.
package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/container"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
)

// Config is a machine that doesn't change between boots.
type Config struct {
	Lab       string
	Name      string
	Firmware  string // "uefi" or "bios"
	Method    string // "uefi-http", "uefi-pxe", "bios-pxe"
	CPUs      int    // virtual processors; with SMT on, two are one core
	MemoryMiB int64
	Serial    string
	UUID      string
	MAC       net.HardwareAddr
	Bridge    string
	Tap       string
	Disks     []Disk
	Console   string // file that the serial line is appended to
	Vars      string // file of UEFI variables, made at the first boot
	Secure    bool   // its firmware knows Secure Boot, with the keys of a factory: Microsoft's
	Dir       string // for the QMP socket
	Stage     func(string)
}

// Disk is one virtio disk.
type Disk struct{ Path, Serial string }

// Machine implements bmc.Runner and bmc.Presser.
type Machine struct {
	cfg   Config
	accel func() string // asked at the first boot
	mu    sync.Mutex
	qmp   *monitor // nil while off
}

// New returns a machine that is off.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, accel: sync.OnceValue(Accelerator)}
}

// Run is one boot.
func (m *Machine) Run(ctx context.Context, b bmc.Boot) bmc.End {
	end, err := m.boot(ctx, b)
	if err != nil && ctx.Err() == nil {
		m.cfg.Stage("stopped: " + err.Error())
		<-ctx.Done()
	}
	m.cfg.Stage("off")
	return end
}

// PressPower presses the power button (ACPI).
func (m *Machine) PressPower() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.qmp != nil {
		_ = m.qmp.execute("system_powerdown")
	}
}

func (m *Machine) boot(ctx context.Context, b bmc.Boot) (bmc.End, error) {
	if err := network.Tap(m.cfg.Tap, m.cfg.Bridge); err != nil {
		return bmc.Halted, err
	}
	defer network.Unplug(m.cfg.Tap)
	if err := errors.Join(m.vars(), m.keys(b.SecureBoot)); err != nil {
		return bmc.Halted, err
	}
	dir, err := os.MkdirTemp("", "ra2-qmp-") // the path of a socket is short
	if err != nil {
		return bmc.Halted, err
	}
	defer os.RemoveAll(dir)
	sock := filepath.Join(dir, "qmp")
	args, err := m.args(b, sock)
	if err != nil {
		return bmc.Halted, err
	}
	said, err := os.Create(filepath.Join(m.cfg.Dir, "qemu.log"))
	if err != nil {
		return bmc.Halted, err
	}
	defer said.Close()
	cmd := exec.Command("qemu-system-x86_64", args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	if err := cmd.Start(); err != nil {
		return bmc.Halted, fmt.Errorf("start QEMU for %s: %w", m.cfg.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := container.Enter(m.cfg.Lab, m.cfg.Name, cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return bmc.Halted, errors.Join(err, cmd.Wait())
	}
	return m.watch(ctx, cmd, sock)
}

// watch follows QEMU by QMP until it ends.
func (m *Machine) watch(ctx context.Context, cmd *exec.Cmd, sock string) (bmc.End, error) {
	mon, err := dial(ctx, sock, 30*time.Second)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		said, _ := os.ReadFile(filepath.Join(m.cfg.Dir, "qemu.log"))
		return bmc.Halted, fmt.Errorf("QEMU of %s: %w: %s", m.cfg.Name, err, said)
	}
	m.mu.Lock()
	m.qmp = mon
	m.mu.Unlock()
	m.cfg.Stage("running")
	reason := mon.untilShutdown()
	m.mu.Lock()
	m.qmp = nil
	m.mu.Unlock()
	_ = mon.Close()
	if err := cmd.Wait(); err != nil && reason == "" && ctx.Err() == nil {
		said, _ := os.ReadFile(filepath.Join(m.cfg.Dir, "qemu.log"))
		return bmc.Halted, fmt.Errorf("QEMU of %s ended: %w: %s", m.cfg.Name, err, said)
	}
	if reason == "guest-reset" {
		return bmc.Restarted, nil
	}
	return bmc.Halted, nil
}

// ovmf is where Debian's package ovmf has UEFI.
const ovmf = "/usr/share/OVMF/"

// vars makes the machine's own UEFI variables, once.
func (m *Machine) vars() error {
	if m.cfg.Firmware != "uefi" {
		return nil
	}
	if _, err := os.Stat(m.cfg.Vars); err == nil {
		return nil
	}
	text, err := os.ReadFile(m.cfg.firmwareFile("VARS"))
	if err != nil {
		return fmt.Errorf("UEFI firmware: %w; next: apt install ovmf", err)
	}
	return os.WriteFile(m.cfg.Vars, text, 0o600)
}

// args is the command line of one boot.
func (m *Machine) args(b bmc.Boot, sock string) ([]string, error) {
	c := m.cfg
	cpus := max(c.CPUs, 1)
	smp := fmt.Sprintf("%d,sockets=1,cores=%d,threads=1", cpus, cpus)
	if b.SMT && cpus%2 == 0 {
		smp = fmt.Sprintf("%d,sockets=1,cores=%d,threads=2", cpus, cpus/2)
	}
	args := []string{
		"-name", c.Name, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot",
		"-machine", m.cfg.board(), "-m", strconv.FormatInt(c.MemoryMiB, 10), "-smp", smp, "-uuid", c.UUID,
		"-smbios", "type=1,manufacturer=RA2 Lab,product=QEMU,serial=" + c.Serial,
		"-smbios", "type=3,manufacturer=RA2 Lab,serial=" + c.Serial,
		"-chardev", "file,id=console,path=" + c.Console + ",append=on", "-serial", "chardev:console",
		"-qmp", "unix:" + sock + ",server=on,wait=off", "-device", "virtio-rng-pci",
		"-netdev", "tap,id=net,ifname=" + c.Tap + ",script=no,downscript=no",
	}
	args = append(args, accelArgs(m.accel())...)
	disk, nic := 1, 2
	if b.Target == bmc.TargetPxe || b.Target == bmc.TargetUefiHttp {
		disk, nic = 2, 1
	}
	for i, d := range c.Disks {
		id := "disk" + strconv.Itoa(i)
		boot := ""
		if i == 0 {
			boot = ",bootindex=" + strconv.Itoa(disk)
		}
		args = append(args, "-drive", "if=none,id="+id+",format=raw,cache=unsafe,discard=unmap,file="+d.Path,
			"-device", "virtio-blk-pci,drive="+id+",serial="+d.Serial+boot)
	}
	if c.Secure { // variables are written in system management mode only
		args = append(args, "-global", "driver=cfi.pflash01,property=secure,value=on")
	}
	return append(args, m.firmware(b, nic)...), nil
}

// firmware is the firmware and how its NIC boots. OVMF's own drivers boot in
// UEFI (an empty romfile keeps QEMU's iPXE ROM out); Debian's OVMF offers PXE
// before HTTP for each family unless fw_cfg says no.
func (m *Machine) firmware(b bmc.Boot, bootindex int) []string {
	nic := "virtio-net-pci,netdev=net,mac=" + m.cfg.MAC.String() + ",bootindex=" + strconv.Itoa(bootindex)
	if m.cfg.Firmware == "bios" {
		return []string{"-device", nic}
	}
	pxe := "n"
	if b.Target == bmc.TargetPxe || (b.Target != bmc.TargetUefiHttp && m.cfg.Method == "uefi-pxe") {
		pxe = "y"
	}
	return []string{
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + m.cfg.firmwareFile("CODE"),
		"-drive", "if=pflash,format=raw,unit=1,file=" + m.cfg.Vars,
		"-device", nic + ",romfile=",
		"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
		"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=" + pxe,
	}
}
