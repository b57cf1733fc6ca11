// Package ipxe runs iPXE scripts the way iPXE does, as far as booting a
// machine needs it: labels, variables, && and ||, and the commands that load
// and boot files.
package ipxe

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Loader does what a script asks of the world.
type Loader interface {
	// Fetch gets a file.
	Fetch(ctx context.Context, url string) ([]byte, error)
	// Say prints a line on the console.
	Say(line string)
}

// An Image is one file that was loaded.
type Image struct {
	Name string
	Data []byte
}

// Result is what the script booted.
type Result struct {
	Kernel  Image
	Line    string  // arguments of the kernel, without initrd=
	Initrds []Image // in the order of loading
}

// ErrExit is returned when the script gave up or ended without boot.
var ErrExit = errors.New("the script ended without a boot")

// Bounds of a script that runs in circles or fills the memory.
const (
	maxSteps = 1000
	maxText  = 16 << 10
)

// Run runs a script. Settings are iPXE's ("net0/mac", "ip") and are changed by
// the script. Sleep waits; it is time.Sleep for machines.
func Run(ctx context.Context, script string, settings map[string]string, l Loader, sleep func(time.Duration)) (Result, error) {
	lines := strings.Split(script, "\n")
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "#!ipxe") {
		return Result{}, errors.New("exec format error: the file does not begin with #!ipxe")
	}
	r := &run{ctx: ctx, lines: lines, set: settings, loader: l, sleep: sleep}
	for steps := 0; r.at < len(r.lines) && !r.over; steps++ {
		if steps == maxSteps {
			return Result{}, fmt.Errorf("the script took %d steps and did not boot", steps)
		}
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		r.at++
		if err := r.line(lines[r.at-1]); err != nil && !r.over {
			return Result{}, fmt.Errorf("line %d: %w", r.at, err)
		}
	}
	if !r.booted {
		return Result{}, ErrExit
	}
	return r.result, nil
}

type run struct {
	ctx          context.Context
	lines        []string
	at           int // the next line
	set          map[string]string
	loader       Loader
	sleep        func(time.Duration)
	result       Result
	over, booted bool
	jumped       bool
}

// line runs "a && b || c": what follows && runs after success, what follows
// || after failure. The line fails when the last command that ran failed.
func (r *run) line(text string) error {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' || text[0] == ':' {
		return nil
	}
	var err error
	var command []string
	skip := false
	r.jumped = false
	for _, word := range append(strings.Fields(text), "") {
		if word != "&&" && word != "||" && word != "" {
			command = append(command, word)
			continue
		}
		if !skip {
			err = nil // an empty command succeeds: "x ||" forgives
			if len(command) > 0 {
				err = r.command(command)
			}
		}
		if r.over || r.jumped {
			return err
		}
		command = nil
		skip = (word == "&&") != (err == nil)
	}
	return err
}

// expand replaces ${name}, from the inside out.
func (r *run) expand(s string) string {
	for range 64 {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return s
		}
		begin := strings.LastIndex(s[:end], "${")
		if begin < 0 {
			return s
		}
		if s = s[:begin] + r.value(s[begin+2:end]) + s[end+1:]; len(s) > maxText {
			return s
		}
	}
	return s
}

// value is a setting in its wanted form: "mac:hexhyp" has dashes.
func (r *run) value(name string) string {
	name, form, _ := strings.Cut(name, ":")
	v, ok := r.set[name]
	if !ok && !strings.Contains(name, "/") {
		v = r.set["net0/"+name]
	}
	if form == "hexhyp" {
		v = strings.ReplaceAll(v, ":", "-")
	}
	return v
}

func (r *run) command(words []string) error {
	args := make([]string, 0, len(words))
	size := 0
	for _, w := range words {
		args = append(args, r.expand(w))
		if size += len(args[len(args)-1]); size > maxText {
			return fmt.Errorf("%s: the line is longer than %d bytes", words[0], maxText)
		}
	}
	name, args := args[0], args[1:]
	switch name {
	case "echo":
		r.loader.Say(strings.Join(args, " "))
		return nil
	case "set", "clear", "inc", "isset", "iseq":
		return r.variable(name, args)
	case "goto":
		return r.jump(args)
	case "sleep":
		return r.wait(args)
	case "kernel", "initrd", "chain", "imgfree":
		return r.image(name, args)
	case "ifopen", "ifclose", "dhcp", "ifconf", "imgstat", "prompt":
		return nil // the firmware below did it
	case "boot":
		if r.result.Kernel.Data == nil {
			return errors.New("boot: no kernel is loaded")
		}
		r.over, r.booted = true, true
		return nil
	case "exit", "shell":
		r.over = true
		return nil
	}
	return fmt.Errorf("%s: command not found", name)
}

var errFalse = errors.New("no")

func (r *run) variable(command string, args []string) error {
	if len(args) == 0 {
		if command == "isset" {
			return errFalse // the setting was empty and its word is gone
		}
		return fmt.Errorf("%s: an argument is missing", command)
	}
	name, _, _ := strings.Cut(args[0], ":")
	switch command {
	case "set":
		r.set[name] = strings.Join(args[1:], " ")
	case "clear":
		delete(r.set, name)
	case "inc":
		n, _ := strconv.Atoi(r.set[name])
		r.set[name] = strconv.Itoa(n + 1)
	case "isset":
		if args[0] == "" {
			return errFalse
		}
	case "iseq":
		if len(args) != 2 || args[0] != args[1] {
			return errFalse
		}
	}
	return nil
}

func (r *run) jump(args []string) error {
	for i, line := range r.lines {
		if len(args) == 1 && strings.TrimSpace(line) == ":"+args[0] {
			r.at, r.jumped = i+1, true
			return nil
		}
	}
	return fmt.Errorf("goto %s: there is no such label", strings.Join(args, " "))
}

func (r *run) wait(args []string) error {
	if len(args) != 1 {
		return errors.New("sleep: an argument is missing")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 {
		return fmt.Errorf("sleep %s: not a number of seconds", args[0])
	}
	r.sleep(time.Duration(n) * time.Second)
	return r.ctx.Err()
}

func (r *run) image(command string, args []string) error {
	name := ""
	for len(args) > 1 && strings.HasPrefix(args[0], "--") {
		if args[0] == "--name" || args[0] == "-n" {
			name = args[1]
		}
		args = args[2:]
	}
	if len(args) == 0 {
		return fmt.Errorf("%s: an argument is missing", command)
	}
	if command == "imgfree" {
		return nil // a file that did not come is not kept
	}
	if name == "" {
		name = args[0][strings.LastIndexByte(args[0], '/')+1:]
	}
	data, err := r.loader.Fetch(r.ctx, args[0])
	if err != nil {
		r.loader.Say(err.Error())
		return err
	}
	switch command {
	case "kernel":
		r.result.Kernel, r.result.Line = Image{name, data}, kernelLine(args[1:])
	case "initrd":
		r.result.Initrds = append(r.result.Initrds, Image{name, data})
	case "chain":
		inner, err := Run(r.ctx, string(data), r.set, r.loader, r.sleep)
		if err != nil {
			return err
		}
		r.result, r.over, r.booted = inner, true, true
	}
	return nil
}

// kernelLine drops what only the EFI stub reads.
func kernelLine(args []string) string {
	var keep []string
	for _, a := range args {
		if !strings.HasPrefix(a, "initrd=") {
			keep = append(keep, a)
		}
	}
	return strings.Join(keep, " ")
}
