package disk

import (
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/gpt"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// Configure writes the node's configuration to its partition and makes the
// partition table that of this disk: the backup at its end, the data partition
// up to it. The new table is in Head; Seal puts it on the disk.
func (w *Written) Configure(config agent.NodeConfig) error {
	table, err := gpt.Parse(w.Head)
	if err != nil {
		return fmt.Errorf("read the image's partition table: %w", err)
	}
	part, err := table.Find(agent.PartConfig)
	if err != nil {
		return err
	}
	data, err := agent.EncodeConfig(config)
	if err != nil {
		return err
	}
	if part.Bytes() < int64(len(data)) {
		return fmt.Errorf("partition %s has %d bytes and should have %d", part.Name, part.Bytes(), len(data))
	}
	if err := w.Put(data, part.Offset()); err != nil {
		return fmt.Errorf("write node configuration: %w", err)
	}
	grown, err := table.Grow(w.dev.bytes)
	if err != nil {
		return err
	}
	backup, at := grown.Backup()
	if err := w.Put(backup, at); err != nil {
		return fmt.Errorf("write the backup partition table: %w", err)
	}
	grown.Primary(w.Head)
	return nil
}
