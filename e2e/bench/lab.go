package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// site is one lab whose machines are measured.
type site struct {
	name    string // of the lab, and of its network namespace after "ra2-"
	top     string // directory of all that belongs to it
	program string
}

// newSite makes the lab of a site's file under another name, with its cluster
// laid over by extra (YAML, indented below "cluster:").
func newSite(ctx context.Context, name, file, extra string) (*site, error) {
	program, err := filepath.Abs("bin/ra2-deploy")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &site{name: name, program: program}
	if s.top, err = os.MkdirTemp("", "ra2-bench-"); err != nil {
		return nil, err
	}
	edited := strings.Replace(string(text), "metadata: {name: demo}", "metadata: {name: "+name+"}", 1)
	edited = strings.Replace(edited, "  cluster:\n", "  cluster:\n"+extra, 1)
	if err := os.WriteFile(s.path("site.yaml"), []byte(edited), 0o600); err != nil {
		return nil, err
	}
	_, err = s.run(ctx, "lab", "up", s.path("site.yaml"), "--dir", s.path("lab"))
	return s, err
}

func (s *site) path(name string) string { return filepath.Join(s.top, name) }
func (s *site) inventory() string       { return s.path("lab/inventory.yaml") }

// end takes the lab down. Its files stay when the measurement failed.
func (s *site) end(failed bool) error {
	if s == nil {
		return nil
	}
	_, err := s.run(context.Background(), "lab", "down", s.path("lab"))
	if failed || err != nil {
		fmt.Printf("kept: %s\n", s.top)
		return err
	}
	return os.RemoveAll(s.top)
}

// run runs ra2-deploy on this host and returns what it printed.
func (s *site) run(ctx context.Context, args ...string) (string, error) {
	return output(ctx, append([]string{s.program}, args...)...)
}

// up runs ra2-deploy up in the lab's network and returns what it printed.
func (s *site) up(ctx context.Context, args ...string) (string, error) {
	line := append([]string{"ip", "netns", "exec", "ra2-" + s.name, s.program, "up", "--yes"}, args...)
	return output(ctx, append(line, s.inventory())...)
}

// pid1 is the first process of a container machine as this host numbers it.
func (s *site) pid1(machine string) (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		groups, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(groups), "/ra2-"+s.name+"/"+machine) {
			continue // it ended, or belongs to another machine
		}
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "status"))
		for line := range strings.Lines(string(status)) {
			if ids := strings.Fields(line); len(ids) == 3 && ids[0] == "NSpid:" && ids[2] == "1" {
				return strconv.Atoi(ids[1])
			}
		}
	}
	return 0, errors.New(machine + " runs no system")
}

// output runs a command and returns what it printed; an error shows it.
func output(ctx context.Context, line ...string) (string, error) {
	var out, all bytes.Buffer
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = &tee{&out, &all}, &all
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(line, " "), err, all.String())
	}
	return out.String(), nil
}

// tee writes to both buffers.
type tee struct{ a, b *bytes.Buffer }

// Write implements io.Writer.
func (t *tee) Write(p []byte) (int, error) {
	t.a.Write(p)
	return t.b.Write(p)
}
