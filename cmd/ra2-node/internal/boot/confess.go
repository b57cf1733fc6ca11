package boot

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/nic"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// confessTime is how long a system that can't start tells why, before it
// restarts and tries again.
const confessTime = 10 * time.Minute

// confess tells the provisioner, while it listens, why this system is not
// started, so that the next run writes the host anew.
func confess(sys *pid1.System, c agent.NodeConfig, why error, root facts.Root) {
	sys.Say("%v", why)
	sys.Say("telling the provisioner %s for %s; next: ra2-deploy up, which installs this host again", c.Server, confessTime)
	ctx, cancel := context.WithTimeout(context.Background(), confessTime)
	defer cancel()
	if err := tell(ctx, sys, c, root); err != nil {
		sys.Say("tell the provisioner: %v", err)
	}
}

func tell(ctx context.Context, sys *pid1.System, c agent.NodeConfig, root facts.Root) error {
	want, err := settings(c)
	if err != nil {
		return err
	}
	if err := nic.Up(ctx, want, sys.Say); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	client, err := agent.NewClient(c.Server, c.Pin, c.Session)
	if err != nil {
		return err
	}
	for {
		hello := agent.Hello{Stage: agent.StageNode, Image: c.Image, Generation: c.Generation, Root: &root, Clock: time.Now()}
		if _, err := client.Word(ctx, hello); err != nil && ctx.Err() == nil {
			sys.Say("no word from %s: %v", c.Server, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
		}
	}
}

// settings are those of the node's NIC.
func settings(c agent.NodeConfig) (nic.Settings, error) {
	mac, err := net.ParseMAC(c.MAC)
	if err != nil {
		return nic.Settings{}, fmt.Errorf("the node configuration's MAC: %w", err)
	}
	s := nic.Settings{MAC: mac}
	for _, text := range c.Addresses {
		a, err := netip.ParsePrefix(text)
		if err != nil {
			return s, fmt.Errorf("the node configuration's addresses: %w", err)
		}
		s.Addresses = append(s.Addresses, a)
	}
	for _, text := range c.Gateways {
		g, err := netip.ParseAddr(text)
		if err != nil {
			return s, fmt.Errorf("the node configuration's gateways: %w", err)
		}
		s.Gateways = append(s.Gateways, g)
	}
	return s, nil
}
