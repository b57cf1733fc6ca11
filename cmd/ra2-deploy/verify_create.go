package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// creation says whether a judgement may create something on the cluster: pods that
// read on the nodes, and probes.
type creation struct {
	yes, readOnly bool
	image         string   // empty is that of nodes that ra2-deploy installed
	routers       []string // commands that ask routers outside
}

func (f *creation) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "create what reads on the nodes and what probes, without asking")
	cmd.Flags().BoolVar(&f.readOnly, "read-only", false, "never create anything; what only that could tell is unknown")
	cmd.Flags().StringVar(&f.image, "image", "", "image that holds ra2-read and ra2-probe, where the nodes don't have "+errand.Image)
	cmd.Flags().StringArrayVar(&f.routers, "router", nil, "shell command that asks a router outside for its route to $ADDRESS of $FAMILY (ipv4, ipv6), so that the announcement of Service addresses is judged; may be repeated")
}

// The parts of a snapshot for which something has to be created.
const (
	partFacts  conform.Part = "facts"
	partProbes conform.Part = "probes"
)

// created adds to a snapshot what nodes tell and probes find out, if that may be and
// some row needs it; else the snapshot says why not.
func (v verifying) created(cmd *cobra.Command, c *verify.Cluster, rows []conform.Row, s *conform.Snapshot) error {
	facts, probes := needs(rows, *s, partFacts), needs(rows, *s, partProbes)
	if !facts && !probes {
		return nil
	}
	if why := v.mayCreate(cmd, *s); why != "" {
		s.Missing[partFacts], s.Missing[partProbes] = why, why
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing is created here, so that what nodes tell and what probes find out stays unknown: %s\n", strings.TrimPrefix(why, "not asked: "))
		return nil
	}
	ctx := cmd.Context()
	err := c.Clean(ctx) // what an earlier run left goes first
	if err == nil && facts {
		err = c.Facts(ctx, s, v.imageOf())
	}
	if err == nil && probes {
		err = c.Probes(ctx, s, v.imageOf())
	}
	return err
}

// needs reports whether a row looks for a part of a kind that isn't there. One that is
// judged by less without it would have another verdict than among all rows.
func needs(rows []conform.Row, s conform.Snapshot, kind conform.Part) bool {
	return slices.ContainsFunc(conform.Sought(rows, s), func(p conform.Part) bool { return strings.HasPrefix(string(p), string(kind)+"/") })
}

// mayCreate returns why nothing may be created; empty when it may. Whoever keeps the
// inventory of a cluster and its keys has installed it; of others the user is asked.
func (v verifying) mayCreate(cmd *cobra.Command, s conform.Snapshot) string {
	out := cmd.ErrOrStderr()
	installed := v.kubeconfig == "" && v.inventory != ""
	switch {
	case v.readOnly:
		return "not asked: --read-only"
	case v.image == "" && !installed:
		return "not asked: on a cluster that ra2-deploy didn't install, --image has to name where the nodes find the image with ra2-read and ra2-probe"
	case installed, v.yes:
		v.tellPlan(out, "creates", s)
		return ""
	}
	ask := newAsker(cmd)
	if !ask.can() {
		return "not asked: this cluster wasn't installed from an inventory that is given here, and nobody can be asked (--yes allows it)"
	}
	v.tellPlan(out, "would create", s)
	if !ask.want("yes", "write yes to create it, anything else to go on without: ") {
		return "not asked: nothing was to be created"
	}
	return ""
}

// tellPlan says all that is made.
func (v verifying) tellPlan(out io.Writer, creates string, s conform.Snapshot) {
	fmt.Fprintf(out, "verify %s on %s, and removes it afterwards (--read-only forbids it):\n", creates, s.Cluster)
	for _, line := range verify.Plan(s, v.imageOf()) {
		fmt.Fprintf(out, "  %s\n", line)
	}
}

func (v verifying) imageOf() string {
	if v.image != "" {
		return v.image
	}
	return errand.Image
}
