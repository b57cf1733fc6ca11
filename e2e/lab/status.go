package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// WriteStatus prints machines as a table.
func WriteStatus(w io.Writer, all []MachineStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MACHINE\tKIND\tPOWER\tBMC\tSTAGE\tCONSOLE")
	for _, m := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s (%s)\t%s\n", m.Name, m.Kind, m.Power, m.BMC, m.Stage, time.Since(m.Since).Round(time.Second), m.Console)
	}
	return t.Flush()
}

// Console copies what a machine printed to w; with follow it goes on until ctx
// ends.
func Console(ctx context.Context, dir, machine string, follow bool, w io.Writer) error {
	f, err := Read(filepathOf(dir))
	if err != nil {
		return err
	}
	all, err := f.servers(dir)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Name == machine {
			return tailFile(ctx, s.path(consoleFile), follow, w)
		}
	}
	return fmt.Errorf("the lab in %s has no machine %q; next: ra2-deploy lab status %s", dir, machine, dir)
}

func tailFile(ctx context.Context, path string, follow bool, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("console: %w; next: switch the machine on", err)
	}
	defer f.Close()
	for {
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil
			}
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
