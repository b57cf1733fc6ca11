package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/disk"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// defaultTimeout bounds an action that names no time.
const defaultTimeout = 30 * time.Minute

// A worker does the actions of one order.
type worker struct {
	sys     *pid1.System
	client  *agent.Client
	tell    *teller
	config  agent.NodeConfig
	dev     *disk.Device
	written *disk.Written
	known   map[string]func(context.Context, agent.Action) error
}

func newWorker(sys *pid1.System, client *agent.Client, tell *teller) *worker {
	w := &worker{sys: sys, client: client, tell: tell}
	w.known = map[string]func(context.Context, agent.Action) error{
		agent.ActionImage2Disk: w.image2disk,
		agent.ActionAddon:      w.addon,
		agent.ActionNodeConfig: w.nodeConfig,
		agent.ActionKexec:      w.kexec,
	}
	return w
}

// do does all actions in their order and starts the installed system. Before
// the first it checks that it knows every one.
func (w *worker) do(ctx context.Context, order agent.Install) error {
	w.config = order.Config
	if w.config.Session == "" {
		w.config.Session = w.client.Bearer()
	}
	for _, a := range order.Actions {
		if w.known[a.Image] == nil {
			return fmt.Errorf("action %s: this installer doesn't know %q; nothing was done", a.Name, a.Image)
		}
	}
	for _, a := range order.Actions {
		if err := w.one(ctx, a); err != nil {
			return fmt.Errorf("action %s: %w", a.Name, err)
		}
	}
	if w.written == nil {
		return errors.New("the order holds no image to write")
	}
	if err := w.finish(ctx); err != nil {
		return err
	}
	return w.restart("the order names no kexec")
}

func (w *worker) one(ctx context.Context, a agent.Action) error {
	limit := time.Duration(a.Timeout) * time.Second
	if limit == 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took more than %s", limit))
	defer cancel()
	begun := time.Now()
	w.sys.Say("action %s (%s), at most %s", a.Name, a.Image, limit)
	w.tell.report(ctx, agent.Report{Phase: a.Name, Status: agent.StatusStarted})
	if err := w.known[a.Image](ctx, a); err != nil {
		return err
	}
	w.tell.report(ctx, agent.Report{Phase: a.Name, Status: agent.StatusDone, Took: time.Since(begun).Milliseconds()})
	return nil
}

// image2disk streams the image to the one disk that is named, and no other.
func (w *worker) image2disk(ctx context.Context, a agent.Action) error {
	target, err := w.disk(ctx, a.Environment[agent.EnvDisk])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(orZero(a.Environment[agent.EnvImageBytes]), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", agent.EnvImageBytes, err)
	}
	if w.dev, err = disk.Open(target.Node); err != nil {
		return err
	}
	var stream io.Reader = newStream(ctx, w.client, a.Environment[agent.EnvImageURL], w.sys.Say)
	if a.Environment[agent.EnvCompressed] == "true" {
		z, err := zstd.NewReader(stream, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxWindow(256<<20))
		if err != nil {
			return err
		}
		defer z.Close()
		stream = z
	}
	w.sys.Say("erasing %s and writing image %s", target, a.Environment[agent.EnvImageDigest])
	want := disk.Want{Digest: a.Environment[agent.EnvImageDigest], Bytes: size}
	w.written, err = disk.Write(ctx, w.dev, stream, want, w.tell.progress(ctx, target.String()))
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return nil
}

// disk waits a little for the disk: its controller may still be looking.
func (w *worker) disk(ctx context.Context, want string) (host.Disk, error) {
	for try := 0; ; try++ {
		found, err := host.FindDisk(host.Root("/").Disks(), want)
		if err == nil || try == 20 {
			return found, err
		}
		if try == 0 {
			w.sys.Say("waiting up to 20 s for the disk: %v", err)
		}
		select {
		case <-ctx.Done():
			return found, err
		case <-time.After(time.Second):
		}
	}
}

// nodeConfig lays what differs between nodes and makes the disk bootable.
func (w *worker) nodeConfig(context.Context, agent.Action) error {
	if w.written == nil {
		return errors.New("no image was written before it")
	}
	return w.written.Configure(w.config)
}

// finish seals the disk and tells so, before anything restarts.
func (w *worker) finish(ctx context.Context) error {
	if err := w.written.Seal(); err != nil {
		return err
	}
	if err := w.dev.Close(); err != nil {
		return fmt.Errorf("close disk: %w", err)
	}
	w.sys.Say("the image is on the disk and was read back")
	w.tell.report(ctx, agent.Report{Mark: step.MarkWritten, Status: agent.StatusNoted, Note: "the image is on the disk and was read back"})
	return nil
}

func (w *worker) restart(reason string) error {
	w.sys.Say("restarting through the firmware: %s", reason)
	pid1.Restart(w.sys.Say)
	return nil
}

func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}
