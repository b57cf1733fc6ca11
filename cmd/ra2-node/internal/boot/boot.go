// Package boot brings up the installed system from its initramfs: the root
// read-only, what may change in memory or on the data partition, what is this
// node's own laid over it, and then systemd.
package boot

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// Places that the installed system finds its own data at.
const (
	NodeFile   = "/run/ra2/node.json" // agent.NodeConfig, mode 0600
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
	if err := mountAll(sys, disk); err != nil {
		return err
	}
	if err := layAll(newRoot, config); err != nil {
		return fmt.Errorf("lay the node's own files: %w", err)
	}
	if err := keepConfig(config); err != nil {
		return err
	}
	late, missing := kernelLine(host.Root("/"), config.KernelLine)
	for _, word := range late {
		sys.Say("kernel line: %s is in force from now on", word)
	}
	for _, word := range missing {
		sys.Say("kernel line: %s is not in force; it is after a network boot", word)
	}
	if err := unix.Sethostname([]byte(config.Node)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	sys.Say("starting %s", systemInit)
	return switchRoot(newRoot, systemInit)
}

// keepConfig gives the node's service its configuration: in memory, for root.
func keepConfig(c agent.NodeConfig) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(NodeFile), 0o700); err != nil {
		return err
	}
	return os.WriteFile(NodeFile, text, 0o600)
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
