package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// dataDirs are the folders of the data partition that the node binds into its
// root, and their modes: what outlives a boot.
func dataDirs() map[string]fs.FileMode {
	return map[string]fs.FileMode{
		"etc-kubernetes": 0o755, "var-lib-etcd": 0o700, "var-lib-kubelet": 0o700,
		"var-lib-containerd": 0o711, "var-log": 0o755, "ra2": 0o700,
	}
}

// patience is how long containerd may take to start and to end on the host.
const patience = 60 * time.Second

// hostConfig runs containerd as an image store only: without CRI, and with
// everything that it writes below folders of our own.
const hostConfig = `version = 3
root = %q
state = %q
imports = []
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri",
  "io.containerd.podsandbox.controller.v1.podsandbox", "io.containerd.image-verifier.v1.bindir", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = %q

[ttrpc]
address = %q

[plugins.'io.containerd.internal.v1.opt']
path = %q
`

// store is a containerd that runs on this host while a data tree is filled.
type store struct {
	client, socket, root string
	run                  string // folder of its own, on this host
	daemon               *exec.Cmd
	log                  string
	ended                chan error
}

// fillStore puts container images of a bundle into the containerd store at root, unpacked for the overlayfs snapshotter, as the CRI plugin
// leaves images that it has pulled itself and pinned.
func fillStore(ctx context.Context, containerd, ctr, root string, from bundle.Bundle, images []bundle.Item) error {
	run, err := os.MkdirTemp("", "ra2-store-") // short: a socket's path has 107 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(run)
	s, err := startStore(ctx, containerd, ctr, root, run)
	if err != nil {
		return fmt.Errorf("fill the image store: %w", err)
	}
	err = s.fill(ctx, from, images)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err == nil {
		err = eachLayer(from, images, func(digest string) error { return ignore(os.Remove(filepath.Join(s.blobs(), digest)), fs.ErrNotExist) })
	}
	if err == nil {
		err = settleStore(root)
	}
	if err != nil {
		return fmt.Errorf("fill the image store: %w", err)
	}
	return nil
}

func startStore(ctx context.Context, containerd, ctr, root, run string) (*store, error) {
	s := &store{client: ctr, root: root, run: run, socket: filepath.Join(run, "s"), log: filepath.Join(run, "log"), ended: make(chan error, 1)}
	config := filepath.Join(run, "config.toml")
	text := fmt.Sprintf(hostConfig, root, filepath.Join(run, "state"), s.socket, s.socket+".ttrpc", filepath.Join(run, "opt"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.daemon = exec.Command(containerd, "--config", config)
	s.daemon.Stdout, s.daemon.Stderr = log, log
	if err := s.daemon.Start(); err != nil {
		return nil, fmt.Errorf("start containerd: %w", err)
	}
	go func() { s.ended <- s.daemon.Wait() }()
	if err := s.ready(ctx); err != nil {
		s.daemon.Process.Kill()
		return nil, err
	}
	return s, nil
}

// ready waits for the socket.
func (s *store) ready(ctx context.Context) error {
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", s.socket); err == nil {
			return conn.Close()
		}
		select {
		case err := <-s.ended:
			return fmt.Errorf("containerd ended at its start (%w): %s", err, s.said())
		case <-deadline:
			return fmt.Errorf("containerd doesn't answer on %s after %s: %s", s.socket, patience, s.said())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// said gives the end of the daemon's log.
func (s *store) said() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

func (s *store) ctr(ctx context.Context, args ...string) error {
	_, err := command.Run(ctx, command.Command{Args: append([]string{s.client, "--address", s.socket, "--namespace", "k8s.io"}, args...)})
	return err
}

func (s *store) fill(ctx context.Context, from bundle.Bundle, images []bundle.Item) error {
	for _, i := range images {
		archive, err := archiveImage(s.run, from, i)
		if err != nil {
			return fmt.Errorf("%s: %w", i, err)
		}
		if err := s.ctr(ctx, "images", "import", "--local", "--snapshotter", "overlayfs", "--platform", "linux/amd64", archive); err != nil {
			return fmt.Errorf("%s: %w", i, err)
		}
		if err := os.Remove(archive); err != nil {
			return err
		}
		// Labels of containerd's CRI plugin (internal/cri/labels): the first
		// says that it knows the image, the second keeps the kubelet's image
		// garbage collection off, since there may be no registry to pull from.
		if err := s.ctr(ctx, "images", "label", i.Name, "io.cri-containerd.image=managed", "io.cri-containerd.pinned=pinned"); err != nil {
			return fmt.Errorf("%s: %w", i, err)
		}
	}
	// Nobody reads the packed layers once they are unpacked. containerd forgets
	// them here, as the CRI plugin's discard_unpacked_layers does; it would
	// remove the files at some later time.
	err := eachLayer(from, images, func(digest string) error { return s.ctr(ctx, "content", "rm", "sha256:"+digest) })
	if err != nil {
		return err
	}
	return s.collect(ctx)
}

// collect removes what nothing refers to, now. containerd does it by itself at
// some time, and whether that came before its end would decide the bytes of the
// store. A lease that goes synchronously is how a client can ask for it.
func (s *store) collect(ctx context.Context) error {
	if err := s.ctr(ctx, "leases", "create", "--id", "ra2-collect"); err != nil {
		return err
	}
	return s.ctr(ctx, "leases", "delete", "--sync", "ra2-collect")
}

// blobs is the folder of the content store's files, named by their digest.
func (s *store) blobs() string {
	return filepath.Join(s.root, "io.containerd.content.v1.content/blobs/sha256")
}

// stop ends the daemon and waits, so that its database is closed.
func (s *store) stop() error {
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-s.ended:
		if err != nil {
			return fmt.Errorf("containerd ended with %w: %s", err, s.said())
		}
		return nil
	case <-time.After(patience):
		s.daemon.Process.Kill()
		return fmt.Errorf("containerd didn't end %s after SIGTERM: %s", patience, s.said())
	}
}
