package boot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/verity"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Corrupt says that the root partition doesn't hold what the image had.
type Corrupt struct {
	Found string // the kernel's own words
	Err   error  // what failed by it
}

// Error implements error.
func (e *Corrupt) Error() string {
	return fmt.Sprintf("the root partition doesn't hold what was written (%s): %v", e.Found, e.Err)
}

// Unwrap returns what failed.
func (e *Corrupt) Unwrap() error { return e.Err }

// whole tells a failure by a wrong block from all others.
func whole(err error) error {
	if err == nil {
		return nil
	}
	if bad, _ := verity.Corrupt(); bad {
		return &Corrupt{Found: verity.Found(), Err: err}
	}
	return err
}

// mountRoot mounts the root read-only, through its hash tree. A machine with a
// kernel of its own that can't do that doesn't start: what the kernel line asks
// for is not optional.
func mountRoot(sys *pid1.System, s system) (facts.Root, error) {
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return facts.Root{}, err
	}
	device, root := s.root, unverified(sys.Line.Verity, pid1.Container())
	if root.Verity == facts.RootVerified {
		if s.tree == "" {
			return root, errors.New("the kernel line names a root hash, and the disk has no partition ra2-verity")
		}
		sys.Module("dm-mod", "dm-verity")
		var err error
		if device, err = verity.Open(s.root, s.tree, sys.Line.Verity); err != nil {
			return root, err
		}
	}
	if err := unix.Mount(device, newRoot, "erofs", unix.MS_RDONLY, ""); err != nil {
		return root, whole(fmt.Errorf("mount the root %s (erofs): %w", device, err))
	}
	sys.Say("verity of the root: %s %s", root.Verity, root.Why)
	return root, nil
}

// unverified says why nothing verifies the root, where that is so.
func unverified(rootHash, container string) facts.Root {
	switch {
	case container != "":
		return facts.Root{Verity: facts.RootUnverified, Why: "it is a container machine (" + container + "): the kernel and its device mapper are the host's"}
	case rootHash == "":
		return facts.Root{Verity: facts.RootUnverified, Why: "the kernel line names no root hash (ra2.verity)"}
	}
	return facts.Root{Verity: facts.RootVerified}
}
