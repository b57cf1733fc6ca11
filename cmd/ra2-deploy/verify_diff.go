package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

func verifyDiffCommand() *cobra.Command {
	var (
		output *format
		public string
	)
	cmd := &cobra.Command{
		Use:   "diff OLDER NEWER",
		Short: "Compare two reports of verify -o json: rows with another verdict, and new evidence",
		Long: `Compare two reports of verify -o json: rows with another verdict, and new evidence.
A report whose content doesn't have the digest that it names is refused; with --key
both have to be signed by that key, each in a file of its name and .minisig.

Exit status 3: a row stands against conformance in the newer report and didn't in the
older one.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readPublic(public)
			if err != nil {
				return err
			}
			older, err1 := readReport(cmd, args[0], key)
			newer, err2 := readReport(cmd, args[1], key)
			if err := errors.Join(err1, err2); err != nil {
				return usage{err}
			}
			return tellDiff(cmd, *output, report.Diff(older, newer))
		},
	}
	output = addFormat(cmd)
	addReportKey(cmd, &public)
	return cmd
}

func tellDiff(cmd *cobra.Command, f format, d report.ConformanceDiff) (err error) {
	if f == asJSON {
		err = printJSON(cmd, d)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), report.DiffText(d))
	}
	if err == nil && d.Worse > 0 {
		return worsened(d.Worse)
	}
	return err
}

// readReport reads a report that is to be compared. Of one that is signed, and by
// whom nobody asked, that is told.
func readReport(cmd *cobra.Command, file string, key *bundle.Verifier) (report.Conformance, error) {
	s, err := readSigned(file, key)
	if err != nil {
		return report.Conformance{}, fmt.Errorf("read the report %s: %w", file, err)
	}
	c, err := report.ReadConformance(s.content)
	if err != nil {
		return c, fmt.Errorf("read the report %s: %w", file, err)
	}
	if s.signer != "" && key == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", file, signedBy(s.signer, false))
	}
	return c, nil
}

// worsened says how many rows stand against a cluster that didn't before.
type worsened int

// Error implements error.
func (w worsened) Error() string {
	return fmt.Sprintf("rows that stand against conformance and didn't before: %d", int(w))
}

// askHosts asks the management controllers of an inventory's hosts.
func askHosts(ctx context.Context, want inventory.Cluster, path string, progress io.Writer) (_ facts.Seen, err error) {
	r, err := provisioner.Open(want, provisioner.Options{Inventory: path, Look: true, Asking: newAsking(progress).tell, Tell: func(step.Event) {}})
	if err != nil {
		return facts.Seen{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.Hosts(ctx)
}

// request shows how far a snapshot is.
func (a *asking) request(what string, asked int) {
	line := fmt.Sprintf("asks the cluster, request %d: %s", asked+1, what)
	switch {
	case a.anew:
		fmt.Fprint(a.out, "\r\x1b[K"+line)
	case time.Since(a.last) >= betweenLines:
		a.last = time.Now()
		fmt.Fprintln(a.out, line)
	}
}

// done leaves nothing of what was written anew.
func (a *asking) done() {
	if a.anew {
		fmt.Fprint(a.out, "\r\x1b[K")
	}
}
