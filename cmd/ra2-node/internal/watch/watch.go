// Package watch is ra2-node beside a system whose root is verified: it reads the
// whole root now and then, so that a wrong block is found before somebody needs
// it, and asks device mapper whether the kernel has found one. A node with a
// wrong block stops working for its cluster and tells the provisioner, until it
// is installed again. It runs from memory and needs no file of the root.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/boot"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/verity"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Times of the watch. The first reading waits until a system that starts has
// its disk for itself; a reading of 200 MB takes five seconds at most of a disk's time.
const (
	lookEvery  = 2 * time.Second
	readFirst  = time.Minute
	readEvery  = 24 * time.Hour
	readPause  = 50 * time.Millisecond // after each piece
	readPiece  = 2 << 20
	tellPause  = 10 * time.Second
	corruptTag = "/run/ra2/corrupt" // the kubelet doesn't start beside it
)

// Watch is one node's watch.
type Watch struct {
	Config agent.NodeConfig
	Word   func(context.Context, agent.Hello) (agent.Word, error)
	Say    func(string, ...any)
	Look   func() (corrupt bool, err error)    // asks device mapper
	Found  func() string                       // the kernel's words about the wrong block
	Read   func(context.Context) error         // reads the whole root
	Tell   func(context.Context, string) error // tells the cluster why
	Halt   func(why string) error              // takes the node out of its cluster's work
}

// Run is the watch with the real system around it. Where nothing verifies the
// root there is nothing to watch.
func Run(ctx context.Context, say func(string, ...any)) error {
	root, err := boot.ReadRoot()
	if err != nil {
		return err
	}
	if root.Verity == facts.RootUnverified {
		say("nothing verifies the root of this node: %s", root.Why)
		return nil
	}
	config, err := boot.ReadConfig()
	if err != nil {
		return err
	}
	client, err := agent.NewClient(config.Server, config.Pin, config.Session)
	if err != nil {
		return err
	}
	w := &Watch{Config: config, Word: client.Word, Say: say, Look: verity.Corrupt, Found: verity.Found, Read: readRoot, Halt: halt}
	tell := func(ctx context.Context, c condition) error {
		return installed("/").set(ctx, config.Node, c, time.Now())
	}
	w.Tell = func(ctx context.Context, why string) error { return tell(ctx, corrupt(why)) }
	if config.Addon != "" {
		go tellLine(ctx, say, root.Line, tell)
	}
	return w.Run(ctx)
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	var reader sync.WaitGroup
	defer reader.Wait()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	reader.Go(func() { w.readAll(reading) })
	for {
		bad, err := w.Look()
		if err != nil {
			return err
		}
		if bad {
			stop()
			return w.found(ctx, w.Found())
		}
		if !sleep(ctx, lookEvery) {
			return ctx.Err()
		}
	}
}

// readAll reads the root again and again. A read that fails is judged by
// device mapper: an error of the disk itself is not a wrong block.
func (w *Watch) readAll(ctx context.Context) {
	for pause := readFirst; sleep(ctx, pause); pause = readEvery {
		began := time.Now()
		if err := w.Read(ctx); err != nil && ctx.Err() == nil {
			w.Say("read the root: %v", err)
			continue
		}
		if ctx.Err() == nil {
			w.Say("the whole root was read in %s; each block is what the image had", time.Since(began).Round(time.Millisecond))
		}
	}
}

// found takes the node out of the cluster's work and tells the provisioner
// until this host is installed again.
func (w *Watch) found(ctx context.Context, why string) error {
	w.Say("CORRUPT: the root partition doesn't hold what was written: %s", why)
	w.Say("next: this node's kubelet is stopped; ra2-deploy up installs this host again")
	if err := w.Tell(ctx, why); err != nil && !errors.Is(err, os.ErrNotExist) { // one that is no member yet has no files
		w.Say("tell the cluster: %v", err)
	}
	if err := w.Halt(why); err != nil {
		w.Say("stop the kubelet: %v", err)
	}
	root := facts.Root{Verity: facts.RootCorrupt, Why: why}
	for {
		_, err := w.Word(ctx, agent.Hello{
			Stage: agent.StageNode, Image: w.Config.Image, Generation: w.Config.Generation, Root: &root, Clock: time.Now(),
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, refused := errors.AsType[*agent.Refused](err); refused {
			w.Say("the provisioner doesn't know this node's session: %v", err)
		}
		if !sleep(ctx, tellPause) {
			return ctx.Err()
		}
	}
}

// halt keeps the kubelet from running: its unit doesn't start beside the tag,
// and what runs is killed by its cgroup, without any program of the root
// (cgroup-v2: cgroup.kill). The cluster finds the node not ready.
func halt(why string) error {
	if err := boot.WriteRoot(facts.Root{Verity: facts.RootCorrupt, Why: why}); err != nil {
		return err
	}
	if err := os.WriteFile(corruptTag, []byte(why+"\n"), 0o644); err != nil {
		return err
	}
	err := os.WriteFile("/sys/fs/cgroup/system.slice/kubelet.service/cgroup.kill", []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it doesn't run
	}
	return err
}

// readRoot reads the mapping past the page cache, which holds what was verified
// before.
func readRoot(ctx context.Context) error {
	found, err := filepath.Glob("/sys/block/dm-*/dm/name")
	if err != nil {
		return err
	}
	for _, file := range found {
		name, err := os.ReadFile(file)
		if err == nil && string(name) == verity.Name+"\n" {
			return readDevice(ctx, "/dev/"+filepath.Base(filepath.Dir(filepath.Dir(file))))
		}
	}
	return fmt.Errorf("no device is called %s", verity.Name)
}

func readDevice(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	piece, err := unix.Mmap(-1, 0, readPiece, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON) // O_DIRECT wants whole pages
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(piece) }()
	for {
		switch _, err := f.Read(piece); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !sleep(ctx, readPause) {
			return ctx.Err()
		}
	}
}

// sleep reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
