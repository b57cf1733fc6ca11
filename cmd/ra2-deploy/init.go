package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Print a commented example of an inventory, to begin with",
		Long: `Print a commented example of an inventory, to begin with:

  ra2-deploy init > inventory.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), inventory.Example())
			return err
		},
	}
}
