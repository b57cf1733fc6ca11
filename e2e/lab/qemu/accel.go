package qemu

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// probeTimeout is how long a guest of a few instructions may take under KVM.
const probeTimeout = 5 * time.Second

// Accelerator returns "kvm" when a guest really runs a real-mode, protected
// mode and port I/O under it, else "tcg". That /dev/kvm exists proves nothing:
// on some nested hosts firmware runs and a kernel hangs for ever.
func Accelerator() string {
	if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err != nil {
		return "tcg"
	} else {
		f.Close()
	}
	if proven("kvm") {
		return "kvm"
	}
	return "tcg"
}

// proven boots the guest of probe.go and waits for its exit status.
func proven(accel string) bool {
	dir, err := os.MkdirTemp("", "ra2-probe-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	disk := filepath.Join(dir, "probe.img")
	if err := os.WriteFile(disk, probe(), 0o600); err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", accel, "-cpu", cpu(accel), "-m", "64", "-machine", "pc", "-nodefaults",
		"-display", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-drive", "format=raw,file="+disk)
	err = cmd.Run()
	return err != nil && ctx.Err() == nil && cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == probeStatus
}

func cpu(accel string) string {
	if accel == "kvm" {
		return "host"
	}
	return "max"
}

// accelArgs are the flags of an accelerator; those of TCG are what was fastest.
// Its AMD model knows no hyper-threads (TOPOEXT), so it says that it is Intel.
func accelArgs(accel string) []string {
	if accel == "kvm" {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=1536", "-cpu", "max,vendor=GenuineIntel"}
}
