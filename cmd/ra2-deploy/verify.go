package main

import "github.com/spf13/cobra"

func verifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Judge what runs by the rows of RA2, with evidence"}
	cmd.AddCommand(verifyWorkloadCommand())
	return cmd
}
