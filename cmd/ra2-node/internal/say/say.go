// Package say writes what happens for a person at the console: one line each,
// with the time since power-on.
package say

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Console takes lines for people. It is safe for many goroutines.
type Console struct {
	mu   sync.Mutex
	to   []io.Writer
	dead map[io.Writer]bool // writers that failed: a line that nobody reads must not stop us
	up   func() time.Duration
}

// New returns a console that writes to all of to.
func New(to ...io.Writer) *Console {
	return &Console{to: to, dead: map[io.Writer]bool{}, up: sinceBoot}
}

// Consoles returns a console on every console of the kernel line ("console="):
// /dev/console is the last of them only, and the serial line is what gets
// recorded. listed is the content of /sys/class/tty/console/active.
func Consoles(listed string) *Console {
	var to []io.Writer
	for name := range strings.FieldsSeq(listed) {
		f, err := os.OpenFile("/dev/"+name, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err == nil {
			to = append(to, f)
		}
	}
	if len(to) == 0 {
		to = []io.Writer{os.Stdout}
	}
	return New(to...)
}

// Say writes one line.
func (c *Console) Say(format string, args ...any) {
	line := fmt.Sprintf("[%7.1fs] ra2-node: %s\r\n", c.up().Seconds(), fmt.Sprintf(format, args...))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.to {
		if c.dead[w] {
			continue
		}
		if f, ok := w.(*os.File); ok {
			_ = f.SetWriteDeadline(time.Now().Add(2 * time.Second))
		}
		if _, err := io.WriteString(w, line); err != nil && !os.IsTimeout(err) {
			c.dead[w] = true
		}
	}
}

// sinceBoot is the kernel's own time, so that lines match those of dmesg.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
