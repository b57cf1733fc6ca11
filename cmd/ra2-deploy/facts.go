package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func factsCommand() *cobra.Command {
	var (
		from   bool
		p      pinning
		output *format
	)
	cmd := &cobra.Command{
		Use:   "facts INVENTORY [HOST...]",
		Short: "Show what the management controllers say of the hosts; or fetch and pin their certificates",
		Long: `Show what the management controllers say of the hosts: a line for each, or a page
for each host that is named.

With --pin nothing of that is asked. The certificate of each controller is fetched,
before any credentials are sent, and its SHA-256 fingerprint is shown; when you agree,
it is written into the inventory. A pin that differs from the certificate is replaced
only for hosts named by --replace, or when you agree to that one.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.wanted && (from || cmd.Flags().Changed("output")) {
				return usage{errors.New("--from and --output don't go with --pin: it shows certificates, as text")}
			}
			if p.wanted {
				return p.run(cmd, args[0], args[1:])
			}
			if p.yes || len(p.replace) > 0 {
				return usage{errors.New("--yes and --replace belong to --pin: without it nothing is written")}
			}
			return withRun(cmd, args[0], flags{look: true, deep: true}, func(r *work) error { return tellFacts(cmd, r, args[1:], *output, from) })
		},
	}
	cmd.Flags().BoolVar(&from, "from", false, "say of each part what told it")
	p.add(cmd)
	output = addFormat(cmd)
	return cmd
}

// tellFacts prints the facts of all hosts, or of those that are named. What
// could not be asked is an error beside what could.
func tellFacts(cmd *cobra.Command, r *work, only []string, as format, from bool) error {
	nodes, err := choose(r.Cluster(), only)
	if err != nil {
		return err
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	seen, err := r.Facts(cmd.Context(), names)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	switch {
	case as == asJSON:
		err = printJSON(cmd, report.Facts{Version: version(), Time: time.Now().UTC(), Cluster: r.Cluster().Name, Hosts: seen})
	case len(only) == 0 && !from:
		fmt.Fprint(out, report.FactsTable(names, seen))
	default:
		var pages []string
		for _, name := range names {
			pages = append(pages, report.HostFacts(name, seen[name], from))
		}
		fmt.Fprint(out, strings.Join(pages, "\n"))
	}
	words := map[string]string{}
	for name, b := range seen {
		words[name] = b.Err
	}
	return errors.Join(err, report.Unreached(words))
}

// choose returns the nodes of these names, or all, in the order of the
// inventory.
func choose(c inventory.Cluster, only []string) ([]inventory.Node, error) {
	if len(only) == 0 {
		return c.Nodes, nil
	}
	nodes := slices.DeleteFunc(slices.Clone(c.Nodes), func(n inventory.Node) bool { return !slices.Contains(only, n.Name) })
	for _, name := range only {
		if !slices.ContainsFunc(nodes, func(n inventory.Node) bool { return n.Name == name }) {
			return nil, usage{fmt.Errorf("the inventory has no host %q", name)}
		}
	}
	return nodes, nil
}
