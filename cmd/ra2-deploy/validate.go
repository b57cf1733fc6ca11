package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

func validateCommand() *cobra.Command {
	var (
		hardware, network, all bool
		output                 *format
	)
	cmd := &cobra.Command{
		Use:   "validate INVENTORY",
		Short: "Check an inventory: every problem at once, with line, column and what would be right",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if hardware {
				return withRun(cmd, args[0], flags{look: true}, func(r *work) error {
					if network {
						listening(cmd, r.Cluster())
					}
					findings, err := r.Check(cmd.Context(), network)
					return tellFindings(cmd, r.Cluster().Name, findings, err, *output, all)
				})
			}
			cluster, err := provisioner.Load(args[0])
			if err != nil {
				return err
			}
			if network {
				return validateNetwork(cmd, cluster, *output, all)
			}
			if *output == asJSON {
				return tellFindings(cmd, cluster.Name, nil, nil, asJSON, all)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: cluster %s, %d nodes in %d zones: no problems\n", args[0], cluster.Name, len(cluster.Nodes), len(cluster.Zones))
			return nil
		},
	}
	cmd.Flags().BoolVar(&hardware, "hardware", false, "ask the management controllers too, and judge what they say by RA2's minimums")
	addNetwork(cmd, &network)
	cmd.Flags().BoolVar(&all, "all", false, "print every finding in a line of its own, also those that pass")
	output = addFormat(cmd)
	return cmd
}

// tellFindings prints findings, and returns the error of the check as one
// whose findings were printed. A check that didn't come to its end prints
// nothing.
func tellFindings(cmd *cobra.Command, cluster string, findings []rules.Finding, err error, as format, all bool) error {
	if err != nil && !errors.As(err, new(*provisioner.Refused)) {
		return err
	}
	out := cmd.OutOrStdout()
	switch {
	case as == asJSON:
		if err := printJSON(cmd, report.Check{
			Version: version(), Time: time.Now().UTC(), Cluster: cluster, Summary: report.Sum(findings), Findings: append([]rules.Finding{}, findings...),
		}); err != nil {
			return err
		}
	case all:
		fmt.Fprint(out, report.AllFindings(findings))
	default:
		fmt.Fprint(out, report.Findings(findings))
	}
	if err != nil {
		return shown{err}
	}
	return nil
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

func printJSON(cmd *cobra.Command, v any) error { return writeJSON(cmd.OutOrStdout(), v) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
