package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/gpt"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// An Addon is a signed add-on of the kernel line and where it belongs.
type Addon struct {
	Program []byte
	Offset  int64  // of its place, in the partition ra2-esp, bytes
	Old     string // "sha256:<hex>" of what the image has there, of the same length
}

// Lay puts the add-on into its place on the system partition: over the one
// without words that the image has there, and over nothing else. The file
// system stays as it is. Until Seal the disk doesn't boot.
func (w *Written) Lay(a Addon) error {
	table, err := gpt.Parse(w.Head)
	if err != nil {
		return fmt.Errorf("read the image's partition table: %w", err)
	}
	part, err := table.Find(agent.PartESP)
	if err != nil {
		return err
	}
	length := (int64(len(a.Program)) + gpt.Sector - 1) / gpt.Sector * gpt.Sector
	if len(a.Program) == 0 || a.Offset < 0 || a.Offset%gpt.Sector != 0 || a.Offset > part.Bytes()-length {
		return fmt.Errorf("the place of the add-on, %d bytes at %d of partition %s, is none", len(a.Program), a.Offset, part.Name)
	}
	at := part.Offset() + a.Offset
	buf, err := aligned(int(length)) // what lies behind the file's end is nobody's
	if err != nil {
		return err
	}
	if err := w.dev.readAt(buf, at); err != nil {
		return fmt.Errorf("read the place of the add-on: %w", err)
	}
	sum := sha256.Sum256(buf[:len(a.Program)])
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != a.Old {
		return fmt.Errorf("the place of the add-on at byte %d of partition %s holds %s and should hold %s: the order is of another image", a.Offset, part.Name, got, a.Old)
	}
	copy(buf, a.Program)
	if err := w.Put(buf, at); err != nil {
		return fmt.Errorf("write the add-on: %w", err)
	}
	return nil
}
