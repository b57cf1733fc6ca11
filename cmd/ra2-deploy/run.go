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
	events   string
	parallel int
	yes      bool
}

func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cache, "cache", provisioner.DefaultCache, "directory that holds built images")
	cmd.Flags().StringVar(&f.events, "events", "", "also write every event as a line of JSON to this file, - is the standard output")
	cmd.Flags().IntVar(&f.parallel, "parallel", 16, "steps that run at once")
}

// withRun opens the cluster of an inventory, tells events to the terminal and
// to --events, and closes every session whatever happens.
func withRun(cmd *cobra.Command, path string, f flags, do func(*provisioner.Run) error) (err error) {
	cluster, err := provisioner.Load(path)
	if err != nil {
		return err
	}
	sink, closeSink, err := eventSink(cmd, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSink()) }()
	began := time.Now()
	r, err := provisioner.Open(cmd.Context(), cluster, provisioner.Options{
		Inventory: path, Cache: f.cache, Parallel: f.parallel,
		Approve: func(ctx context.Context, p step.Plan, seen facts.Seen) error {
			return approve(cmd, f.yes, cluster.Name, p, seen)
		},
		Tell: func(ev step.Event) {
			if f.events != "-" {
				fmt.Fprintln(cmd.OutOrStdout(), report.Line(ev, began))
			}
			sink(ev)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return do(r)
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

// approve shows a plan that erases, and asks. Without a terminal only --yes
// will do: silence is no answer.
func approve(cmd *cobra.Command, yes bool, name string, p step.Plan, seen facts.Seen) error {
	fmt.Fprint(cmd.OutOrStdout(), report.Plan(p, seen))
	if yes {
		return nil
	}
	if in, ok := cmd.InOrStdin().(*os.File); !ok || !isatty.IsTerminal(in.Fd()) {
		return nextStep{fmt.Errorf("this plan erases disks and nobody can be asked: %w", provisioner.ErrDeclined), cmd.CommandPath() + " --yes …"}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "This erases the disks named above. Type the cluster's name to go on: ")
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return provisioner.ErrDeclined
	}
	return nil
}
