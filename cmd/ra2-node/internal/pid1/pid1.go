// Package pid1 is what the first process of a system owes it: mounts, reaped
// children, a way to restart.
package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Container returns the name of the container manager that started us, empty
// on a machine with its own kernel (systemd's CONTAINER_INTERFACE). Such a
// system must not set the clock or load a kernel: they are the host's.
func Container() string { return os.Getenv("container") }

// mount is one file system that a running system needs.
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// Mounts mounts what isn't mounted yet: what started us may have brought its own.
func Mounts() error {
	var errs []error
	for _, m := range []mount{
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666"},
		{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	} {
		if mounted(m.target) {
			continue
		}
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil && !errors.Is(err, unix.EBUSY) {
			errs = append(errs, fmt.Errorf("mount %s: %w", m.target, err))
		}
	}
	return errors.Join(errs...)
}

// MountVariables makes the variables of UEFI readable, where there are any: Secure
// Boot is one. A kernel without them leaves that unknown. Those that a container
// machine sees are the host's.
func MountVariables() {
	const variables = "/sys/firmware/efi/efivars"
	if _, err := os.Stat(variables); err != nil || mounted(variables) || Container() != "" {
		return
	}
	_ = unix.Mount("efivarfs", variables, "efivarfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "")
}

// mounted reports whether a file system begins at path.
func mounted(path string) bool {
	var here, above unix.Stat_t
	if unix.Stat(path, &here) != nil || unix.Stat(path+"/..", &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}

// A Reaper waits for children that nobody waits for, as only PID 1 can.
type Reaper struct{ mu sync.Mutex }

// Start reaps until the process ends.
func (r *Reaper) Start() {
	died := make(chan os.Signal, 16)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for range died {
			r.reap()
		}
	}()
}

func (r *Reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}

// Output runs a program that the reaper must not wait for and returns what it said.
func (r *Reaper) Output(cmd *exec.Cmd) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return cmd.CombinedOutput()
}

// AsModprobe makes the kernel's own requests for modules (a cipher, a file
// system) reach us: it runs /sbin/modprobe, which is this program.
func AsModprobe() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	if _, err := os.Lstat("/sbin/modprobe"); errors.Is(err, fs.ErrNotExist) {
		_ = os.MkdirAll("/sbin", 0o755)
		_ = os.Symlink(self, "/sbin/modprobe")
	}
}

// Restart reboots the machine (or the container machine) and doesn't return.
func Restart(say func(string, ...any)) {
	unix.Sync()
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	say("reboot refused: %v; ending instead", err)
	os.Exit(1)
}

// PowerOff switches the machine off and doesn't return.
func PowerOff(say func(string, ...any)) {
	unix.Sync()
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	say("power off refused: %v; ending instead", err)
	os.Exit(1)
}

// SetClock moves the system clock and the hardware clock by skew when that is
// more than a few seconds: certificates are judged by it. It reports whether
// the clock was set.
func SetClock(skew time.Duration) bool {
	if skew.Abs() < 5*time.Second || Container() != "" {
		return false
	}
	now := time.Now().Add(skew)
	t := unix.NsecToTimeval(now.UnixNano())
	if err := unix.Settimeofday(&t); err != nil {
		return false
	}
	if rtc, err := os.Open("/dev/rtc0"); err == nil {
		u := now.UTC()
		_ = unix.IoctlSetRTCTime(int(rtc.Fd()), &unix.RTCTime{
			Sec: int32(u.Second()), Min: int32(u.Minute()), Hour: int32(u.Hour()),
			Mday: int32(u.Day()), Mon: int32(u.Month()) - 1, Year: int32(u.Year()) - 1900,
		})
		rtc.Close()
	}
	return true
}
