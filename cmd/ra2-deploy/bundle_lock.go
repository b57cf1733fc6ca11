package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/gomod"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func bundleLockCommand() *cobra.Command {
	var c contents
	cmd := &cobra.Command{
		Use:   "lock INVENTORY FILE",
		Short: "Write down exactly what a bundle made now would hold: versions, digests, sources",
		Long: `Write down exactly what a bundle made now would hold, a line for each item, into FILE,
which is replaced. "bundle create --lock FILE" makes just that, later or elsewhere, and
a diff of two such files says what has changed. - is the standard output.`,
		Args: c.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := c.spec(args)
			if err != nil {
				return err
			}
			sources, err := c.sources(cmd, spec)
			if err != nil {
				return err
			}
			resolving(cmd, spec)
			lock, err := lockOf(cmd.Context(), sources)
			if err != nil {
				return err
			}
			return writeLock(cmd.OutOrStdout(), args[len(args)-1], lock)
		},
	}
	c.add(cmd)
	return cmd
}

// lockOf locks what sources give now.
func lockOf(ctx context.Context, sources []bundle.Source) (bundle.Lock, error) {
	items, err := bundle.Resolve(ctx, sources)
	if err != nil {
		return bundle.Lock{}, err
	}
	compiler := ""
	if slices.ContainsFunc(items, func(i bundle.Item) bool { return i.Scheme() == "go" }) {
		compiler, err = gomod.Compiler(ctx)
	}
	return bundle.LockOf(compiler, items), err
}

// writeLock writes a lock, whole, in the place of an old one.
func writeLock(out io.Writer, name string, lock bundle.Lock) error {
	if name == "-" {
		_, err := io.WriteString(out, lock.String())
		return err
	}
	scratch := name + ".new"
	err := os.WriteFile(scratch, []byte(lock.String()), 0o644)
	if err == nil {
		err = os.Rename(scratch, name)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(scratch))
	}
	fmt.Fprintf(out, "%s: %s\n", name, report.Count(len(lock.Items), "item"))
	return nil
}

// readLock reads a lock that can be followed here.
func readLock(ctx context.Context, name string) ([]bundle.Item, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usage{fmt.Errorf("--lock: %w", err)}
	}
	lock, err := bundle.ReadLock(text)
	if err != nil {
		return nil, usage{fmt.Errorf("--lock %s: %w", name, err)}
	}
	return lock.Items, sameCompiler(ctx, lock, name)
}

// sameCompiler refuses a lock whose programs another Go built: this one would
// make other bytes of the same modules, and tell after minutes.
func sameCompiler(ctx context.Context, lock bundle.Lock, file string) error {
	if lock.Compiler == "" {
		return nil
	}
	here, err := gomod.Compiler(ctx)
	if err == nil && here != lock.Compiler {
		err = usage{fmt.Errorf("what %s has from Go modules was built with %s, and this host has %s, which makes other bytes of the same modules\nnext: put %s first in PATH, or make the lock anew (ra2-deploy bundle lock)",
			file, lock.Compiler, here, lock.Compiler)}
	}
	return err
}
