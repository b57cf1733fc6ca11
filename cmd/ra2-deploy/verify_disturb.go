package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/workload"
)

// disturbFlags say how a running workload is disturbed.
type disturbFlags struct {
	names           []string
	kinds           []app.Kind // of names; nil is none
	how             workload.Disturbing
	data, stateless string
	yes, readOnly   bool
}

func (f *disturbFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.names, "disturb", nil, "disturb the running workload and watch it: all, or some of "+strings.Join(kindNames(), ","))
	flags.StringVar(&f.data, "check", "", "check of the data before, during and after: a command of the shell, or an http(s) address")
	flags.DurationVar(&f.how.CheckTime, "check-timeout", 30*time.Second, "that one check may take; latency makes it slow")
	flags.StringVar(&f.stateless, "stateless", "", "instead of --check: why there is no data to lose")
	flags.DurationVar(&f.how.For, "for", time.Minute, "how long a pod is disturbed each time")
	flags.DurationVar(&f.how.Back, "back", 5*time.Minute, "how long it may take until all is ready again")
	flags.StringVar(&f.how.Image, "image", workload.Image, "image that holds ra2-disturb, where the nodes don't have it")
	flags.BoolVarP(&f.yes, "yes", "y", false, "disturb without asking")
	flags.BoolVar(&f.readOnly, "read-only", false, "never create or change anything; refuses --disturb")
}

func kindNames() []string {
	var names []string
	for _, k := range app.Kinds() {
		names = append(names, string(k))
	}
	return names
}

// check reads the flags, before anybody is asked anything.
func (f *disturbFlags) check() error {
	for _, name := range f.names {
		switch {
		case name == "all":
			f.kinds = app.Kinds()
		case slices.Contains(kindNames(), name):
			f.kinds = append(f.kinds, app.Kind(name))
		default:
			return usage{fmt.Errorf("--disturb %s: write all, or some of %s", name, strings.Join(kindNames(), ","))}
		}
	}
	switch {
	case f.kinds != nil && f.readOnly:
		return usage{errors.New("--disturb changes what runs, and --read-only says never")}
	case f.data != "" && f.stateless != "":
		return usage{errors.New("--check and --stateless: either there is data to look at, or there is none")}
	case f.how.For < 5*time.Second || f.how.Back <= 0 || f.how.CheckTime <= 0:
		return usage{errors.New("--for is 5s or more, --back and --check-timeout are above 0")}
	}
	if f.data != "" {
		f.how.Check = workload.NewChecker(f.data)
	}
	return nil
}

// run shows what will be done, asks, and does it. What was found out before an error
// is returned with it.
func (f *disturbFlags) run(cmd *cobra.Command, client *workload.Client, namespace string) ([]app.Run, error) {
	plan, err := client.Plan(cmd.Context(), namespace, f.kinds)
	if err != nil {
		return nil, err
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "this will disturb what runs in %s (%s of a pod each time) and undo it:\n", namespace, f.how.For)
	for _, e := range plan {
		fmt.Fprintf(out, "  %v\n", e)
	}
	if f.how.Check == nil && f.stateless == "" {
		fmt.Fprintln(out, "nobody looks at the data: without --check or --stateless the rows end unknown at best")
	}
	if err := f.agreed(cmd, len(plan)); err != nil {
		return nil, err
	}
	f.how.Namespace = namespace
	began := time.Now()
	f.how.Tell = func(format string, args ...any) {
		fmt.Fprintf(out, "%6s  %s\n", time.Since(began).Round(time.Second), fmt.Sprintf(format, args...))
	}
	runs, err := client.Disturb(cmd.Context(), f.how, plan)
	if err != nil {
		err = fmt.Errorf("%w; what was made is removed, as far as nothing else is said here", err)
	}
	return runs, err
}

// agreed asks whether to go on.
func (f *disturbFlags) agreed(cmd *cobra.Command, n int) error {
	ask := newAsker(cmd)
	switch {
	case f.yes:
		return nil
	case !ask.can():
		return nextStep{fmt.Errorf("a running workload would be disturbed, and nobody can be asked here: %w", provisioner.ErrDeclined), "--yes approves of it"}
	case !ask.want("yes", fmt.Sprintf("%s; write yes to begin: ", report.Count(n, "experiment"))):
		return provisioner.ErrDeclined
	}
	return nil
}
