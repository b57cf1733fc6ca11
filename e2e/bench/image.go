package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/deb"
	"github.com/ra2-deploy/ra2-deploy/images/disk"
	of "github.com/ra2-deploy/ra2-deploy/images/family"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
)

// benchImage builds an image from its bundle, with nothing else in the cache,
// and beside it lets plain mmdebstrap install the same packages from the same
// files, into a tarball and into an erofs. Ours makes a whole disk besides: hash
// tree, container images unpacked, boot loaders, digests. They take turns.
func benchImage(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	cache := flags.String("cache", provisioner.DefaultCache, "directory of built images")
	rounds := flags.Int("rounds", 3, "times that each is built; the fastest counts")
	kubernetes := flags.Bool("kubernetes", true, "false: the system alone, without Kubernetes and container images")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*cache, "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newImageBench(ctx, dir, *cache, *kubernetes)
	if err != nil {
		return err
	}
	fmt.Printf("image sha256:%s, %s, %d packages installed\n\n", b.image.Digest, b.image.Distribution, len(b.names))
	fmt.Printf("%-52s %9s %9s\n", "", "wall time", "CPU time")
	var best []timed
	for _, way := range b.ways() {
		t, err := fastest(ctx, *rounds, way.run)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		fmt.Printf("%-52s %7.1f s %7.1f s\n", way.name, t.wall.Seconds(), t.cpu.Seconds())
		best = append(best, t)
	}
	fmt.Printf("\nours / mmdebstrap's tarball: %.2f, of CPU time %.2f     (aim: at most 1.0)\n\n", best[0].wall.Seconds()/best[2].wall.Seconds(), best[0].cpu.Seconds()/best[2].cpu.Seconds())
	printParts(b.image)
	return nil
}

// imageBench is what both sides start from.
type imageBench struct {
	dir, inventory string
	image          images.Manifest
	bundle         bundle.Bundle
	repository     string   // folder: the bundle's packages, for mmdebstrap
	names          []string // of the packages that ours installs
	programs       string   // folder of ra2-deploy and a ra2-node that changes
}

// way is one thing that is measured.
type way struct {
	name string
	run  func(ctx context.Context, round int) (timed, error)
}

// timed is how long something took.
type timed struct{ wall, cpu time.Duration }

func newImageBench(ctx context.Context, dir, cache string, kubernetes bool) (*imageBench, error) {
	b := &imageBench{dir: dir, inventory: filepath.Join(dir, "bench.yaml"), programs: filepath.Join(dir, "bin")}
	text := strings.Replace((&rack{places: make([]place, 1)}).inventory(), "  classes:", fmt.Sprintf("  image: {kernel: cloud, kubernetes: %t}\n  classes:", kubernetes), 1)
	if err := os.WriteFile(b.inventory, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if _, err := timedRun(ctx, "cp", "-a", "bin", b.programs); err != nil {
		return nil, err
	}
	// Whatever is missing is built and fetched here, before anything is measured.
	out, err := exec.CommandContext(ctx, filepath.Join(b.programs, "ra2-deploy"), "image", "build", "-o", "json", "--cache", cache, b.inventory).Output()
	if err != nil {
		return nil, fmt.Errorf("build an image: %w", err)
	}
	if err := json.Unmarshal(out, &b.image); err != nil {
		return nil, err
	}
	b.image.Dir = filepath.Join(cache, "images", b.image.Digest)
	found, err := filepath.Glob(filepath.Join(cache, "bundle", "*", "bundle"))
	if err != nil {
		return nil, err
	}
	for _, dir := range found {
		if opened, err := bundle.Open(dir); err == nil && string(opened.Digest()) == b.image.Bundle {
			b.bundle = opened
			return b, b.layOut()
		}
	}
	return nil, fmt.Errorf("bundle %s of the image is not in %s", b.image.Bundle, cache)
}

// layOut makes a repository of the bundle's packages that the image has.
func (b *imageBench) layOut() error {
	b.repository = filepath.Join(b.dir, "repository")
	if err := os.Mkdir(b.repository, 0o755); err != nil {
		return err
	}
	var entries []deb.Entry
	for _, i := range b.bundle.Kind(bundle.Deb) {
		control, err := deb.ReadControl(b.bundle.Path(i))
		if err != nil {
			return err
		}
		name := deb.FileName(of.Package{Name: i.Name, Version: i.Version, Arch: i.Arch})
		if err := os.Symlink(b.bundle.Path(i), filepath.Join(b.repository, name)); err != nil {
			return err
		}
		entries = append(entries, deb.Entry{Control: control, Name: name, Size: i.Size, SHA256: i.Digest.Hex()})
		unpacked := strings.HasPrefix(i.Name, "linux-image-") || slices.Contains([]string{"systemd-boot-efi", "syslinux-common", "ipxe", images.NodePackage}, i.Name)
		if !unpacked && slices.Contains(b.image.Packages, i.Name+" "+i.Version) {
			b.names = append(b.names, i.Name)
		}
	}
	index := deb.Index(entries)
	return errors.Join(os.WriteFile(filepath.Join(b.repository, "Packages"), index, 0o644),
		os.WriteFile(filepath.Join(b.repository, "Release"), deb.Release("bench", index), 0o644))
}

// ways are what is measured; the first and the third are compared.
func (b *imageBench) ways() []way {
	cache := filepath.Join(b.dir, "cache")
	ours := func(ctx context.Context) (timed, error) {
		return timedRun(ctx, filepath.Join(b.programs, "ra2-deploy"), "image", "build", "--cache", cache, "--bundle", b.bundle.Dir(), b.inventory)
	}
	theirs := func(ctx context.Context, to string, more ...string) (timed, error) {
		return timedRun(ctx, append(append([]string{"mmdebstrap", "--quiet", "--variant=essential", "--mode=root", "--architectures=amd64", "--include=" + strings.Join(b.names, ",")}, more...),
			"bench", to, "deb [trusted=yes] copy://"+b.repository+" ./")...)
	}
	return []way{
		{"ours: whole disk image from the bundle", func(ctx context.Context, _ int) (timed, error) {
			if err := os.RemoveAll(cache); err != nil {
				return timed{}, err
			}
			return ours(ctx)
		}},
		{"ours: the same, when only ra2-node changed", func(ctx context.Context, round int) (timed, error) {
			if err := appendTo(filepath.Join(b.programs, "ra2-node"), fmt.Sprint(round)); err != nil {
				return timed{}, err
			}
			return ours(ctx)
		}},
		{"mmdebstrap: the same packages, tar.zst", func(ctx context.Context, round int) (timed, error) {
			return theirs(ctx, filepath.Join(b.dir, fmt.Sprintf("theirs-%d.tar.zst", round)))
		}},
		{"mmdebstrap and mkfs.erofs: the same packages", func(ctx context.Context, round int) (timed, error) {
			tree := filepath.Join(b.dir, fmt.Sprintf("theirs-%d", round))
			t, err := theirs(ctx, tree, "--format=directory")
			if err != nil {
				return t, err
			}
			packed, err := timedRun(ctx, "mkfs.erofs", "--quiet", "-zlz4", tree+".erofs", tree)
			return timed{t.wall + packed.wall, t.cpu + packed.cpu}, errors.Join(err, os.RemoveAll(tree))
		}},
	}
}

// fastest runs something a few times.
func fastest(ctx context.Context, rounds int, run func(context.Context, int) (timed, error)) (timed, error) {
	var all []timed
	for round := range rounds {
		t, err := run(ctx, round)
		if err != nil {
			return timed{}, err
		}
		all = append(all, t)
	}
	return slices.MinFunc(all, func(a, b timed) int { return int(a.wall - b.wall) }), nil
}

// timedRun runs a command; its children's CPU time counts.
func timedRun(ctx context.Context, line ...string) (timed, error) {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	t := timed{wall: time.Since(began)}
	if err != nil {
		return t, fmt.Errorf("%s: %w:\n%s", line[0], err, out[max(0, len(out)-2000):])
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.cpu = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return t, nil
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// printParts prints what each partition takes, on the disk and to send.
func printParts(m images.Manifest) {
	fmt.Printf("%-12s %10s %12s\n", "", "on disk", "to send")
	for _, name := range []string{disk.NameESP, disk.NameRoot, disk.NameVerity, disk.NameData} {
		fmt.Printf("%-12s %7.0f MB %9.1f MB\n", name, float64(m.PartBytes[name])/1e6, float64(m.PartPacked[name])/1e6)
	}
	fmt.Printf("%-12s %7.0f MB %9.1f MB\n", "all", float64(m.RawBytes)/1e6, float64(m.CompressedBytes)/1e6)
	fmt.Printf("without container images (%s): %.0f MB to send     (aim: at most 300)\n", disk.NameData, float64(m.CompressedBytes-m.PartPacked[disk.NameData])/1e6)
}
