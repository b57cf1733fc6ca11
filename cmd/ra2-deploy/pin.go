package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// pinning is what `facts --pin` was told.
type pinning struct {
	wanted, yes bool
	replace     []string // hosts whose pin may be replaced
}

func (p *pinning) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.wanted, "pin", false, "fetch the controllers' certificates, show them, and write their fingerprints into the inventory when you agree")
	cmd.Flags().BoolVarP(&p.yes, "yes", "y", false, "with --pin: agree to the certificates of hosts that have no pin yet")
	cmd.Flags().StringSliceVar(&p.replace, "replace", nil, "with --pin: hosts whose pin is replaced, because you know that they have a new certificate")
}

// distrust says that controllers show another certificate than the pinned one,
// and nobody agreed to it.
type distrust struct{ hosts []string }

// Error implements error.
func (d distrust) Error() string {
	return fmt.Sprintf("another certificate than the pinned one is shown by %s; the pin stays. If the controller got a new certificate, compare it there and name the host: --replace %s",
		report.Hosts(d.hosts), strings.Join(d.hosts[:min(len(d.hosts), 3)], ","))
}

// errNotWritten says that the user did not agree to the certificates.
var errNotWritten = errors.New("nothing was written")

// run fetches, shows, asks and writes.
func (p pinning) run(cmd *cobra.Command, path string, only []string) error {
	cluster, err := provisioner.Load(path)
	if err != nil {
		return err
	}
	read, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	nodes, err := choose(cluster, only)
	if err == nil {
		_, err = choose(cluster, p.replace)
	}
	if err != nil {
		return err
	}
	tls, plain := certified(nodes)
	if len(only) > 0 && len(plain) > 0 {
		return usage{fmt.Errorf("the controller of %s is spoken to by IPMI, which knows no certificates", report.Hosts(plain))}
	}
	all := provisioner.Certificates(cmd.Context(), tls)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	fmt.Fprint(cmd.OutOrStdout(), report.Certificates(all, time.Now()))
	if len(plain) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "left out, for IPMI knows no certificates: %s\n", report.Hosts(plain))
	}
	pins, err := p.agree(cmd, all)
	if len(pins) == 0 {
		return err
	}
	if writing := provisioner.Pin(path, read, pins); writing != nil {
		return errors.Join(writing, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s written\n", path, report.Count(len(pins), "fingerprint"))
	return err
}

// certified parts the nodes whose controllers have certificates from the names
// of those that are spoken to by IPMI alone.
func certified(nodes []inventory.Node) (tls []inventory.Node, plain []string) {
	for _, n := range nodes {
		if n.BMC.OnlyIPMI() {
			plain = append(plain, n.Name)
			continue
		}
		tls = append(tls, n)
	}
	return tls, plain
}

// agree returns the fingerprints to write, and an error for all that is left.
func (p pinning) agree(cmd *cobra.Command, all []report.Certificate) (map[string]string, error) {
	var (
		pins  = map[string]string{}
		fresh []report.Certificate
		kept  distrust
		words = map[string]string{}
		ask   = newAsker(cmd)
	)
	for _, s := range all {
		switch {
		case s.Err != nil:
			words[s.Host] = s.Err.Error()
		case s.Pinned == "":
			fresh = append(fresh, s)
		}
	}
	errs := []error{report.Unreached(words)}
	switch err := p.agreeFresh(ask, len(fresh)); {
	case err != nil:
		errs = append(errs, err)
	default:
		for _, s := range fresh {
			pins[s.Host] = s.Fingerprint
		}
	}
	for _, s := range all {
		if s.Err != nil || s.Pinned == "" || s.Pinned == s.Fingerprint {
			continue
		}
		if slices.Contains(p.replace, s.Host) || ask.can() && ask.want(s.Host, fmt.Sprintf("The certificate of %s is not the pinned one: this may be an attack. To replace the pin, type the host's name: ", s.Host)) {
			pins[s.Host] = s.Fingerprint
			continue
		}
		kept.hosts = append(kept.hosts, s.Host)
	}
	if len(kept.hosts) > 0 {
		errs = append(errs, kept)
	}
	return pins, errors.Join(errs...)
}

// agreeFresh asks whether the certificates of hosts without a pin are theirs.
func (p pinning) agreeFresh(ask asker, n int) error {
	switch {
	case n == 0 || p.yes:
		return nil
	case !ask.can():
		return nextStep{
			fmt.Errorf("compare the %s above at the controllers themselves. Nobody can be asked here: %w", plural(n, "fingerprint"), errNotWritten),
			"ra2-deploy facts --pin --yes " + strings.Join(ask.cmd.Flags().Args(), " "),
		}
	case !ask.want("yes", fmt.Sprintf("Compare the %s above at the controllers themselves. Type yes to write %s into the inventory: ", plural(n, "fingerprint"), plural(n, "it", "them"))):
		return errNotWritten
	}
	return nil
}

// plural returns the first word for one, and else the second, or the first
// with an s.
func plural(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return one
	case len(many) > 0:
		return many[0]
	}
	return one + "s"
}

// asker asks a person, where there is one.
type asker struct {
	cmd *cobra.Command
	in  *bufio.Reader
}

func newAsker(cmd *cobra.Command) asker { return asker{cmd, bufio.NewReader(cmd.InOrStdin())} }

// can reports whether somebody can be asked.
func (a asker) can() bool {
	in, ok := a.cmd.InOrStdin().(*os.File)
	return ok && isatty.IsTerminal(in.Fd())
}

// want asks, and reports whether the answer is this word.
func (a asker) want(word, question string) bool {
	fmt.Fprint(a.cmd.ErrOrStderr(), question)
	line, err := a.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return strings.TrimSpace(line) == word
}
