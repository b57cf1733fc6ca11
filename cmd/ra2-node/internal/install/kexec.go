package install

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// kexec ends the install: it seals the disk and starts the installed system's
// kernel, which saves a server's second POST. Where that can't be, the machine
// goes through its firmware; the provisioner is told why.
func (w *worker) kexec(ctx context.Context, a agent.Action) error {
	if w.written == nil {
		return errors.New("no image was written before it")
	}
	loadErr := w.loadKernel(ctx, a.Environment)
	if loadErr != nil && !errors.Is(loadErr, pid1.ErrNoKexec) {
		return loadErr
	}
	if err := w.finish(ctx); err != nil {
		return err
	}
	if loadErr == nil {
		w.sys.Say("starting the installed system's kernel")
		loadErr = pid1.StartKernel()
	}
	w.tell.report(ctx, agent.Report{Phase: a.Name, Status: agent.StatusNoted, Note: "restarting through the firmware: " + loadErr.Error()})
	return w.restart(loadErr.Error())
}

func (w *worker) loadKernel(ctx context.Context, env map[string]string) error {
	if name := pid1.Container(); name != "" {
		return fmt.Errorf("%w: it is a container machine (%s) and the kernel is the host's", pid1.ErrNoKexec, name)
	}
	kernel, err := w.fetch(ctx, "kernel", env[agent.EnvKernelURL], env[agent.EnvKernelDigest])
	if err != nil {
		return err
	}
	defer kernel.Close()
	initrd, err := w.fetch(ctx, "initrd", env[agent.EnvInitrdURL], env[agent.EnvInitrdDigest])
	if err != nil {
		return err
	}
	defer initrd.Close()
	return pid1.LoadKernel(kernel, initrd, env[agent.EnvCommandLine])
}

// fetch copies a file of the API to memory and checks it.
func (w *worker) fetch(ctx context.Context, name, ref, digest string) (*os.File, error) {
	return pid1.InMemory(name, newStream(ctx, w.client, ref, w.sys.Say), digest)
}
