package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify"
)

// verifying is how a cluster is to be judged.
type verifying struct {
	kubeconfig string
	inventory  string
	rows       []string // globs of ids
	release    string   // of RA2
	from, keep string   // files of snapshots
	rate       float32  // requests a second
	creation
	reporting
}

func verifyCommand() *cobra.Command {
	var v verifying
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Judge a running cluster by every row of RA2, with evidence",
		Long: `Judge a running cluster by every row of RA2 chapter 4: pass, fail, not-applicable
(with the condition that is absent), waived (by the inventory) or unknown (with what
is missing), each with evidence and the command that repeats it by hand. The rows are
those of the release Pieman; --release names a later one.

It works on any cluster, as far as the rights of the kubeconfig's user go. Each
resource is listed once, at less than four requests a second, and what Secrets hold is
never read. With an inventory the hosts' management controllers are asked too, and its
waivers are applied.

What only a node itself can tell is read by a privileged pod on it, which is removed
afterwards. On a cluster that --inventory installed that is done, and told; on others
it is asked for (--yes), and without a terminal nothing is created. --read-only never
creates anything.

Exit status 3: a row that binds (must, or conditional-must whose condition holds) fails,
or is unknown and not waived.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd) },
	}
	cmd.Flags().StringVar(&v.kubeconfig, "cluster", "", "kubeconfig of the cluster; default is the inventory's cluster, else what kubectl uses")
	cmd.Flags().StringVar(&v.inventory, "inventory", "", "inventory of the cluster: its hosts are judged, its waivers applied")
	cmd.Flags().StringSliceVar(&v.rows, "rows", nil, "judge only rows whose id matches, like 'ra2.k8s.*'; may be repeated")
	cmd.Flags().StringVar(&v.release, "release", string(ra2.Default), "release of RA2 to judge by: "+releases())
	cmd.Flags().StringVar(&v.keep, "keep", "", "write what was asked of the cluster to this file, so that it can be judged again")
	cmd.Flags().StringVar(&v.from, "from", "", "judge what --keep wrote, and ask nobody")
	cmd.Flags().Float32Var(&v.rate, "rate", verify.PerSecond, "requests a second that are sent to the API server at most")
	v.creation.add(cmd)
	v.reporting.add(cmd)
	cmd.AddCommand(verifyWorkloadCommand(), verifyDiffCommand(), verifyCheckCommand())
	return cmd
}

func (v *verifying) run(cmd *cobra.Command) error {
	if v.rate <= 0 {
		return usage{errors.New("--rate: write a number above 0")}
	}
	if v.yes && v.readOnly {
		return usage{errors.New("--yes and --read-only: either something may be created, or nothing")}
	}
	release, err := ra2.ParseRelease(v.release)
	if err != nil {
		return usage{fmt.Errorf("--release: %w", err)}
	}
	rows, err := v.chosen(release)
	if err != nil {
		return err
	}
	if err := v.reporting.check(); err != nil {
		return err
	}
	s, asked, err := v.snapshot(cmd, rows)
	if err != nil {
		return err
	}
	if err := v.kept(s); err != nil {
		return err
	}
	if err := v.inventoried(cmd, &s); err != nil {
		return err
	}
	c, err := report.NewConformanceBy(release, version(), s, conform.Judge(rows, s), asked)
	if err != nil {
		return err
	}
	return v.tell(cmd, c)
}

// chosen returns the rows of a release that match one of the globs, or all.
func (v verifying) chosen(release ra2.Release) ([]conform.Row, error) {
	rows, err := conform.RowsOf(release)
	if err != nil || len(v.rows) == 0 {
		return rows, err
	}
	for _, glob := range v.rows {
		if !slices.ContainsFunc(rows, func(r conform.Row) bool { return matches(glob, r) }) {
			return nil, usage{fmt.Errorf("no row of RA2 %s matches %q; write an id like ra2.k8s.002, or 'ra2.k8s.*'%s", release, glob, elsewhere(glob))}
		}
	}
	return slices.DeleteFunc(rows, func(r conform.Row) bool {
		return !slices.ContainsFunc(v.rows, func(glob string) bool { return matches(glob, r) })
	}), nil
}

// elsewhere says which releases have rows that match a glob.
func elsewhere(glob string) string {
	var have []string
	for _, release := range ra2.Releases() {
		rows, err := conform.RowsOf(release)
		if err == nil && slices.ContainsFunc(rows, func(r conform.Row) bool { return matches(glob, r) }) {
			have = append(have, "--release "+string(release))
		}
	}
	if have == nil {
		return ""
	}
	return " (" + strings.Join(have, " and ") + " has such rows)"
}

// releases are the names that --release takes.
func releases() string {
	var names []string
	for _, r := range ra2.Releases() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func matches(glob string, r conform.Row) bool {
	ok, err := path.Match(glob, r.ID)
	return ok && err == nil
}

// snapshot takes a snapshot, or reads one that was kept; and returns how many
// requests it took.
func (v verifying) snapshot(cmd *cobra.Command, rows []conform.Row) (s conform.Snapshot, asked int, err error) {
	if v.from != "" {
		s, err := readSnapshot(v.from)
		return s, 0, err
	}
	c, err := v.open()
	if err != nil {
		return s, 0, err
	}
	progress := newAsking(cmd.ErrOrStderr())
	c.Tell, c.Routers = progress.request, routers(v.routers)
	s, err = c.Snapshot(cmd.Context())
	progress.done()
	if err == nil {
		err = v.created(cmd, c, rows, &s)
		progress.done()
	}
	return s, c.Asked(), reach(err)
}

// open returns the cluster that the flags name.
func (v verifying) open() (*verify.Cluster, error) {
	if v.kubeconfig == "" && v.inventory != "" {
		data, err := provisioner.Kubeconfig(v.inventory)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usage{fmt.Errorf("the cluster of %s has no keys here; name a kubeconfig with --cluster", v.inventory)}
		}
		if err != nil {
			return nil, err
		}
		return verify.OpenData(data, v.rate)
	}
	c, err := verify.Open(v.kubeconfig, v.rate)
	if err != nil {
		return nil, usage{err}
	}
	return c, nil
}

func readSnapshot(file string) (conform.Snapshot, error) {
	var s conform.Snapshot
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.Told == nil {
		err = errors.New("it holds no snapshot")
	}
	if err != nil {
		return s, usage{fmt.Errorf("read the snapshot %s: %w", file, err)}
	}
	return s, nil
}

// kept writes a snapshot for --keep.
func (v verifying) kept(s conform.Snapshot) error {
	if v.keep == "" {
		return nil
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(v.keep, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the snapshot: %w", err)
	}
	return nil
}

// inventoried adds what the inventory wants and what its hosts' controllers
// tell. Controllers that can't be asked leave their part missing.
func (v verifying) inventoried(cmd *cobra.Command, s *conform.Snapshot) error {
	if v.inventory == "" {
		return nil
	}
	want, err := provisioner.LoadForReport(v.inventory)
	if err != nil {
		return err
	}
	s.Want = &want
	if s.Hosts != nil { // of a snapshot that was kept
		return nil
	}
	if s.Missing == nil {
		s.Missing = map[conform.Part]string{}
	}
	seen, err := askHosts(cmd.Context(), want, v.inventory, cmd.ErrOrStderr())
	if err != nil {
		if cmd.Context().Err() != nil {
			return err
		}
		s.Missing[conform.Hosts] = "failed: " + conform.Trim(err.Error())
		return nil
	}
	s.Hosts, s.Told[conform.Hosts] = &seen, time.Now().UTC()
	return nil
}
