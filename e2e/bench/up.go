package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/cluster"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
)

// benchUp measures `up` of a whole HA site, and the same site where only the
// hosts are installed by `up` and the cluster is formed by hand.
func benchUp(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	file := flags.String("site", "e2e/sites/ha.yaml", "file that describes the lab")
	byHand := flags.String("by-hand", "", "form the cluster of this directory's site; called by the program itself")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *byHand != "" {
		return formByHand(ctx, &site{name: "bench-hand", top: *byHand})
	}
	if os.Geteuid() != 0 {
		return errors.New("run as root: the lab makes network namespaces, and the image is built as root")
	}
	whole, digest, err := measureUp(ctx, *file)
	if err != nil {
		return err
	}
	install, formed, err := measureHand(ctx, *file, digest)
	if err != nil {
		return err
	}
	hand := install + formed
	fmt.Printf("\n%-28s %8.1f s\n", "up, from nothing to Ready", whole.Seconds())
	fmt.Printf("%-28s %8.1f s  (installed by up %.1f s, kubeadm by hand %.1f s)\n", "the same with kubeadm by hand", hand.Seconds(), install.Seconds(), formed.Seconds())
	fmt.Printf("%-28s %8.2f    (aim: at most 1.15)\n", "up / by hand", whole.Seconds()/hand.Seconds())
	return nil
}

// measureUp returns how long up takes until everything is Ready and proven,
// and the digest of the image.
func measureUp(ctx context.Context, file string) (took time.Duration, digest string, err error) {
	s, err := newSite(ctx, "bench-up", file, "")
	defer func() { err = errors.Join(err, s.end(err != nil)) }()
	if err != nil {
		return 0, "", err
	}
	text, err := s.run(ctx, "image", "build", "-o", "json", s.inventory())
	if err != nil {
		return 0, "", err
	}
	var image images.Manifest
	if err := json.Unmarshal([]byte(text), &image); err != nil {
		return 0, "", fmt.Errorf("read what image build says: %w", err)
	}
	began := time.Now()
	said, err := s.up(ctx)
	if err != nil {
		return 0, "", err
	}
	took = time.Since(began)
	_, split, ok := strings.Cut(said, "\nnode ")
	if !ok {
		return 0, "", fmt.Errorf("up printed no table of times:\n%s", said)
	}
	split, _, _ = strings.Cut(split, "\nEverything")
	fmt.Printf("up, %.1f s:\nnode %s\n", took.Seconds(), split)
	return took, image.Digest, nil
}

// measureHand returns how long up takes to install the hosts alone, and how
// long the cluster takes by hand after that.
func measureHand(ctx context.Context, file, digest string) (install, formed time.Duration, err error) {
	s, err := newSite(ctx, "bench-hand", file, "    image: {distribution: debian-13, kernel: cloud, kubernetes: false}\n")
	defer func() { err = errors.Join(err, s.end(err != nil)) }()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if _, err := s.up(ctx, "--image", digest); err != nil {
		return 0, 0, err
	}
	install = time.Since(began)
	fmt.Printf("hosts installed after %.1f s\n", install.Seconds())
	began = time.Now()
	err = rerun(ctx, "ra2-"+s.name, "up", "--by-hand", s.top)
	return install, time.Since(began), err
}

// formByHand runs inside of the lab's network.
func formByHand(ctx context.Context, s *site) error {
	data, err := os.ReadFile(s.inventory())
	if err != nil {
		return err
	}
	want, problems := inventory.Parse(s.inventory(), data, inventory.Options{Now: time.Now()})
	if len(problems) > 0 {
		return problems
	}
	h := &hand{site: s, want: want}
	if h.pki, err = kubeadm.NewPKI(rand.Reader, time.Now()); err != nil {
		return err
	}
	if h.cluster, err = cluster.New(want, h.pki, rand.Reader, time.Now); err != nil {
		return err
	}
	return h.form(ctx)
}
