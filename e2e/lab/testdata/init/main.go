// Command init is the first process of the container machines in the tests:
// it tells what it sees, and then installs and restarts, or switches off.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if os.Getenv("container") == "" {
		for _, fs := range []string{"proc", "sys"} {
			_ = os.Mkdir("/"+fs, 0o755)
			_ = syscall.Mount(fs, "/"+fs, map[string]string{"proc": "proc", "sys": "sysfs"}[fs], 0, "")
		}
	}
	line, err := os.ReadFile("/proc/cmdline")
	say("kernel line %s (%v)", strings.TrimSpace(string(line)), err)
	say("pid %d container %s", os.Getpid(), os.Getenv("container"))
	for _, f := range []string{
		"/sys/class/dmi/id/product_serial", "/sys/class/dmi/id/product_uuid", "/sys/class/net/eth0/address", "/sys/block/vda/serial", "/sys/block/vdb/serial", "/ra2/ticket",
	} {
		text, err := os.ReadFile(f)
		say("%s %s %v", f, strings.TrimSpace(string(text)), err)
	}
	siblings, _ := os.ReadFile("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
	say("siblings %s", strings.TrimSpace(string(siblings)))
	disks, _ := filepath.Glob("/sys/block/*")
	say("disks %v", disks)
	_, _, errno := syscall.Syscall6(320, ^uintptr(0), ^uintptr(0), 0, 0, 0, 0) // kexec_file_load
	say("kexec %v", errno)
	say("clock %v", syscall.Settimeofday(&syscall.Timeval{Sec: 1}))
	say("cgroups %d", len(glob("/sys/fs/cgroup/*")))
	if strings.Contains(string(line), "mode=install") {
		say("installed %v", install())
		end(syscall.LINUX_REBOOT_CMD_RESTART)
	}
	for _, u := range glob("/sys/block/vda/vda*/uevent") {
		text, _ := os.ReadFile(u)
		name := filepath.Base(filepath.Dir(u))
		_, err := os.Stat("/dev/" + name)
		say("partition %s %s node %v", name, strings.ReplaceAll(string(text), "\n", " "), err)
	}
	if strings.Contains(string(line), "mode=wait") {
		say("waits")
		time.Sleep(time.Hour)
	}
	end(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func say(format string, args ...any) { fmt.Printf("init: "+format+"\n", args...) }

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

func install() error {
	from, err := os.Open("/disk.img")
	if err != nil {
		return err
	}
	to, err := os.OpenFile("/dev/vda", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Sync()
}

func end(how int) {
	syscall.Sync()
	say("reboot: %v", syscall.Reboot(how))
	time.Sleep(time.Hour)
}
