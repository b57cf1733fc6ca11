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

// benchImage builds an image from its bundle, with nothing else in the cache.
// Beside it mkosi makes a disk of the same packages from the same files: an erofs
// with a hash tree, without boot loaders, initrd and container images, which ours
// has besides. Plain mmdebstrap makes less, a tarball and an erofs.
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
	defer b.mkosi.clean()
	fmt.Printf("image sha256:%s, %s, %d packages installed\n\n", b.image.Digest, b.image.Distribution, len(b.names))
	fmt.Printf("%-60s %9s %9s\n", "", "wall time", "CPU time")
	var best []timed
	for _, way := range b.ways() {
		t, err := fastest(ctx, *rounds, way.run)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		fmt.Printf("%-60s %7.1f s %7.1f s\n", way.name, t.wall.Seconds(), t.cpu.Seconds())
		best = append(best, t)
	}
	fmt.Println()
	for n, than := range []string{"mkosi's disk", "mmdebstrap's tarball"} {
		fmt.Printf("ours / %-20s  %.2f, of CPU time %.2f     (aim: at most 1.0)\n", than, best[0].wall.Seconds()/best[2+n].wall.Seconds(), best[0].cpu.Seconds()/best[2+n].cpu.Seconds())
	}
	fmt.Println()
	printParts(b.image)
	return nil
}

// imageBench is what both sides start from.
type imageBench struct {
	dir, inventory string
	cache          string // the user's
	image          images.Manifest
	bundle         bundle.Bundle
	mkosi          mkosi
	mkosiVersion   string
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
	b := &imageBench{dir: dir, cache: cache, inventory: filepath.Join(dir, "bench.yaml"), programs: filepath.Join(dir, "bin")}
	text := strings.Replace((&rack{places: make([]place, 1)}).inventory(), "  classes:", fmt.Sprintf("  image: {kernel: cloud, kubernetes: %t}\n  classes:", kubernetes), 1)
	if err := os.WriteFile(b.inventory, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if _, err := timedRun(ctx, "cp", "-a", "bin", b.programs); err != nil {
		return nil, err
	}
	// Whatever is missing is built and fetched here, before anything is measured.
	if _, err := timedRun(ctx, filepath.Join(b.programs, "ra2-deploy"), "image", "build", "--cache", cache, b.inventory); err != nil {
		return nil, err
	}
	if err := b.make(ctx); err != nil {
		return nil, err
	}
	var err error
	if b.mkosi, err = newMkosi(ctx, cache, "http://deb.debian.org/debian"); err != nil {
		return nil, err
	}
	if b.mkosiVersion, err = b.mkosi.version(ctx); err != nil {
		return nil, err
	}
	return b, b.layOut()
}

// make makes the bundle, and the image of it.
func (b *imageBench) make(ctx context.Context) error {
	program, to := filepath.Join(b.programs, "ra2-deploy"), filepath.Join(b.dir, "bundle")
	if _, err := timedRun(ctx, program, "bundle", "create", "--cache", b.cache, b.inventory, to); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, program, "image", "build", "-o", "json", "--cache", b.cache, "--bundle", to, b.inventory).Output()
	if err != nil {
		return fmt.Errorf("build an image: %w", err)
	}
	if err := json.Unmarshal(out, &b.image); err != nil {
		return err
	}
	b.image.Dir = filepath.Join(b.cache, "images", b.image.Digest)
	b.bundle, err = bundle.Open(to)
	return err
}

// layOut makes repositories of the bundle's packages that the image has, in the
// form that each of the others wants.
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
	path := func(e deb.Entry) string { return filepath.Join(b.bundle.Dir(), "blobs/sha256", e.SHA256) }
	if err := b.mkosi.prepare(entries, path, b.names); err != nil {
		return err
	}
	index := deb.Index(entries)
	return errors.Join(os.WriteFile(filepath.Join(b.repository, "Packages"), index, 0o644),
		os.WriteFile(filepath.Join(b.repository, "Release"), deb.Release("bench", index), 0o644))
}

// ways are what is measured; the first is compared with the third and the fourth.
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
		{"ours: when only ra2-node changed", b.changed},
		{b.mkosiVersion + ": the same packages, disk with erofs, verity", b.mkosi.build},
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

// changed builds an image with another ra2-node, of what the user's cache has, and
// removes it from there.
func (b *imageBench) changed(ctx context.Context, round int) (timed, error) {
	if err := appendTo(filepath.Join(b.programs, "ra2-node"), fmt.Sprint(round)); err != nil {
		return timed{}, err
	}
	line := []string{filepath.Join(b.programs, "ra2-deploy"), "image", "build", "-o", "json", "--cache", b.cache, b.inventory}
	t, err := timedRun(ctx, line...)
	if err != nil {
		return t, err
	}
	out, err := exec.CommandContext(ctx, line[0], line[1:]...).Output() // finds it built
	if err != nil {
		return t, err
	}
	var m images.Manifest
	if err := json.Unmarshal(out, &m); err != nil {
		return t, err
	}
	return t, os.RemoveAll(filepath.Join(b.cache, "images", m.Digest))
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
