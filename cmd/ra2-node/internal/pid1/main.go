package pid1

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/kmod"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/say"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// retryDefault is how long a failure stays on the console before the restart.
const retryDefault = 30 * time.Second

// System is the running initramfs.
type System struct {
	Line    agent.KernelLine
	Say     func(string, ...any)
	Reaper  *Reaper
	Modules *kmod.Loader
}

// A Mode does the work of one ra2.mode. It returns only with an error.
type Mode func(*System) error

// Main is PID 1 of the initramfs: it prepares the system, runs the mode that
// the kernel line names, and never ends: a failure is told on the console,
// then the machine restarts, since nobody stands beside it.
func Main(modes map[string]Mode) {
	mountErr := Mounts()
	console := openConsole()
	sys := &System{Say: console.Say, Reaper: &Reaper{}}
	var err error
	defer func() { // also for a panic: a dead PID 1 is a dead machine
		if p := recover(); p != nil {
			err = fmt.Errorf("bug: %v\n%s", p, debug.Stack())
		}
		sys.giveUp(err)
	}()
	if mountErr != nil {
		sys.Say("%v", mountErr)
	}
	sys.Reaper.Start()
	obeyPowerButton(sys.Say)
	err = sys.run(modes)
}

func (s *System) run(modes map[string]Mode) error {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("read the kernel line: %w", err)
	}
	if s.Line, err = agent.ParseKernelLine(string(text)); err != nil {
		return err
	}
	s.Say("mode %s%s", s.Line.Mode, nodeName(s.Line.Node))
	if err := s.modules(); err != nil {
		s.Say("modules: %v; going on", err)
	}
	mode := modes[s.Line.Mode]
	if mode == nil {
		return fmt.Errorf("this ra2-node can't do ra2.mode=%s", s.Line.Mode)
	}
	return mode(s)
}

func nodeName(name string) string {
	if name == "" {
		return ""
	}
	return " for node " + name
}

// modules loads the drivers of the devices that are there already and goes on
// looking for a while in the background: a bus shows its devices late.
func (s *System) modules() error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	var err error
	s.Modules, err = kmod.Open("/", unix.ByteSliceToString(uts.Release[:]))
	if err != nil || s.Modules.Empty() || Container() != "" {
		return err
	}
	AsModprobe()
	seen := map[string]bool{}
	_, err = s.Modules.Devices("/sys/devices", seen)
	go func() {
		for range 150 { // 30 s: the slowest RAID controllers show their disks within that
			time.Sleep(200 * time.Millisecond)
			_, _ = s.Modules.Devices("/sys/devices", seen)
		}
	}()
	return err
}

// Module loads a module by name; a container machine uses the host's kernel as
// it is.
func (s *System) Module(names ...string) {
	if s.Modules == nil || s.Modules.Empty() || Container() != "" {
		return
	}
	for _, name := range names {
		if err := s.Modules.Load(name); err != nil {
			s.Say("%v; going on", err)
		}
	}
}

// giveUp says what failed and what comes next, and restarts.
func (s *System) giveUp(err error) {
	if err == nil {
		err = errors.New("nothing is left to do")
	}
	pause := s.Line.Retry
	if pause == 0 {
		pause = retryDefault
	}
	s.Say("FAILED: %v", err)
	s.Say("next: the machine restarts in %s (ra2.retry) and boots as its firmware is told", pause)
	time.Sleep(pause)
	Restart(s.Say)
}

func openConsole() *say.Console {
	if Container() != "" {
		return say.New(os.Stdout)
	}
	active, _ := os.ReadFile("/sys/class/tty/console/active")
	return say.Consoles(string(active))
}

// obeyPowerButton switches off when told so: SIGTERM by what runs a container
// machine, SIGINT by Ctrl-Alt-Del.
func obeyPowerButton(say func(string, ...any)) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, unix.SIGTERM, unix.SIGINT, unix.SIGPWR)
	go func() {
		switch sig := <-told; sig {
		case unix.SIGINT:
			say("told to restart (%v)", sig)
			Restart(say)
		default:
			say("told to switch off (%v)", sig)
			PowerOff(say)
		}
	}()
}
