package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/disk"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// maxAddon bounds what is taken for an add-on, in bytes.
const maxAddon = 1 << 20

// addon lays the signed words of the host's class beside the signed program.
func (w *worker) addon(ctx context.Context, a agent.Action) error {
	if w.written == nil {
		return errors.New("no image was written before it")
	}
	env := a.Environment
	offset, err := strconv.ParseInt(env[agent.EnvAddonOffset], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", agent.EnvAddonOffset, err)
	}
	f, err := w.fetch(ctx, "add-on", env[agent.EnvAddonURL], env[agent.EnvAddonDigest])
	if err != nil {
		return err
	}
	defer f.Close()
	program, err := io.ReadAll(io.NewSectionReader(f, 0, maxAddon+1))
	if err != nil {
		return err
	}
	if len(program) > maxAddon {
		return fmt.Errorf("the add-on has more than %d bytes", maxAddon)
	}
	return w.written.Lay(disk.Addon{Program: program, Offset: offset, Old: env[agent.EnvAddonOld]})
}
