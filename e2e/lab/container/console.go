package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Console is the serial line of a machine: a terminal for the machine, a
// file for us. It outlives boots.
type Console struct {
	Terminal *os.File // the machine's side
	Path     string   // of the terminal
	master   *os.File
	mu       sync.Mutex
	out      io.Writer
}

// OpenConsole makes a terminal whose output goes to out.
func OpenConsole(out io.Writer) (*Console, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	n, err := ptyNumber(master)
	if err != nil {
		return nil, errors.Join(err, master.Close())
	}
	path := fmt.Sprintf("/dev/pts/%d", n)
	terminal, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("console: %w", err), master.Close())
	}
	if t, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS); err == nil {
		t.Oflag &^= unix.OPOST // lines end as the machine writes them
		t.Lflag &^= unix.ECHO | unix.ICANON
		_ = unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, t)
	}
	c := &Console{Terminal: terminal, Path: path, master: master, out: out}
	go c.copy()
	return c, nil
}

func ptyNumber(master *os.File) (n int, err error) {
	raw, err := master.SyscallConn()
	if err != nil {
		return 0, err
	}
	control := func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}
	if e := raw.Control(control); e != nil {
		return 0, e
	}
	return n, err
}

func (c *Console) copy() {
	b := make([]byte, 4096)
	for {
		n, err := c.master.Read(b)
		if n > 0 {
			c.mu.Lock()
			_, _ = c.out.Write(b[:n])
			c.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// Say prints a line of the lab itself.
func (c *Console) Say(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "\n[lab %s] %s\n", time.Now().UTC().Format("15:04:05.000"), line)
}

// Close ends the console.
func (c *Console) Close() error { return errors.Join(c.Terminal.Close(), c.master.Close()) }
