package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/container"
)

func labCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Make servers on this computer, each with a Redfish controller, to try a site (root)",
	}
	cmd.AddCommand(labUpCommand(), labDownCommand(), labStatusCommand(), labConsoleCommand(), labCheckCommand(), labServeCommand(), labMachineCommand(), labChassisCommand())
	return cmd
}

func labUpCommand() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Make the lab that a file describes; its machines are off, its inventory is ready",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := lab.Read(args[0])
			if err != nil {
				return usage{err}
			}
			if dir == "" {
				dir = lab.DefaultDir(f.Metadata.Name)
			}
			if err := lab.Up(cmd.Context(), args[0], dir); err != nil {
				return err
			}
			return lab.Announce(cmd.OutOrStdout(), dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the lab (default .ra2-lab/NAME)")
	return cmd
}

func labDownCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down DIR",
		Short: "End a lab and whatever it left behind; its files stay",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return lab.Down(cmd.Context(), args[0]) },
	}
}

func labStatusCommand() *cobra.Command {
	var output *format
	cmd := &cobra.Command{
		Use:   "status DIR",
		Short: "Show the machines of a lab: power, boot stage, console",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := lab.Status(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if *output == asJSON {
				return printJSON(cmd, all)
			}
			return lab.WriteStatus(cmd.OutOrStdout(), all)
		},
	}
	output = addFormat(cmd)
	return cmd
}

func labConsoleCommand() *cobra.Command {
	follow := false
	cmd := &cobra.Command{
		Use:   "console DIR MACHINE",
		Short: "Print the serial console of a machine",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.Console(cmd.Context(), args[0], args[1], follow, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing until interrupted")
	return cmd
}

func labCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR MACHINE",
		Short: "Tell whether the machine's data disk is byte for byte what the lab wrote at its creation",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			same, err := lab.DataDisk(args[0], args[1])
			if err != nil {
				return err
			}
			if !same {
				return fmt.Errorf("the data disk of %s was changed", args[1])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the data disk of %s is unchanged\n", args[1])
			return nil
		},
	}
}

// labServeCommand is how a lab starts this program as its daemon.
func labServeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve DIR", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return lab.Serve(cmd.Context(), args[0]) },
	}
}

// labMachineCommand is how the daemon starts this program as a machine.
func labMachineCommand() *cobra.Command {
	return &cobra.Command{
		Use: "machine", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return container.Child(cmd.Context()) },
	}
}

// labChassisCommand is how ipmi_sim starts this program for a look at a
// machine or an order to it.
func labChassisCommand() *cobra.Command {
	return &cobra.Command{
		Use: "chassis LAB MACHINE get|set WORD...", Hidden: true, Args: cobra.MinimumNArgs(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := lab.Chassis(cmd.Context(), args[0], args[1], args[2:])
			if err == nil && said != "" {
				fmt.Fprintln(cmd.OutOrStdout(), said)
			}
			return err
		},
	}
}
