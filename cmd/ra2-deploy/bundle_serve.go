package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func bundleServeCommand() *cobra.Command {
	o := provisioner.ContentOptions{}
	listen, public := "", ""
	cmd := &cobra.Command{
		Use:   "serve BUNDLE INVENTORY",
		Short: "Serve a bundle to a cluster's nodes: as a registry, and as apt and rpm repository",
		Long: `Serve a bundle to the nodes of a cluster, for as long as it runs: its container
images as a read-only registry, its packages as an apt and an rpm repository.
Nodes ask this registry first for every image, and each registry itself when it
has no such image or isn't there, so that manifests keep the names of their images.

It proves itself by the key beside the inventory, which nodes know. The bundle is
read through before the first request, and content that changes later is never
sent. An interrupt ends it and prints what was asked for.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := provisioner.Load(args[1])
			if err != nil {
				return err
			}
			if listen != "" {
				if o.Listen, err = netip.ParseAddrPort(listen); err != nil {
					return usage{fmt.Errorf("--listen: %w: write an address and a port, like 10.17.0.1:8444", err)}
				}
			}
			if o.Key, err = readPublic(public); err != nil {
				return err
			}
			o.Bundle, o.Inventory, o.Log, o.Progress = args[0], args[1], slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)), progressOf(cmd)
			content, err := provisioner.OpenContent(cmd.Context(), cluster, o)
			if err != nil {
				return noBundle(err)
			}
			return serveContent(cmd, content)
		},
	}
	addPublic(cmd, &public)
	cmd.Flags().StringVar(&o.Cache, "cache", defaultCache(), "directory where a bundle in one file is unpacked to (environment: RA2_CACHE)")
	cmd.Flags().StringVar(&listen, "listen", "", "address and port to serve at; default is where the nodes look for it")
	return cmd
}

// serveContent serves until the command is interrupted, which is how it ends well.
func serveContent(cmd *cobra.Command, content *provisioner.Content) error {
	out := cmd.OutOrStdout()
	announce(out, content)
	err := content.Serve(cmd.Context())
	fmt.Fprint(out, tally(content.Counts()))
	if context.Cause(cmd.Context()) == errUnread {
		return errUnread
	}
	return err
}

// announce says what is served, where, and how a client is told of it.
func announce(out io.Writer, content *provisioner.Content) {
	b, n := content.Bundle, map[bundle.Kind]int{}
	for _, i := range b.Items() {
		n[i.Kind]++
	}
	fmt.Fprintf(out, "bundle %s: %s, %s, %s\n", b.Digest(), report.Count(n[bundle.Image], "container image"),
		report.Count(n[bundle.Deb]+n[bundle.RPM], "package"), report.Count(n[bundle.File], "file"))
	for _, at := range content.Places {
		fmt.Fprintf(out, "  served at   %s\n", at)
	}
	at := content.Places[0]
	fmt.Fprintf(out, "  trust       %s\n", content.CA)
	for _, suite := range mirror.Suites(b) {
		fmt.Fprintf(out, "  apt         deb [trusted=yes] %s/deb %s main\n", at, suite)
	}
	if n[bundle.RPM] > 0 {
		fmt.Fprintf(out, "  dnf         baseurl=%s/rpm\n", at)
	}
	fmt.Fprintln(out, "An interrupt (Ctrl-C) ends it.")
}

// tally lists what was asked for, most requests first.
func tally(all []mirror.Count) string {
	text, requests, bytes := "", int64(0), int64(0)
	for _, c := range all {
		line := fmt.Sprintf("%7d  %8.1f MB  %s", c.Requests, float64(c.Bytes)/1e6, c.What)
		if c.Failed > 0 {
			line += fmt.Sprintf("   (%d failed: see above)", c.Failed)
		}
		text += line + "\n"
		requests, bytes = requests+c.Requests, bytes+c.Bytes
	}
	return fmt.Sprintf("%s, %.1f MB\n%s", report.Count(int(requests), "request"), float64(bytes)/1e6, text)
}
