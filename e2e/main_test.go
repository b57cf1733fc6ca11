// Package e2e proves whole stories: the programs as a user calls them, on lab
// machines, and nothing of their inside.
//
//	go test ./e2e -lab         one small install through real firmware (root, QEMU)
//	go test ./e2e -lab -site   whole HA sites on container machines (root, ~1.5 h)
package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	labFlag  = flag.Bool("lab", false, "make real labs (root)")
	siteFlag = flag.Bool("site", false, "with -lab: the long stories on whole sites")
	keepFlag = flag.Bool("keep", false, "keep the files of each lab")
)

// needsLab skips what makes machines.
func needsLab(t *testing.T) {
	t.Helper()
	if !*labFlag || os.Geteuid() != 0 {
		t.Skip("makes machines: run `go tool task test` as root (go test ./e2e -lab)")
	}
}

// needsSite skips what makes whole sites.
func needsSite(t *testing.T) {
	t.Helper()
	if !*labFlag || !*siteFlag || os.Geteuid() != 0 {
		t.Skip("makes a whole site: run `go tool task e2e` as root (go test ./e2e -lab -site)")
	}
}

// programs builds ra2-deploy and ra2-node once for all tests of this process.
func programs(t *testing.T) (dir string) {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// built is where the programs are. The directory is left to the system's
// temporary files: the daemon of a kept lab runs from it.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ra2-e2e-bin-")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"-o", filepath.Join(dir, "ra2-deploy"), "../cmd/ra2-deploy"},
		{"-ldflags", "-s -w", "-o", filepath.Join(dir, "ra2-node"), "../cmd/ra2-node"},
	} {
		cmd := exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false"}, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return dir, nil
})

// A bench is one lab and the program that works on it. Its directory keeps
// the output of every command; it stays when the test fails.
type bench struct {
	*testing.T
	name    string // of the lab; "ra2-"+name is its network namespace
	dir     string // of the lab
	program string

	commands *atomic.Int32 // that were started
}

// newBench makes the lab that a file of sites/ describes, under another name
// and with these edits (old, new, old, new ...).
func newBench(t *testing.T, name, site string, edits ...string) *bench {
	t.Helper()
	bin := programs(t)
	text, err := os.ReadFile(filepath.Join("sites", site))
	if err != nil {
		t.Fatal(err)
	}
	top, err := os.MkdirTemp("", "ra2-e2e-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, name: name, dir: filepath.Join(top, "lab"), program: filepath.Join(bin, "ra2-deploy"), commands: new(atomic.Int32)}
	if err := os.MkdirAll(b.outputs(), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(top, "site.yaml")
	if err := os.WriteFile(file, []byte(b.edited(string(text), edits)), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.end(top) })
	b.must(b.run("lab", "up", file, "--dir", b.dir))
	return b
}

// part runs a part of the story as a test of its own.
func (b *bench) part(name string, f func(*bench)) bool {
	b.Helper()
	return b.Run(name, func(t *testing.T) {
		part := *b
		part.T = t
		f(&part)
	})
}

// edited names the lab and replaces what the test wants to be different.
func (b *bench) edited(text string, edits []string) string {
	b.Helper()
	_, rest, ok := strings.Cut(text, "metadata: {name: ")
	old, _, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		b.Fatal("the site has no line `metadata: {name: ...}`")
	}
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			b.Fatalf("the site has no %q to replace", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return strings.Replace(text, "metadata: {name: "+old+"}", "metadata: {name: "+b.name+"}", 1)
}

// end takes the lab down; evidence of a failure stays.
func (b *bench) end(top string) {
	if r := b.run("lab", "down", b.dir); r.code != 0 {
		b.Errorf("%s", r)
	}
	if b.Failed() || *keepFlag {
		b.Logf("kept: %s (output of all commands in %s)", top, b.outputs())
		return
	}
	if err := os.RemoveAll(top); err != nil {
		b.Error(err)
	}
}

func (b *bench) outputs() string   { return filepath.Join(filepath.Dir(b.dir), "commands") }
func (b *bench) inventory() string { return filepath.Join(b.dir, "inventory.yaml") }

// state is a file that ra2-deploy keeps beside the inventory.
func (b *bench) state(name string) string { return filepath.Join(b.dir, "inventory.ra2", name) }

// machine is a file of one machine: console.log, bmc.jsonl.
func (b *bench) machine(name, file string) string {
	return filepath.Join(b.dir, "machines", name, file)
}

// namespace is the lab's network namespace.
func (b *bench) namespace() string { return "ra2-" + b.name }

// result is a command that ended.
type result struct {
	line     string
	code     int
	out, err string
	took     time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("$ %s\nexit status %d after %s\n%s%s", r.line, r.code, r.took.Round(time.Millisecond), r.out, r.err)
}

// run runs ra2-deploy on the host.
func (b *bench) run(args ...string) result {
	b.Helper()
	return b.start(append([]string{b.program}, args...)...).wait()
}

// inside runs ra2-deploy in the lab's network.
func (b *bench) inside(args ...string) result {
	b.Helper()
	return b.startInside(args...).wait()
}

// startInside starts ra2-deploy in the lab's network.
func (b *bench) startInside(args ...string) *command {
	b.Helper()
	return b.start(append([]string{"ip", "netns", "exec", b.namespace(), b.program}, args...)...)
}

// must ends the test when the command failed.
func (b *bench) must(r result) result {
	b.Helper()
	if r.code != 0 {
		b.Fatalf("%s", r)
	}
	return r
}

// exits wants an exit status.
func (b *bench) exits(r result, code int) result {
	b.Helper()
	if r.code != code {
		b.Fatalf("the exit status should be %d\n%s", code, r)
	}
	return r
}

// command is a command that runs. `ip netns exec` becomes the program, so the
// process is the program's.
type command struct {
	*exec.Cmd
	ended chan struct{} // closed when result is there
	result
}

// start starts any command; its output is kept.
func (b *bench) start(line ...string) *command {
	b.Helper()
	var out, errs bytes.Buffer
	keep := filepath.Join(b.outputs(), fmt.Sprintf("%03d", b.commands.Add(1)))
	c := &command{Cmd: exec.Command(line[0], line[1:]...), ended: make(chan struct{})}
	c.Stdout, c.Stderr = &out, &errs
	began := time.Now()
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		err := c.Wait()
		c.result = result{line: strings.Join(line, " "), code: c.ProcessState.ExitCode(), out: out.String(), err: errs.String(), took: time.Since(began)}
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			c.result.err += "\n" + err.Error()
		}
		if err := os.WriteFile(keep, []byte("$ "+c.line+"\n"+c.out+c.result.err), 0o600); err != nil {
			c.result.err += "\n" + err.Error()
		}
	}()
	return c
}

// wait returns how the command ended.
func (c *command) wait() result {
	<-c.ended
	return c.result
}

// until asks until look says yes. The last words of look are the evidence of
// a failure.
func (b *bench) until(what string, limit time.Duration, look func() (bool, string)) {
	b.Helper()
	end := time.Now().Add(limit)
	for {
		ok, evidence := look()
		if ok {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("waited %s for %s; last seen: %s", limit, what, evidence)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
