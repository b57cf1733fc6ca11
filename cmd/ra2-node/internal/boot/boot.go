// Package boot brings up the installed system from its initramfs: the root
// read-only, what may change in memory or on the data partition, what is this
// node's own laid over it, and then systemd.
package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Places that the installed system finds its own data at.
const (
	NodeFile   = "/run/ra2/node.json" // agent.NodeConfig, mode 0600
	RootFile   = "/run/ra2/root.json" // facts.Root
	SelfFile   = "/run/ra2/ra2-node"  // this program, in memory: what tells of a bad disk doesn't live on it
	DataDir    = "/data"              // the data partition
	newRoot    = "/sysroot"
	layersDir  = "/run/ra2/layers" // what is written to overlays, in memory
	diskWait   = 60 * time.Second
	systemInit = "/sbin/init"
)

// Run is the whole boot. It returns only with an error.
func Run(sys *pid1.System) error {
	sys.Module("erofs", "overlay", "ext4")
	disk, config, err := find(sys)
	if err != nil {
		return err
	}
	sys.Say("this is %s, image %.19s, from disk %s", config.Node, config.Image, disk.name)
	err = bringUp(sys, disk, config)
	if corrupt, ok := errors.AsType[*Corrupt](err); ok {
		confess(sys, config, corrupt, facts.Root{Verity: facts.RootCorrupt, Why: corrupt.Found})
	}
	if unsigned, ok := errors.AsType[*Unsigned](err); ok {
		confess(sys, config, unsigned, facts.Root{Verity: facts.RootUnverified, Why: "it was not started", Line: unsigned.Error()})
	}
	return err
}

// bringUp mounts everything and starts the installed system.
func bringUp(sys *pid1.System, disk system, config agent.NodeConfig) error {
	wrong, err := signedLine(sys.Line, config)
	if err != nil {
		return err
	}
	lacks := obeyKernelLine(sys, disk, config)
	root, err := mountAll(sys, disk)
	if err != nil {
		return err
	}
	root.Lacks, root.Line = lacks, wrong
	if err := WriteRoot(root); err != nil {
		return err
	}
	if err := keepSelf(); err != nil {
		return err
	}
	if err := layAll(newRoot, config, pid1.Container()); err != nil {
		return fmt.Errorf("lay the node's own files: %w", err)
	}
	if err := keep(NodeFile, config); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(config.Node)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	sys.Say("starting %s", systemInit)
	return whole(switchRoot(newRoot, systemInit))
}

// keep gives the node's services what the boot knows: in memory, for root.
func keep(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// keepSelf copies this program to memory.
func keepSelf() error {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("copy ra2-node to memory: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(SelfFile), 0o700); err != nil {
		return err
	}
	return os.WriteFile(SelfFile, self, 0o700)
}

// ReadRoot reads what is known of the root: by the boot, and by the watch.
func ReadRoot() (*facts.Root, error) {
	text, err := os.ReadFile(RootFile)
	if err != nil {
		return nil, fmt.Errorf("read what is known of the root: %w", err)
	}
	root := new(facts.Root)
	if err := json.Unmarshal(text, root); err != nil {
		return nil, fmt.Errorf("read what is known of the root: %s: %w", RootFile, err)
	}
	return root, nil
}

// WriteRoot replaces it, whole.
func WriteRoot(root facts.Root) error {
	if err := keep(RootFile+".new", root); err != nil {
		return err
	}
	return os.Rename(RootFile+".new", RootFile)
}

// ReadConfig reads what the boot kept for the node's service.
func ReadConfig() (agent.NodeConfig, error) {
	var c agent.NodeConfig
	text, err := os.ReadFile(NodeFile)
	if err != nil {
		return c, fmt.Errorf("read the node configuration: %w: was this system started by ra2-node's initramfs?", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("read the node configuration %s: %w", NodeFile, err)
	}
	return c, nil
}
