// Command ra2-read prints what files and programs of a node say, as one JSON
// document (Document), and changes nothing. What is read is named by its caller,
// so that whoever looks at the pod sees all of it:
//
//	ra2-read [-root DIR] [-file GLOB]... [-digest GLOB]... [-link GLOB]... [-name GLOB]... [-run "PROGRAM ARG..."]...
//
// With -root it changes into that root before anything else: links of the node then
// lead to where they lead on the node, and programs are the node's. Exit status: 0
// when the document is whole, whatever is missing in it; 1 when it couldn't be
// made, 2 for wrong usage.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// How much is read at most, and how long one program may take.
const (
	maxFile = 1 << 20
	maxAll  = 4 << 20
	runTime = 10 * time.Second
)

// Document is what is printed. What a glob matches and can't be read is in Lacks;
// what nothing matches is nowhere.
type Document struct {
	Files   map[string]string `json:"files"`           // path to content
	Bytes   map[string][]byte `json:"bytes,omitempty"` // of files that are no UTF-8; base64
	Digests map[string]string `json:"digests"`         // path to "sha256:…"
	Links   map[string]string `json:"links"`           // path to where the link points
	Names   []string          `json:"names"`           // paths that are there
	Runs    map[string]Run    `json:"runs"`            // by what was asked for
	Lacks   map[string]string `json:"lacks"`           // path or program to why
	Done    bool              `json:"done"`            // all that was named was looked for
}

// Run is what a program said.
type Run struct {
	Output string `json:"output"`
	Exit   int    `json:"exit"`
}

// globs are the values of a flag that may be repeated.
type globs []string

// String implements flag.Value.
func (g *globs) String() string { return strings.Join(*g, " ") }

// Set implements flag.Value.
func (g *globs) Set(v string) error {
	*g = append(*g, v)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("ra2-read", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", "", "root of the node; empty is this one")
	var files, digests, links, names, programs globs
	flags.Var(&files, "file", "files whose content is told")
	flags.Var(&digests, "digest", "files of which only the digest is told")
	flags.Var(&links, "link", "links whose target is told")
	flags.Var(&names, "name", "what is told to be there")
	flags.Var(&programs, "run", "program whose output is told, with arguments that hold no blank")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errs, "ra2-read: %q is no flag\n", flags.Arg(0))
		return 2
	}
	if *root != "" {
		if err := errors.Join(syscall.Chroot(*root), os.Chdir("/")); err != nil {
			fmt.Fprintf(errs, "ra2-read: change into the root %s: %v\n", *root, err)
			return 1
		}
	}
	d := Document{Files: map[string]string{}, Bytes: map[string][]byte{}, Digests: map[string]string{}, Links: map[string]string{}, Names: []string{}, Runs: map[string]Run{}, Lacks: map[string]string{}}
	d.each(files, d.file)
	d.each(digests, d.digest)
	d.each(links, func(path string) (err error) { d.Links[path], err = os.Readlink(path); return err })
	d.each(names, func(path string) error { d.Names = append(d.Names, path); return nil })
	for _, p := range programs {
		d.run(ctx, p)
	}
	d.Done = ctx.Err() == nil
	if err := json.NewEncoder(out).Encode(d); err != nil {
		fmt.Fprintf(errs, "ra2-read: %v\n", err)
		return 1
	}
	return 0
}

// each looks at all that some globs match. What isn't there (a file of sysfs that
// went with its device) is no lack.
func (d *Document) each(all globs, look func(path string) error) {
	for _, glob := range all {
		found, err := filepath.Glob(glob)
		if err != nil {
			d.Lacks[glob] = err.Error()
		}
		for _, path := range found {
			if err := look(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				d.Lacks[path] = err.Error()
			}
		}
	}
}

// content reads a file, no half of one.
func content(path string, most int) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, notRegular(info))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("larger than %d bytes", most)
	}
	return data, err
}

func notRegular(info fs.FileInfo) error {
	if info == nil {
		return nil
	}
	return errors.New("no regular file")
}

// left is how much more may be told.
func (d *Document) left() int {
	n := maxAll
	for _, text := range d.Files {
		n -= len(text)
	}
	for _, data := range d.Bytes {
		n -= len(data)
	}
	return max(0, min(n, maxFile))
}

func (d *Document) file(path string) error {
	data, err := content(path, d.left())
	switch {
	case err != nil:
		return err
	case utf8.Valid(data):
		d.Files[path] = string(data)
	default:
		d.Bytes[path] = data
	}
	return nil
}

func (d *Document) digest(path string) error {
	data, err := content(path, maxFile)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	d.Digests[path] = "sha256:" + hex.EncodeToString(sum[:])
	return nil
}

// run keeps what a program said, also when it failed: some say "no" by it. Programs
// that aren't there are nowhere.
func (d *Document) run(ctx context.Context, line string) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	path, err := look(words[0])
	if err != nil {
		return
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, words[1:]...)
	cmd.Env, cmd.Stdout, cmd.WaitDelay = []string{"PATH=" + searched, "LC_ALL=C"}, &out, time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		d.Lacks[line] = fmt.Sprintf("not done after %v", runTime)
	case err != nil && !errors.As(err, &exit):
		d.Lacks[line] = err.Error()
	case out.Len() > maxFile:
		d.Lacks[line] = fmt.Sprintf("it says more than %d bytes", maxFile)
	default:
		d.Runs[line] = Run{strings.ToValidUTF8(out.String(), "?"), cmd.ProcessState.ExitCode()}
	}
}

// searched is where programs of a node are: this process has a container's PATH.
const searched = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"

func look(program string) (string, error) {
	for _, dir := range filepath.SplitList(searched) {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fs.ErrNotExist
}
