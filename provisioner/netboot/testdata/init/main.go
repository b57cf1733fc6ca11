// Command init is PID 1 of the machines of the lab tests: it tells by the
// serial console what the kernel was given, and switches the machine off.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"syscall"
)

func main() {
	_ = os.Mkdir("/proc", 0o755)
	_ = syscall.Mount("proc", "/proc", "proc", 0, "")
	line, _ := os.ReadFile("/proc/cmdline")
	fmt.Printf("init: kernel line %s", line)
	ticket, err := os.ReadFile("/ra2/ticket")
	info, _ := os.Stat("/ra2/ticket")
	if err != nil {
		fmt.Printf("init: no ticket: %v\n", err)
	} else {
		fmt.Printf("init: ticket %x mode %o\n", sha256.Sum256(ticket), info.Mode())
	}
	fmt.Println("init: end")
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}
