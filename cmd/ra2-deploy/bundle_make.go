package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/source"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// contents are the flags of what shall be in a bundle.
type contents struct {
	distribution, kernel string
	mirror, cache        string
	images, files        []string // besides
}

func (c *contents) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.distribution, "distribution", "", "in the place of an inventory: what an image of this distribution needs, like debian-13")
	cmd.Flags().StringVar(&c.kernel, "kernel", "generic", "with --distribution: generic, for servers; or cloud, for virtual machines")
	cmd.Flags().StringVar(&c.mirror, "mirror", "", "ask this mirror for packages, like http://mirror.site/debian; or one that keeps old ones, as snapshot.debian.org does")
	cmd.Flags().StringArrayVar(&c.images, "add-container-image", nil, "add this image of a registry, like quay.io/metallb/speaker:v0.16.2; may be given several times")
	cmd.Flags().StringVar(&c.cache, "cache", defaultCache(), "directory that holds what was built and fetched (environment: RA2_CACHE)")
}

// args wants an inventory, unless a distribution is named, and what is made.
func (c *contents) args(cmd *cobra.Command, args []string) error {
	switch {
	case c.distribution != "" && len(args) == 2:
		return usage{errors.New("an inventory says which distribution it wants: name one of the two")}
	case c.distribution != "":
		return cobra.ExactArgs(1)(cmd, args)
	case cmd.Flags().Changed("kernel"):
		return usage{errors.New("an inventory says which kernel it wants: --kernel belongs to --distribution")}
	}
	return cobra.ExactArgs(2)(cmd, args)
}

// spec returns the image whose content is wanted.
func (c *contents) spec(args []string) (spec images.Spec, err error) {
	if c.distribution == "" {
		cluster, err := provisioner.Load(args[0])
		if err != nil {
			return spec, err
		}
		if spec, err = provisioner.ImageSpec(cluster, args[0]); err != nil {
			return spec, err
		}
	} else {
		self, err := os.Executable()
		if err != nil {
			return spec, err
		}
		spec = images.Spec{Distribution: c.distribution, Kernel: c.kernel, Kubernetes: true, Node: filepath.Join(filepath.Dir(self), "ra2-node")}
	}
	spec.Mirror = c.mirror
	return spec, nil
}

// sources returns where it comes from.
func (c *contents) sources(cmd *cobra.Command, spec images.Spec) ([]bundle.Source, error) {
	added, err := c.addedFiles()
	if err != nil {
		return nil, usage{err}
	}
	s, err := images.Sources(cmd.Context(), spec, c.cache, buildProgress(cmd))
	if err != nil {
		return nil, usage{err}
	}
	if spec.Locked == nil {
		return append(s, source.Registry{Images: c.images}, added), nil
	}
	beside := slices.DeleteFunc(slices.Clone(c.images), func(name string) bool {
		return slices.ContainsFunc(spec.Locked, func(i bundle.Item) bool { return i.Kind == bundle.Image && i.Name == name })
	})
	return append(s, besideLock{source.Registry{Images: beside}}, added), nil
}

// besideLock gives container images that a lock doesn't have.
type besideLock struct{ source.Registry }

// Local says that a lock has nothing of these.
func (besideLock) Local() bool { return true }

// addedFiles reads the values of --add-file.
func (c *contents) addedFiles() (source.Files, error) {
	all := source.Files{}
	for _, f := range c.files {
		name, path, ok := strings.Cut(f, "=")
		if !ok || path == "" {
			return nil, fmt.Errorf("--add-file %s: write NAME=PATH, like charts/app.tgz=../app-1.2.tgz", f)
		}
		if all[name] != "" {
			return nil, fmt.Errorf("--add-file %s: %s is named twice", f, name)
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("--add-file %s: %w", f, err)
		}
		all[name] = path
	}
	return all, nil
}

// resolving tells people what the first silence is for.
func resolving(cmd *cobra.Command, spec images.Spec) {
	buildProgress(cmd)(images.Progress{Doing: "ask for the packages of " + spec.Distribution, Takes: "20 s"})
}

// buildProgress tells people what is built.
func buildProgress(cmd *cobra.Command) func(images.Progress) {
	began := time.Now()
	return func(p images.Progress) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%4.0f s  %s\n", time.Since(began).Seconds(), p)
	}
}

// creating is what the command line of bundle create says.
type creating struct {
	contents
	signing
	lock  string
	image bool
}

func bundleCreateCommand() *cobra.Command {
	var c creating
	cmd := &cobra.Command{
		Use:   "create INVENTORY BUNDLE",
		Short: "Make a bundle of all that the image of an inventory is made of, in the new directory BUNDLE",
		Long: `Make a bundle of all that the image of an inventory is made of, in the new directory
BUNDLE: packages, container images, boot loaders and the installer. Packages are those
that the mirror has now, or with --lock exactly those of the lock. With --image the
finished image is in it, too (root): a site then builds nothing.

  ra2-deploy bundle create edge.yaml edge.bundle
  ra2-deploy bundle create --distribution debian-13 debian.bundle`,
		Args: c.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := c.run(cmd, args)
			if err != nil {
				return noBundle(err)
			}
			l, err := bundle.List(cmd.Context(), b.Dir())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "bundle %s: %s, %s in %s\n", b.Digest(), report.Count(len(b.Items()), "item"), report.Size(l.Total), b.Dir())
			return nil
		},
	}
	c.contents.add(cmd)
	c.signing.add(cmd)
	cmd.Flags().StringArrayVar(&c.files, "add-file", nil, "add a file of this host by the name that it shall have, NAME=PATH: a chart, manifests; may be given several times")
	cmd.Flags().StringVar(&c.lock, "lock", "", "take exactly what this lock says, a file that bundle lock made")
	cmd.Flags().BoolVar(&c.image, "image", false, "build the image, and put it in, too (root)")
	return cmd
}

// run checks all that the command line names before anything is fetched.
func (c *creating) run(cmd *cobra.Command, args []string) (bundle.Bundle, error) {
	m := maker{to: args[len(args)-1], tell: progressOf(cmd)}
	var err error
	if m.sign, err = c.signer(); err != nil {
		return bundle.Bundle{}, err
	}
	spec, err := c.spec(args)
	if err != nil {
		return bundle.Bundle{}, err
	}
	if c.lock != "" {
		if spec.Locked, err = readLock(cmd.Context(), c.lock); err != nil {
			return bundle.Bundle{}, err
		}
	}
	if m.sources, err = c.sources(cmd, spec); err != nil {
		return bundle.Bundle{}, err
	}
	if c.lock == "" {
		resolving(cmd, spec)
	}
	if c.image {
		return m.withImage(cmd, spec, c.cache)
	}
	return m.make(cmd.Context(), spec.Locked)
}

// maker makes one bundle.
type maker struct {
	to      string
	sources []bundle.Source
	sign    func([]byte) ([]byte, error)
	tell    func(bundle.Progress)
}

// make fills a bundle with what a lock says, or with what the sources give now.
// What is this host's own is in no lock.
func (m maker) make(ctx context.Context, locked []bundle.Item) (bundle.Bundle, error) {
	w, err := bundle.Create(m.to)
	if err != nil {
		return bundle.Bundle{}, err
	}
	defer w.Close()
	var items []bundle.Item
	if locked == nil {
		items, err = bundle.Resolve(ctx, m.sources)
	} else if items, err = bundle.Local(ctx, m.sources); err == nil {
		items = append(items, locked...)
	}
	if err != nil {
		return bundle.Bundle{}, err
	}
	if err := bundle.Fill(ctx, w, items, m.sources, m.tell); err != nil {
		return bundle.Bundle{}, err
	}
	return w.Commit(m.sign)
}

// withImage makes a bundle that has the finished image in it, beside what that
// was made of.
func (m maker) withImage(cmd *cobra.Command, spec images.Spec, cache string) (bundle.Bundle, error) {
	if os.Geteuid() != 0 {
		return bundle.Bundle{}, usage{errors.New("--image builds the image, which needs root: files of a system belong to their owners; run it with sudo")}
	}
	scratch, err := scratchFor(m.to, cache)
	if err != nil {
		return bundle.Bundle{}, err
	}
	defer os.RemoveAll(scratch)
	without := m
	without.to, without.sign = scratch, nil
	b, err := without.make(cmd.Context(), spec.Locked)
	if err != nil {
		return b, err
	}
	spec.Bundle, spec.Node = &b, ""
	built, err := images.Build(cmd.Context(), spec, cache, buildProgress(cmd))
	if err != nil {
		return b, err
	}
	finished, err := images.Files(built, cache)
	if err != nil {
		return b, err
	}
	m.sources = []bundle.Source{bundle.From(b), finished}
	return m.make(cmd.Context(), nil)
}

// scratchFor names where a bundle is first made without its image. What a run for
// the same bundle left there that was killed is removed.
func scratchFor(to, cache string) (string, error) {
	if _, err := os.Lstat(to); err == nil {
		return "", usage{fmt.Errorf("%s is there already: remove it, or name another place", to)}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	whole, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(whole))
	scratch := filepath.Join(cache, fmt.Sprintf("bundle-%x", sum[:8]))
	return scratch, os.RemoveAll(scratch)
}
