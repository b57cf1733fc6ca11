// Command ra2-deploy turns powered-off servers into a Kubernetes cluster that
// conforms to Anuket's Reference Architecture 2.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// Exit statuses.
const (
	exitDone    = 0 // done, and as wanted
	exitFailed  = 1 // failed while working
	exitUsage   = 2 // wrong usage, or the inventory is refused
	exitRefused = 3 // checked and found not conformant
	exitChanges = 4 // plan --exit-code found changes
)

func main() { os.Exit(Main()) }

// Main runs the command and returns its exit status.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// run is Main without the process around it.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	return tell(errs, err)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ra2-deploy",
		Short: "From powered-off servers to a Kubernetes cluster that conforms to RA2",
		Long: `ra2-deploy turns powered-off servers into a Kubernetes cluster that conforms to
Anuket's Reference Architecture 2 (RA2). It looks, decides, does, and looks again
until nothing is left. Nothing is written before everything was checked.

Exit status: 0 done and as wanted; 1 failed while working; 2 wrong usage, or the
inventory is refused; 3 checked and found not conformant; 4 plan --exit-code
found changes.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(
		validateCommand(), schemaCommand(), factsCommand(), planCommand(), upCommand(), rebuildCommand(), statusCommand(),
		downCommand(), kubeconfigCommand(), imageCommand(), labCommand(), versionCommand(),
	)
	return cmd
}

// usage is an error of how the command was called.
type usage struct{ error }

// changes says that plan --exit-code found something to do.
type changes struct{}

func (changes) Error() string { return "" }

// nextStep is an error with the command that comes next.
type nextStep struct {
	error
	next string
}

func (n nextStep) Unwrap() error { return n.error }

// tell prints an error for people and returns the exit status that it means.
func tell(w io.Writer, err error) int {
	var (
		problems inventory.Problems
		refused  *provisioner.Refused
		step     nextStep
		wrong    usage
	)
	switch {
	case errors.As(err, &changes{}):
		return exitChanges
	case errors.As(err, &problems):
		fmt.Fprint(w, problems.Error())
		fmt.Fprintf(w, "\nra2-deploy: %d problems in the inventory; nothing was changed\n", len(problems))
		return exitUsage
	case errors.As(err, &refused):
		fmt.Fprint(w, report.Findings(refused.Findings))
		fmt.Fprintf(w, "ra2-deploy: %v\n  hint: mend the host, or set the requirement aside in the inventory: waivers, with a reason and an end\n", refused)
		return exitRefused
	}
	errors.As(err, &step)
	fmt.Fprint(w, report.Failure(err, step.next))
	switch {
	case errors.As(err, &wrong), errors.Is(err, provisioner.ErrDeclined), errors.Is(err, provisioner.ErrUsage):
		return exitUsage
	}
	return exitFailed
}

// oneFile wants exactly the inventory as argument.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage{fmt.Errorf("%s wants one inventory file: %s", cmd.Name(), cmd.UseLine())}
	}
	return nil
}
