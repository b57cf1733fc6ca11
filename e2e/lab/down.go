package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/container"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
)

// stopTimeout is how long a daemon may take to end by itself.
const stopTimeout = 20 * time.Second

// Down ends a lab and all that it left on the host: daemon, machines, loop
// devices, cgroups, network namespace, disks. Consoles and request logs stay.
// It also cleans up after a daemon that was killed. A lab that is not there is
// fine.
func Down(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	f, err := Read(filepathOf(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := f.Metadata.Name
	stopDaemon(ctx, name, dir)
	for _, pid := range leftovers(name) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	var errs []error
	errs = append(errs, container.RemoveCgroups(name, stopTimeout), detach(dir), network.Delete(namespace(name)))
	for _, path := range []string{socket(name), filepath.Join(dir, pidFile)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	all, err := f.servers(dir)
	errs = append(errs, err)
	for _, s := range all {
		for _, file := range []string{diskFile, varsFile} {
			errs = append(errs, os.RemoveAll(s.path(file)))
		}
	}
	return errors.Join(errs...)
}

// stopDaemon asks the daemon to end, and kills it when it doesn't.
func stopDaemon(ctx context.Context, name, dir string) {
	pid := daemonPID(dir)
	if pid == 0 {
		return
	}
	_ = ask(ctx, name, http.MethodPost, "/stop", nil, nil)
	end := time.Now().Add(stopTimeout)
	for daemonPID(dir) == pid && time.Now().Before(end) && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	if daemonPID(dir) == pid {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// daemonPID returns the process of the daemon, 0 when there is none: a pid
// file can name a process that is long gone and whose number is another's now.
func daemonPID(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(line), strings.Join(ServeCommand(dir), "\x00")) {
		return 0
	}
	return pid
}

// leftovers are the processes of a lab's machines.
func leftovers(name string) []int { return container.Members(name) }

// detach lets go of loop devices whose file is in dir, and waits until they
// are free: the kernel does it by itself, some moments after the last process.
func detach(dir string) error {
	end := time.Now().Add(stopTimeout)
	for {
		left, err := loops(dir)
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("loop devices of %s are still in use: %v; next: losetup -l, then end what uses them", dir, left)
		}
		for _, node := range left {
			if f, err := os.Open(node); err == nil {
				_ = unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0)
				_ = f.Close()
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// loops lists the loop devices whose file is in dir.
func loops(dir string) ([]string, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var nodes []string
	for _, file := range files {
		if back, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(back), dir+"/") {
			nodes = append(nodes, "/dev/"+strings.Split(file, "/")[3])
		}
	}
	return nodes, nil
}
