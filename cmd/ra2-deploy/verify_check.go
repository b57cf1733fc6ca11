package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func verifyCheckCommand() *cobra.Command {
	var public string
	cmd := &cobra.Command{
		Use:   "check REPORT",
		Short: "Check that a report is as it was made: the digest of its content, and its signature",
		Long: `Check that a report is as it was made. One of verify -o json has the digest of its
content; any report may have a signature beside it, in a file of its name and .minisig,
which --key checks. Without --key a report of another format can't be checked.

Exit status 3: the report was changed, or isn't signed by that key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readPublic(public)
			if err != nil {
				return err
			}
			return checkReport(cmd, args[0], key)
		},
	}
	addReportKey(cmd, &public)
	return cmd
}

func checkReport(cmd *cobra.Command, file string, key *bundle.Verifier) error {
	s, err := readSigned(file, key)
	if errors.Is(err, fs.ErrNotExist) {
		return usage{fmt.Errorf("read the report: %w", err)}
	}
	if err != nil {
		return altered{file, err}
	}
	c, err := report.ReadConformance(s.content)
	switch {
	case err == nil:
		fmt.Fprintf(cmd.OutOrStdout(), "%s of %s: its content has its digest, %s; %s\n", file, conform.Trim(c.Cluster), c.Digest, signedBy(s.signer, key != nil))
	case !errors.Is(err, report.ErrNoReport):
		return altered{file, err}
	case key == nil:
		return usage{fmt.Errorf("read the report %s: %w; of another format only the signature can be checked: name the key with --key", file, err)}
	default:
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", file, signedBy(s.signer, true))
	}
	return nil
}

// altered says that a report isn't as it was made.
type altered struct {
	file string
	why  error
}

// Error implements error.
func (a altered) Error() string { return fmt.Sprintf("the report %s: %v", a.file, a.why) }

// addReportKey gives a command the flag of who must have signed a report.
func addReportKey(cmd *cobra.Command, public *string) {
	cmd.Flags().StringVar(public, "key", "", "the public key that must have signed each report: its file, or its line that begins with RW")
}

// signed is a file, and the key that the signature beside it names; "" when there is
// none. With a key it was checked.
type signed struct {
	content []byte
	signer  string
}

func readSigned(file string, key *bundle.Verifier) (signed, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return signed{}, err
	}
	signature, err := os.ReadFile(file + ".minisig")
	switch {
	case errors.Is(err, fs.ErrNotExist) && key != nil:
		return signed{}, fmt.Errorf("it is not signed, and should be by key %s: there is no %s", key.ID(), filepath.Base(file)+".minisig")
	case errors.Is(err, fs.ErrNotExist):
		return signed{content: content}, nil
	case err == nil && key != nil:
		err = key.CheckFile(filepath.Base(file), content, signature)
	}
	if err != nil {
		return signed{}, err
	}
	signer, err := bundle.SignedBy(signature)
	if err != nil {
		return signed{}, fmt.Errorf("%s.minisig: %w", filepath.Base(file), err)
	}
	return signed{content, signer}, nil
}
