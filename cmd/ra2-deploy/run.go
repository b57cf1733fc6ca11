package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// flags are those that commands which work on a cluster share.
type flags struct {
	cache    string
	image    string
	events   string
	bundle   string // to serve meanwhile
	public   string // key that must have signed it
	parallel int
	yes      bool
	look     bool   // nothing is to be done
	deep     bool   // controllers are asked for what no rule judges, too
	ask      string // what a person is asked to approve of
	again    string // the command that goes on after a run that was cut short
}

// defaultCache is the directory of built images unless a flag says otherwise.
func defaultCache() string {
	if dir := os.Getenv("RA2_CACHE"); dir != "" {
		return dir
	}
	return provisioner.DefaultCache
}

// people returns where text for people goes: beside events on the standard
// output it would spoil them.
func (f flags) people(cmd *cobra.Command) io.Writer {
	if f.events == "-" {
		return cmd.ErrOrStderr()
	}
	return cmd.OutOrStdout()
}

// addBundle adds the flags of commands that install.
func (f *flags) addBundle(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "bundle, a directory or one file: its finished image is installed, and it is served to the nodes while the run lasts")
	addPublic(cmd, &f.public)
}

func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cache, "cache", defaultCache(), "directory that holds built images (environment: RA2_CACHE)")
	cmd.Flags().StringVar(&f.image, "image", "", "digest of the built image to use; default is the one that \"image build\" makes here")
	cmd.Flags().StringVar(&f.events, "events", "", "also write every event as a line of JSON to this file, - is the standard output")
	cmd.Flags().IntVar(&f.parallel, "parallel", 16, "steps that run at once")
}

// work is one command's run, and whether it has begun to change anything.
type work struct {
	*provisioner.Run
	acted bool
}

// withRun opens the cluster of an inventory, tells events to the terminal and
// to --events, and closes every session whatever happens.
func withRun(cmd *cobra.Command, path string, f flags, do func(*work) error) (err error) {
	cluster, err := provisioner.Load(path)
	if err != nil {
		return err
	}
	key, err := readPublic(f.public)
	if err != nil {
		return err
	}
	sink, closeSink, err := eventSink(cmd, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSink()) }()
	w, shown := &work{}, &terminal{screen: report.NewScreen(time.Now()), out: cmd.OutOrStdout()}
	if f.events == "-" {
		shown.out = io.Discard
	}
	defer shown.watch()()
	w.Run, err = provisioner.Open(cluster, provisioner.Options{
		Inventory: path, Cache: f.cache, Image: f.image, Parallel: f.parallel, Bundle: f.bundle, BundleKey: key, Look: f.look, Deep: f.deep, Asking: newAsking(cmd.ErrOrStderr()).tell,
		Approve: func(ctx context.Context, p step.Plan, seen facts.Seen) error {
			return approve(cmd, f, cluster.Name, p, seen)
		},
		Tell: func(ev step.Event) {
			w.acted = w.acted || ev.Status == step.Started
			shown.tell(ev)
			sink(ev)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	err = do(w)
	fmt.Fprint(cmd.ErrOrStderr(), report.Notices(w.Notices()))
	if err == nil || !w.acted {
		return err
	}
	return nextStep{midway{err}, "ra2-deploy " + f.again + " " + path + "   (goes on where this run ended; the hosts' consoles tell more)"}
}

// eventSink returns where events go as JSON lines.
func eventSink(cmd *cobra.Command, f flags) (tell func(step.Event), closeAll func() error, err error) {
	var out io.Writer
	closeAll = func() error { return nil }
	switch f.events {
	case "":
		return func(step.Event) {}, closeAll, nil
	case "-":
		out = cmd.OutOrStdout()
	default:
		file, err := os.OpenFile(f.events, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, usage{fmt.Errorf("open the file for events: %w", err)}
		}
		out, closeAll = file, file.Close
	}
	enc := json.NewEncoder(out)
	return func(ev step.Event) { _ = enc.Encode(ev) }, closeAll, nil
}

// approve shows a plan that erases or restarts strangers, and asks. Without a terminal only --yes
// will do: silence is no answer.
func approve(cmd *cobra.Command, f flags, name string, p step.Plan, seen facts.Seen) error {
	if !p.Empty() {
		fmt.Fprint(f.people(cmd), report.Plan(p, seen))
	}
	if f.yes {
		return nil
	}
	ask := f.ask
	switch {
	case ask != "":
	case p.Risk() < step.Erases:
		ask = "This restarts hosts that are not known to be off: whatever runs on them ends. No disk is written."
	default:
		ask = "This erases the disks named above."
	}
	if in, ok := cmd.InOrStdin().(*os.File); !ok || !isatty.IsTerminal(in.Fd()) {
		return nextStep{
			fmt.Errorf("%s Nobody can be asked here: %w", ask, provisioner.ErrDeclined),
			strings.Join(append([]string{cmd.CommandPath(), "--yes"}, cmd.Flags().Args()...), " "),
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s Type the cluster's name, %s, to go on: ", ask, name)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return provisioner.ErrDeclined
	}
	return nil
}
