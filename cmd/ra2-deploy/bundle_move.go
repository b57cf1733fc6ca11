package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func bundleExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export BUNDLE FILE",
		Short: "Write a bundle as one file, to carry it to a site; - is the standard output",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := bundle.Open(args[0])
			if err != nil {
				return noBundle(err)
			}
			if args[1] == "-" {
				return b.Export(cmd.Context(), cmd.OutOrStdout(), progressOf(cmd))
			}
			n, err := writeWhole(args[1], func(w io.Writer) error { return b.Export(cmd.Context(), w, progressOf(cmd)) })
			if err != nil {
				return noBundle(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "bundle %s: %s in %s\n", b.Digest(), report.Size(n), args[1])
			return nil
		},
	}
	return cmd
}

// writeWhole writes a file that appears whole or not at all, and returns its
// length. What is there already is not replaced.
func writeWhole(name string, write func(io.Writer) error) (int64, error) {
	if _, err := os.Lstat(name); err == nil {
		return 0, usage{fmt.Errorf("%s is there already: remove it, or name another file", name)}
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".partial-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // when it has its name, there is nothing to remove
	defer f.Close()
	if err := write(f); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(f.Name(), name)
}

func bundleImportCommand() *cobra.Command {
	var public string
	cmd := &cobra.Command{
		Use:   "import FILE BUNDLE",
		Short: "Make a bundle's directory of an exported file, all of which is checked; - is the standard input",
		Long: `Make a bundle's directory of an exported file. All of it is checked while it is
read, and nothing is kept of a file that is bad. With --key the signature is checked
before anything else.

Exit status 3 when something is wrong with the file.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readPublic(public)
			if err != nil {
				return err
			}
			in := piped(cmd)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return usage{err}
				}
				defer f.Close()
				in = f
			}
			b, err := bundle.Import(cmd.Context(), in, args[1], key, progressOf(cmd))
			if err != nil {
				return noBundle(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "bundle %s: %s in %s\n", b.Digest(), report.Count(len(b.Items()), "item"), b.Dir())
			return nil
		},
	}
	addPublic(cmd, &public)
	return cmd
}

// piped is the standard input, whose reading ends with the run: a read that waits
// for somebody who sends nothing can't be ended by itself.
func piped(cmd *cobra.Command) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(cmd.Context(), func() { w.CloseWithError(context.Cause(cmd.Context())) })
	go func() {
		_, err := io.Copy(w, cmd.InOrStdin())
		w.CloseWithError(err)
	}()
	return r
}
