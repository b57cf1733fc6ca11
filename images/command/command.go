// Package command runs the external programs of the image factory and makes
// their failures tell what was run and what it said.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// keep is how much of a failed command's output an error repeats: the end of
// it, where compilers and package managers say why.
const keep = 4 << 10

// Command is one external program and how it is run.
type Command struct {
	Dir  string   // working directory; empty means the caller's
	Env  []string // added to the environment, "KEY=value"
	Args []string // Args[0] is looked up in PATH
}

// Run runs c and returns its standard output. The error is a *Failed when the
// program ran and said no, and repeats the end of what it wrote. When ctx ends
// the program gets SIGINT and, ten seconds later, SIGKILL.
func Run(ctx context.Context, c Command) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	var all record
	cmd.Stdout = &tee{&out, &all}
	cmd.Stderr = &all
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return out.Bytes(), &Failed{Command: c, Output: tail(all.text), Err: err}
}

// Failed is a program that could not be run or that ended with an error.
type Failed struct {
	Command Command
	Output  string // the end of stdout and stderr, in the order written
	Err     error
}

// Error gives the command line, the reason and the end of the output.
func (f *Failed) Error() string {
	s := fmt.Sprintf("run %s: %v", strings.Join(f.Command.Args, " "), f.Err)
	if f.Output != "" {
		s += "\n  it said: " + strings.ReplaceAll(f.Output, "\n", "\n  ")
	}
	return s
}

// Unwrap gives the reason: an *exec.ExitError, exec.ErrNotFound or the end of
// the context.
func (f *Failed) Unwrap() error { return f.Err }

// Missing gives the programs that are not in PATH, in the order asked.
func Missing(programs []string) []string {
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); errors.Is(err, exec.ErrNotFound) {
			missing = append(missing, p)
		}
	}
	return missing
}

// record is what a program wrote to both, in the order written. Each has a
// goroutine of its own that copies here. (A bytes.Buffer would not do, even
// locked: io.Copy calls its ReadFrom, which would hold the lock for ever.)
type record struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	return len(p), nil
}

// tee keeps standard output apart and in the common record as well.
type tee struct {
	own *bytes.Buffer
	all *record
}

// Write implements io.Writer.
func (t *tee) Write(p []byte) (int, error) {
	t.own.Write(p)
	return t.all.Write(p)
}

func tail(b []byte) string {
	if len(b) > keep {
		b = b[len(b)-keep:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return strings.TrimSpace(string(b))
}
