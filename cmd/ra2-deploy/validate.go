package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func validateCommand() *cobra.Command {
	hardware := false
	cmd := &cobra.Command{
		Use:   "validate INVENTORY",
		Short: "Check an inventory: every problem at once, with line, column and what would be right",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := provisioner.Load(args[0])
			if err != nil {
				return err
			}
			if !hardware {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: cluster %s, %d nodes in %d zones: no problems\n", args[0], cluster.Name, len(cluster.Nodes), len(cluster.Zones))
				return nil
			}
			return withRun(cmd, args[0], flags{look: true}, func(r *work) error {
				findings, err := r.Check(cmd.Context())
				fmt.Fprint(cmd.OutOrStdout(), report.Findings(findings))
				if err != nil {
					return shown{err}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&hardware, "hardware", false, "ask the management controllers too, and judge what they say by RA2's minimums")
	return cmd
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of inventories, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(inventory.Schema())
			return err
		},
	}
}

func factsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "facts INVENTORY [HOST]",
		Short: "Print what the management controllers say of the hosts, as JSON",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd, args[0], flags{look: true}, func(r *work) error { return tellFacts(cmd, r, args[1:]) })
		},
	}
}

// tellFacts prints the facts of all hosts, or of the one that is named. What
// could not be asked is an error beside what could.
func tellFacts(cmd *cobra.Command, r *work, only []string) error {
	nodes := r.Cluster().Nodes
	if len(only) > 0 {
		nodes = slices.DeleteFunc(slices.Clone(nodes), func(n inventory.Node) bool { return n.Name != only[0] })
		if len(nodes) == 0 {
			return usage{fmt.Errorf("the inventory has no host %q", only[0])}
		}
	}
	seen, err := r.Facts(cmd.Context())
	if err != nil {
		return err
	}
	var all any = seen
	if len(only) > 0 {
		all = seen[only[0]]
	}
	err = printJSON(cmd, all)
	for _, n := range nodes {
		if text := seen[n.Name].Err; text != "" {
			err = errors.Join(err, errors.New(text))
		}
	}
	return err
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
