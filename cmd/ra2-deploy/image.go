package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
)

func imageCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Build the disposable operating system"}
	cmd.AddCommand(imageBuildCommand())
	return cmd
}

func imageBuildCommand() *cobra.Command {
	var (
		cache  string
		check  bool
		output *format
	)
	cmd := &cobra.Command{
		Use:   "build INVENTORY",
		Short: "Build the image that an inventory wants, or find it built (root)",
		Long: `Build the image that an inventory wants: from Debian packages, and from Go modules
that the checksum database vouches for. The result is kept in the cache, addressed
by its digest, and built again only when an input changes.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := provisioner.Load(args[0])
			if err != nil {
				return err
			}
			spec, err := provisioner.ImageSpec(cluster, args[0])
			if err != nil {
				return err
			}
			began := time.Now()
			tell := func(p images.Progress) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%4.0f s  %s\n", time.Since(began).Seconds(), p)
			}
			var done images.Checked
			if check {
				done, err = images.Check(cmd.Context(), spec, cache, tell)
			} else {
				done.Image, err = images.Build(cmd.Context(), spec, cache, tell)
			}
			if err != nil {
				return err
			}
			m := done.Image
			signed, err := provisioner.SignInstaller(cluster, args[0], cache, m)
			if err != nil {
				return err
			}
			if *output == asJSON {
				return printJSON(cmd, m)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "image sha256:%s\n  %s, kernel %s, Kubernetes %s\n  %d MB, %d MB to send; in %s, after %s\n", m.Digest, m.Distribution,
				m.KernelRelease, orNone(m.KubernetesVersion), m.RawBytes/1e6, m.CompressedBytes/1e6, m.Dir, time.Since(began).Round(time.Second))
			if signed != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "  signed by %s\n  boots from the network as %s\n", m.SignedBy, signed)
			}
			switch {
			case done.Newer != "":
				fmt.Fprintf(cmd.OutOrStdout(), "  the mirror has newer packages: %s\n  built twice from those: the same bytes\n", done.Newer)
			case check:
				fmt.Fprintln(cmd.OutOrStdout(), "  built again from nothing: the same bytes")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&cache, "cache", defaultCache(), "directory that holds built images (environment: RA2_CACHE)")
	cmd.Flags().BoolVar(&check, "check", false, "build once more, from nothing in an empty cache, and compare the bytes")
	output = addFormat(cmd)
	return cmd
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
