// Command ra2-deploy turns powered-off servers into a Kubernetes cluster that
// conforms to Anuket's Reference Architecture 2.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
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
	ctx, out, stop := ended()
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, out, os.Stderr)
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
	if _, _, unknown := cmd.Find(args); unknown != nil {
		err = usage{unknown}
	}
	switch unread := errors.Is(context.Cause(ctx), errUnread); {
	case unread && !errors.As(err, new(nextStep)):
		return exitFailed // who reads no output wants no words
	case unread && errors.Is(err, context.Canceled):
		return interrupted(errs, errUnread, err)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return interrupted(errs, errors.New("interrupted"), err)
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
		initCommand(), validateCommand(), schemaCommand(), factsCommand(), planCommand(), upCommand(), rebuildCommand(), statusCommand(),
		downCommand(), kubeconfigCommand(), verifyCommand(), imageCommand(), bundleCommand(), labCommand(), versionCommand(),
	)
	strict(cmd)
	return cmd
}

// usage is an error of how the command was called.
type usage struct{ error }

// changes says that plan --exit-code found something to do.
type changes struct{}

// Error implements error.
func (changes) Error() string { return "" }

// nextStep is an error with the command that comes next.
type nextStep struct {
	error
	next string
}

// Unwrap returns what it is around.
func (n nextStep) Unwrap() error { return n.error }

// shown is an error whose findings were printed already.
type shown struct{ error }

// Unwrap returns what it is around.
func (s shown) Unwrap() error { return s.error }

// midway is an error that came after this run had begun to change things.
type midway struct{ error }

// Unwrap returns what it is around.
func (m midway) Unwrap() error { return m.error }

// tell prints an error for people and returns the exit status that it means.
func tell(w io.Writer, err error) int {
	var (
		problems inventory.Problems
		refused  *provisioner.Refused
		step     nextStep
	)
	switch {
	case errors.As(err, &changes{}):
		return exitChanges
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintln(w, p)
		}
		fmt.Fprintf(w, "ra2-deploy: %s in the inventory; nothing was changed\n", report.Count(len(problems), "problem"))
		return exitUsage
	case errors.As(err, &refused):
		refusal(w, err, refused)
		return exitRefused
	}
	errors.As(err, &step)
	fmt.Fprint(w, report.Failure(err, step.next))
	switch {
	case errors.As(err, new(distrust)), errors.As(err, new(*bundle.Bad)), errors.As(err, new(nonconformant)), errors.As(err, new(worsened)), errors.As(err, new(altered)):
		return exitRefused
	case errors.As(err, new(usage)), errors.Is(err, errNotWritten), errors.Is(err, provisioner.ErrDeclined), errors.Is(err, provisioner.ErrUsage):
		return exitUsage
	}
	return exitFailed
}

// interrupted prints what a person who ended the run needs: how to go on. What
// had failed before stands above as the steps' own lines.
func interrupted(w io.Writer, why, err error) int {
	var step nextStep
	errors.As(err, &step)
	fmt.Fprint(w, report.Failure(why, step.next))
	return exitFailed
}

// refusal prints the findings that stand against the work.
func refusal(w io.Writer, err error, r *provisioner.Refused) {
	if !errors.As(err, new(shown)) {
		fmt.Fprint(w, report.Findings(r.Findings))
	}
	so := "nothing was changed"
	if errors.As(err, new(midway)) {
		so = "what this run had done stays, and nothing more is done"
	}
	fmt.Fprintf(w, "ra2-deploy: refused, because of %s; %s\n", report.Count(len(r.Findings), "finding"), so)
	if r.Ask {
		fmt.Fprintln(w, "  hint: `ra2-deploy up` asks the hosts themselves what nobody tells of them: it boots them into the installer, which writes nothing; `ra2-deploy plan` shows that")
	}
	fmt.Fprintln(w, "  hint: mend the host or correct the inventory; a requirement (ra2.…) can also be set aside there, by a waiver with a reason and an end")
}

// oneFile wants exactly the inventory as argument.
func oneFile(cmd *cobra.Command, args []string) error { return cobra.ExactArgs(1)(cmd, args) }
