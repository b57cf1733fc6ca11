package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func imageDiffCommand() *cobra.Command {
	var (
		cache  string
		output *format
	)
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two built images: packages, units, kernel, sizes",
		Long: `Compare two built images by what lies beside them: packages, units that are enabled
or masked, kernel settings, kernel and kernel line, sizes. An image is named by the
beginning of its digest, or by its folder.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err1 := images.Open(cache, args[0])
			b, err2 := images.Open(cache, args[1])
			if err := errors.Join(err1, err2); err != nil {
				return usage{err}
			}
			d := report.DiffImages(version(), a, b)
			if *output == asJSON {
				return printJSON(cmd, d)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), d.Text())
			return err
		},
	}
	cmd.Flags().StringVar(&cache, "cache", defaultCache(), "directory that holds built images (environment: RA2_CACHE)")
	output = addFormat(cmd)
	return cmd
}
