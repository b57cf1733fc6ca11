package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

func bundleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Everything an install needs, in one directory or one file, for sites without internet",
		Long: `A bundle holds everything that an install needs, each thing by its digest: packages,
container images, boot loaders, the installer. It is a directory that is also an OCI
image layout, or one file made of it by export.`,
	}
	cmd.AddCommand(
		bundleCreateCommand(), bundleLockCommand(), bundleVerifyCommand(), bundleListCommand(), bundleExportCommand(), bundleImportCommand(),
		bundleServeCommand(), bundleKeyCommand(),
	)
	return cmd
}

func bundleListCommand() *cobra.Command {
	var output *format
	cmd := &cobra.Command{
		Use:   "list BUNDLE",
		Short: "List what a bundle holds, by its own word; BUNDLE is a directory or an exported file",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := bundle.List(cmd.Context(), args[0])
			if err != nil {
				return noBundle(err)
			}
			d := report.ListBundle(version(), l)
			if *output == asJSON {
				return printJSON(cmd, d)
			}
			fmt.Fprint(cmd.OutOrStdout(), d.Text())
			return nil
		},
	}
	output = addFormat(cmd)
	return cmd
}

func bundleVerifyCommand() *cobra.Command {
	var (
		public string
		output *format
	)
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Read all of a bundle and name everything that is wrong with it; BUNDLE is a directory or an exported file",
		Long: `Read all content of a bundle, a directory or an exported file, and compare it with
its list: what is missing, cut off, changed, or nobody's. With --key the list must be
signed by that key; without, anybody may have made the bundle.

Exit status 3 when something is wrong.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readPublic(public)
			if err != nil {
				return err
			}
			c, err := bundle.Verify(cmd.Context(), args[0], key, progressOf(cmd))
			if *output == asJSON {
				return tellCheck(cmd, args[0], key != nil, c, err)
			}
			if err != nil {
				return noBundle(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "bundle %s: %s, %s: no problems; %s\n", c.Bundle.Digest(), report.Count(len(c.Bundle.Items()), "item"), report.Size(c.Bytes), signedBy(c.Signer, key != nil))
			return nil
		},
	}
	addPublic(cmd, &public)
	output = addFormat(cmd)
	return cmd
}

// signedBy says who signed, and whether that was checked.
func signedBy(id string, checked bool) string {
	switch {
	case id == "":
		return "not signed"
	case checked:
		return "signed by key " + id
	}
	return "signed by key " + id + ", which nobody vouches for without --key"
}

// tellCheck prints a check as a document.
func tellCheck(cmd *cobra.Command, path string, trusted bool, c bundle.Checked, err error) error {
	d := report.BundleCheck{Version: version(), Time: time.Now().UTC(), Path: path, Problems: []bundle.Problem{}}
	if bad, ok := errors.AsType[*bundle.Bad](err); ok {
		d.Problems = bad.Problems
	} else if err != nil {
		return noBundle(err)
	} else {
		d.Good, d.Bundle, d.Items, d.Bytes, d.Signer, d.Trusted = true, string(c.Bundle.Digest()), len(c.Bundle.Items()), c.Bytes, c.Signer, trusted
	}
	return errors.Join(printJSON(cmd, d), err)
}

// noBundle makes an error of usage of one that says that nothing is there.
func noBundle(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, bundle.ErrNone) {
		return usage{err}
	}
	return err
}

// addPublic gives a command the flag of who must have signed.
func addPublic(cmd *cobra.Command, public *string) {
	cmd.Flags().StringVar(public, "key", "", "the public key that must have signed the bundle: its file, or its line that begins with RW")
}

// readPublic reads the key of --key; nil when there is none.
func readPublic(public string) (*bundle.Verifier, error) {
	if public == "" {
		return nil, nil
	}
	text := public
	if !strings.HasPrefix(public, "RW") || len(public) != 56 {
		data, err := os.ReadFile(public)
		if err != nil {
			return nil, usage{fmt.Errorf("--key: %w", err)}
		}
		text = string(data)
	}
	v, err := bundle.ReadVerifier(text)
	if err != nil {
		return nil, usage{fmt.Errorf("--key %s: %w", public, err)}
	}
	return &v, nil
}

// every is how often a long work says how far it is.
const every = 2 * time.Second

// progressOf tells people how far a work on a bundle is, in lines: now and then,
// and when something else begins.
func progressOf(cmd *cobra.Command) func(bundle.Progress) {
	began := time.Now()
	last, doing := began, ""
	return func(p bundle.Progress) {
		now := time.Now()
		if now.Sub(last) < every && (p.Doing == doing || now.Sub(began) < every) {
			return
		}
		last, doing = now, p.Doing
		fmt.Fprintf(cmd.ErrOrStderr(), "%4.0f s  %s\n", now.Sub(began).Seconds(), inWords(p))
	}
}

// inWords tells of progress: "read 240 MB of 731 MB, deb libc6 2.41-12".
func inWords(p bundle.Progress) string {
	if p.Doing == "sync" {
		return "wait for the disk to keep " + report.Size(p.Bytes)
	}
	text := p.Doing + " " + report.Size(p.Bytes)
	if p.OfBytes > 0 {
		text += " of " + report.Size(p.OfBytes)
	}
	return text + ", " + p.Item
}

// reference is the value of a flag that names a secret: env:NAME or file:PATH.
type reference struct {
	secret.Ref
	wrong bool // it is a value
}

// Set implements pflag.Value. What is wrong is told later: pflag would repeat it.
func (r *reference) Set(text string) error {
	kind, name, _ := strings.Cut(text, ":")
	*r = reference{}
	switch {
	case kind == "env" && name != "":
		r.Env = name
	case kind == "file" && name != "":
		r.File = name
	default:
		r.wrong = true
	}
	return nil
}

// String implements pflag.Value.
func (r *reference) String() string {
	if r.Ref == (secret.Ref{}) {
		return ""
	}
	return r.Ref.String()
}

// Type implements pflag.Value.
func (*reference) Type() string { return "env:NAME|file:PATH" }

// reveal fetches the password; it is empty where none is named.
func (r *reference) reveal() (secret.Value, error) {
	switch {
	case r.wrong:
		return secret.Value{}, usage{errors.New("--password: write env:NAME or file:PATH: a password itself would be seen by everybody on this host")}
	case r.Ref == (secret.Ref{}):
		return secret.Value{}, nil
	}
	value, err := provisioner.Reveal(r.Ref, "")
	if err != nil {
		return value, usage{fmt.Errorf("--password: %w", err)}
	}
	return value, nil
}
