package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func planCommand() *cobra.Command {
	var (
		f        flags
		exitCode bool
		output   *format
	)
	cmd := &cobra.Command{
		Use:   "plan INVENTORY",
		Short: "Show what up would do, and change nothing",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd, args[0], f, func(r *work) error {
				turn, err := r.Plan(cmd.Context())
				if err != nil {
					return err
				}
				if *output == asJSON {
					err = printJSON(cmd, turn.Plan)
				} else {
					fmt.Fprint(cmd.OutOrStdout(), report.Plan(turn.Plan, turn.Seen))
				}
				if err == nil && exitCode && !turn.Plan.Empty() {
					return changes{}
				}
				return err
			})
		},
	}
	f.add(cmd)
	f.addBundle(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with status 4 when there is something to do")
	output = addFormat(cmd)
	return cmd
}

func upCommand() *cobra.Command {
	f := flags{again: "up"}
	cmd := &cobra.Command{
		Use:   "up INVENTORY",
		Short: "Bring servers and cluster to what the inventory says; run it again to go on after anything",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd, args[0], f, func(r *work) error { return up(cmd, r, f, args[0]) })
		},
	}
	f.add(cmd)
	f.addBundle(cmd)
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "approve of plans that erase the disks which the inventory names, or restart hosts that are on to look at them")
	return cmd
}

func up(cmd *cobra.Command, r *work, f flags, path string) error {
	err := r.Up(cmd.Context())
	if err == nil || r.acted {
		fmt.Fprint(f.people(cmd), r.Timing())
	}
	if err != nil {
		return err
	}
	if !r.Cluster().Image.Kubernetes {
		fmt.Fprintf(f.people(cmd), "Everything is as the inventory wants it. Try: ra2-deploy status %s\n", path)
		return nil
	}
	fmt.Fprintf(f.people(cmd), "Everything is as the inventory wants it. Try: ra2-deploy kubeconfig %s > kubeconfig && kubectl --kubeconfig kubeconfig get nodes -o wide\n", path)
	return nil
}

func rebuildCommand() *cobra.Command {
	f := flags{again: "up"}
	cmd := &cobra.Command{
		Use:   "rebuild NODE INVENTORY",
		Short: "Write one node anew: it leaves the cluster, is installed, and joins again",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd, args[1], f, func(r *work) error {
				if err := r.Rebuild(cmd.Context(), args[0]); err != nil {
					return err
				}
				return up(cmd, r, f, args[1])
			})
		},
	}
	f.add(cmd)
	f.addBundle(cmd)
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "approve of erasing the node's disk")
	return cmd
}

func downCommand() *cobra.Command {
	f := flags{ask: "This switches off all hosts of the cluster and forgets its keys; no disk is erased.", again: "down"}
	cmd := &cobra.Command{
		Use:   "down INVENTORY",
		Short: "End the cluster: switch all hosts off and forget its keys; disks keep what they hold",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd, args[0], f, func(r *work) error { return r.Down(cmd.Context()) })
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	return cmd
}

func statusCommand() *cobra.Command {
	f := flags{look: true}
	var output *format
	cmd := &cobra.Command{
		Use:   "status INVENTORY",
		Short: "Show hosts, nodes and cluster as they are now",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd, args[0], f, func(r *work) error {
				seen, err := r.Look(cmd.Context())
				if err != nil {
					return err
				}
				if *output == asJSON {
					return printJSON(cmd, seen)
				}
				fmt.Fprint(cmd.OutOrStdout(), report.Status(r.Cluster(), seen))
				return nil
			})
		},
	}
	f.add(cmd)
	output = addFormat(cmd)
	return cmd
}

func kubeconfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig INVENTORY",
		Short: "Print an administrator's kubeconfig of the cluster; keep it secret",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil {
				return usage{fmt.Errorf("read the inventory: %w", err)}
			}
			data, err := provisioner.Kubeconfig(args[0])
			if errors.Is(err, os.ErrNotExist) {
				return nextStep{fmt.Errorf("the cluster of %s has no keys yet", args[0]), "ra2-deploy up " + args[0]}
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
}
