package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
)

func imageCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Build the disposable operating system, and compare two"}
	cmd.AddCommand(imageBuildCommand(), imageDiffCommand())
	return cmd
}

// imageBuild is what the command line of image build says.
type imageBuild struct {
	cache, bundle, key string
	check              bool
	output             *format
}

func imageBuildCommand() *cobra.Command {
	var o imageBuild
	cmd := &cobra.Command{
		Use:   "build INVENTORY",
		Short: "Build the image that an inventory wants, or find it built (root)",
		Long: `Build the image that an inventory wants, from packages and container images of a
bundle alone. With --bundle it is that one, and the network is asked for nothing;
else one is made first, in the cache: of Debian's packages of today, and of Go modules
that the checksum database vouches for. The result is kept in the cache, addressed
by its digest, and built again only when an input changes.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&o.cache, "cache", defaultCache(), "directory that holds built images (environment: RA2_CACHE)")
	cmd.Flags().StringVar(&o.bundle, "bundle", "", "bundle to build from: its directory, or the file that it was exported to")
	cmd.Flags().StringVar(&o.key, "key", "", "file with the public key that must have signed the bundle (minisign)")
	cmd.Flags().BoolVar(&o.check, "check", false, "build once more, from nothing in an empty cache, and compare the bytes")
	o.output = addFormat(cmd)
	return cmd
}

func (o imageBuild) run(cmd *cobra.Command, path string) error {
	cluster, err := provisioner.Load(path)
	if err != nil {
		return err
	}
	spec, err := provisioner.ImageSpec(cluster, path)
	if err != nil {
		return err
	}
	began := time.Now()
	tell := func(p images.Progress) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%4.0f s  %s\n", time.Since(began).Seconds(), p)
	}
	wanted := spec
	if spec, err = o.from(cmd.Context(), spec); err != nil {
		return err
	}
	var done images.Checked
	if o.check {
		done, err = images.Check(cmd.Context(), spec, o.cache, tell)
	} else {
		done.Image, err = carriedOrBuilt(cmd.Context(), spec, o.cache, tell)
	}
	if err != nil {
		return err
	}
	if spec.Bundle != nil {
		if err := images.Choose(wanted, o.cache, done.Image); err != nil {
			return err
		}
	}
	signed, err := provisioner.SignInstaller(cluster, path, o.cache, done.Image)
	if err != nil {
		return err
	}
	return o.print(cmd, done, signed, time.Since(began))
}

// carriedOrBuilt gives the finished image that a bundle carries, or builds it.
func carriedOrBuilt(ctx context.Context, spec images.Spec, cache string, tell func(images.Progress)) (images.Manifest, error) {
	if spec.Bundle != nil {
		m, err := images.Carried(*spec.Bundle, spec, cache)
		if !errors.Is(err, images.ErrNotCarried) {
			return m, err
		}
	}
	return images.Build(ctx, spec, cache, tell)
}

// from gives the spec of an image that is made of the bundle which the command
// line names, if it does. ra2-node is the bundle's, where it has one.
func (o imageBuild) from(ctx context.Context, spec images.Spec) (images.Spec, error) {
	if o.bundle == "" {
		if o.key != "" {
			return spec, fmt.Errorf("%w: --key says who must have signed a bundle: name the bundle with --bundle", provisioner.ErrUsage)
		}
		return spec, nil
	}
	var key *bundle.Verifier
	if o.key != "" {
		text, err := os.ReadFile(o.key)
		if err != nil {
			return spec, fmt.Errorf("%w: %w", provisioner.ErrUsage, err)
		}
		verifier, err := bundle.ReadVerifier(string(text))
		if err != nil {
			return spec, fmt.Errorf("%w: %s: %w", provisioner.ErrUsage, o.key, err)
		}
		key = &verifier
	}
	b, err := bundle.Find(ctx, o.bundle, o.cache, key, nil)
	if err != nil {
		return spec, err
	}
	spec.Bundle = &b
	if slices.ContainsFunc(b.Items(), func(i bundle.Item) bool { return i.Name == images.NodePackage }) {
		spec.Node = ""
	}
	return spec, nil
}

// print tells what was built. signed is the file of the signed boot program, "" for
// none.
func (o imageBuild) print(cmd *cobra.Command, done images.Checked, signed string, took time.Duration) error {
	m := done.Image
	if *o.output == asJSON {
		return printJSON(cmd, m)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "image sha256:%s\n  %s, kernel %s, Kubernetes %s; of bundle %s\n  %d MB, %d MB to send; in %s, after %s\n", m.Digest, m.Distribution,
		m.KernelRelease, orNone(m.KubernetesVersion), m.Bundle, m.RawBytes/1e6, m.CompressedBytes/1e6, m.Dir, took.Round(time.Second))
	fmt.Fprintln(cmd.OutOrStdout(), "  to send:", partSizes(m))
	if signed != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "  signed by %s\n  boots from the network as %s\n", m.SignedBy, signed)
	}
	switch {
	case done.Newer != "":
		fmt.Fprintf(cmd.OutOrStdout(), "  the mirror has newer packages: %s\n  built twice from those: the same bytes\n", done.Newer)
	case o.check:
		fmt.Fprintln(cmd.OutOrStdout(), "  built again from nothing: the same bytes")
	}
	return nil
}

// partSizes tells what each partition takes of the download; container images
// are on the data partition.
func partSizes(m images.Manifest) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(m.PartPacked)) {
		words = append(words, fmt.Sprintf("%s %.1f MB", name, float64(m.PartPacked[name])/1e6))
	}
	return strings.Join(words, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
