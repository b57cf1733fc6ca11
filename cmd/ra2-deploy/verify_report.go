package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// reporting is how a report is told, and where.
type reporting struct {
	output *format
	all    bool
	out    string // file of the report; empty is the standard output
	signing
	with *bundle.Signer // nil signs nothing
}

func (r *reporting) add(cmd *cobra.Command) {
	r.output = addFormat(cmd, asJUnit, asHTML)
	cmd.Flags().BoolVar(&r.all, "all", false, "print every row and every finding")
	cmd.Flags().StringVar(&r.out, "out", "", "write the report to this file, whole or not at all, and print only the last line")
	r.signing.add(cmd)
}

// check reads the key and looks for the folder, before a cluster is asked.
func (r *reporting) check() (err error) {
	if r.key != "" && r.out == "" {
		return usage{errors.New("--sign: the signature is written beside the report; name its file with --out")}
	}
	if _, err := os.Stat(filepath.Dir(r.out)); err != nil {
		return usage{fmt.Errorf("--out %s: %w", r.out, err)}
	}
	r.with, err = r.read()
	return err
}

// document is a report that is told in each of the forms.
type document interface {
	WriteJUnit(io.Writer) error
	WritePage(io.Writer) error
}

// told is a document, with what is told of it.
type told struct {
	document
	text   func(all bool) string
	last   string // line
	digest string
	rows   []conform.Result
}

// tell prints or writes a report, and returns an error when rows stand against
// the cluster.
func (r *reporting) tell(cmd *cobra.Command, c report.Conformance) error {
	return r.tellAny(cmd, told{
		document: c, last: report.ConformanceVerdict(c), digest: c.Digest, rows: c.Rows,
		text: func(all bool) string {
			if all {
				return report.AllConformance(c)
			}
			return report.ConformanceText(c)
		},
	})
}

// tellAny prints or writes a document, and returns an error when rows stand against
// what was judged.
func (r *reporting) tellAny(cmd *cobra.Command, t told) error {
	var text bytes.Buffer
	if err := r.write(&text, t); err != nil {
		return err
	}
	if r.out == "" {
		if _, err := text.WriteTo(cmd.OutOrStdout()); err != nil {
			return err
		}
		return standing(t.rows)
	}
	files, err := r.file(text.Bytes(), t.digest)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	fmt.Fprint(cmd.OutOrStdout(), t.last)
	for _, name := range files {
		fmt.Fprintln(cmd.OutOrStdout(), name)
	}
	return standing(t.rows)
}

// write writes a document in the form that was asked for.
func (r *reporting) write(w io.Writer, t told) (err error) {
	switch {
	case *r.output == asJSON:
		return writeJSON(w, t.document)
	case *r.output == asJUnit:
		return t.WriteJUnit(w)
	case *r.output == asHTML:
		return t.WritePage(w)
	}
	_, err = io.WriteString(w, t.text(r.all))
	return err
}

// file writes the report, and its signature, in the place of older ones; and
// returns the names. A report is never seen beside the signature of another.
func (r *reporting) file(text []byte, digest string) ([]string, error) {
	signature := r.out + ".minisig"
	if err := os.Remove(signature); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := replaceFile(r.out, text); err != nil || r.with == nil {
		return []string{r.out}, err
	}
	signed, err := r.with.SignFile(filepath.Base(r.out), text, "ra2-deploy report "+digest)
	if err == nil {
		err = replaceFile(signature, signed)
	}
	return []string{r.out, signature}, err
}

// replaceFile writes a file, whole, in the place of an old one.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// nonconformant says that rows stand against what was judged. The report told which.
type nonconformant struct{ failed, unknown int }

// Error implements error.
func (n nonconformant) Error() string {
	return fmt.Sprintf("not conformant: of the rows that bind, %d fail and %d are unknown", n.failed, n.unknown)
}

// standing returns an error when rows stand against conformance.
func standing(rows []conform.Result) error {
	var n nonconformant
	for _, r := range rows {
		switch {
		case !r.Stands():
		case r.Verdict == conform.Fail:
			n.failed++
		default:
			n.unknown++
		}
	}
	if n.failed+n.unknown == 0 {
		return nil
	}
	return n
}
