package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/preflight"
)

func addNetwork(cmd *cobra.Command, network *bool) {
	cmd.Flags().BoolVar(network, "network", false, "look at the provisioning network too, as root: DHCP servers, addresses in use, gateways, DNS, NTP, clocks, MTU")
}

// validateNetwork judges the provisioning network.
func validateNetwork(cmd *cobra.Command, c inventory.Cluster, as format, all bool) error {
	listening(cmd, c)
	findings, err := provisioner.CheckNetwork(cmd.Context(), c)
	return tellFindings(cmd, c.Name, findings, err, as, all)
}

// listening says what the seconds of silence are for.
func listening(cmd *cobra.Command, c inventory.Cluster) {
	fmt.Fprintf(cmd.ErrOrStderr(), "listening on %s for DHCP servers and for who has the inventory's addresses, asking gateways, DNS and NTP: at most %s\n",
		c.Provisioning.Interface, preflight.Longest)
}
