package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

// system is a disk that holds an installed system.
type system struct {
	name               string // "vda"
	config, root, data string // device nodes
	tree, esp          string // empty when the disk has none
}

// find waits for the disk of the installed system and reads the node's
// configuration from it.
func find(sys *pid1.System) (system, agent.NodeConfig, error) {
	end, told := time.Now().Add(diskWait), time.Now()
	for {
		found, err := pick("/", sys.Line.Disk)
		if err == nil {
			config, err := readConfig(found.config)
			return found, config, err
		}
		if time.Now().After(end) {
			return found, agent.NodeConfig{}, fmt.Errorf("after %s: %w", diskWait, err)
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			sys.Say("waiting for the disk of the installed system: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// pick returns the one disk that holds all partitions of a system. wanted
// ("serial:<s>") decides between two; without it two are an error, since the
// older one may be another node.
func pick(root host.Root, wanted string) (system, error) {
	all := systems(string(root))
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return system{}, fmt.Errorf("no disk has the partitions %s, %s and %s", agent.PartConfig, agent.PartRoot, agent.PartData)
	case wanted == "":
		return system{}, fmt.Errorf("the disks %s and %s both hold a system, and ra2.disk names none", all[0].name, all[1].name)
	}
	disk, err := host.FindDisk(root.Disks(), wanted)
	if err != nil {
		return system{}, err
	}
	for _, s := range all {
		if s.name == disk.Name {
			return s, nil
		}
	}
	return system{}, fmt.Errorf("disk %s holds no system", disk)
}

// systems looks through the partition names that the kernel tells
// (PARTNAME of sys/block/<disk>/<partition>/uevent).
func systems(root string) []system {
	var found []system
	disks, _ := filepath.Glob(filepath.Join(root, "sys/block/*"))
	for _, disk := range disks {
		s := system{name: filepath.Base(disk)}
		events, _ := filepath.Glob(filepath.Join(disk, "*/uevent"))
		for _, event := range events {
			name, device := partition(event)
			node := filepath.Join(root, "dev", device)
			if _, err := os.Stat(node); device == "" || err != nil {
				continue
			}
			switch name {
			case agent.PartConfig:
				s.config = node
			case agent.PartRoot:
				s.root = node
			case agent.PartESP:
				s.esp = node
			case agent.PartVerity:
				s.tree = node
			case agent.PartData:
				s.data = node
			}
		}
		if s.config != "" && s.root != "" && s.data != "" {
			found = append(found, s)
		}
	}
	return found
}

func partition(event string) (name, device string) {
	text, err := os.ReadFile(event)
	if err != nil {
		return "", ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "PARTNAME":
			name = value
		case "DEVNAME":
			device = value
		}
	}
	if device == "" { // not every uevent file names it; the folder does
		device = filepath.Base(filepath.Dir(event))
	}
	return name, device
}

func readConfig(node string) (agent.NodeConfig, error) {
	data := make([]byte, agent.ConfigBytes)
	f, err := os.Open(node)
	if err != nil {
		return agent.NodeConfig{}, fmt.Errorf("open the node configuration: %w", err)
	}
	defer f.Close()
	n, err := f.ReadAt(data, 0)
	if n == 0 {
		return agent.NodeConfig{}, fmt.Errorf("read the node configuration from %s: %w", node, err)
	}
	c, err := agent.DecodeConfig(data[:n])
	if errors.Is(err, wire.ErrNoConfig) {
		return c, fmt.Errorf("%s: %w; next: run ra2-deploy up, which installs this host again", node, err)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", node, err)
	}
	return c, nil
}
