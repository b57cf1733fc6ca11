package provisioner

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/preflight"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// listen opens the sockets of both servers and starts them.
func (s *servers) listen(ctx context.Context, key *ecdsa.PrivateKey) error {
	p, all := s.cluster.Provisioning, s.addresses()
	if err := refuse(rules.JudgeBefore(s.cluster, preflight.Before(ctx, p))); err != nil {
		return err
	}
	agents, err := s.openAgents(key)
	if err != nil {
		return err
	}
	boots, err := netboot.Listen(netboot.Config{
		Interface: p.Interface, Addr: all[0], More: all[1:], Mode: netboot.Mode(p.DHCP), Loaders: s.files.loaders(),
		Book: s.table, Report: s.booted,
	})
	if err != nil {
		_ = agents.listener.Close()
		return err
	}
	s.start(ctx, agents.serve, boots.Serve)
	return nil
}

// listenAgents opens the socket of the agent API alone and starts it.
func (s *servers) listenAgents(ctx context.Context, key *ecdsa.PrivateKey) error {
	if err := refuse(rules.JudgeOwn(s.cluster, preflight.Link(s.cluster.Provisioning.Interface))); err != nil {
		return err
	}
	agents, err := s.openAgents(key)
	if err != nil {
		return err
	}
	s.start(ctx, agents.serve)
	return nil
}

// addresses are the provisioner's own; hosts are told the first.
func (s *servers) addresses() []netip.Addr { return ownAddresses(s.cluster) }

func ownAddresses(c inventory.Cluster) []netip.Addr {
	var all []netip.Addr
	for _, n := range c.Provisioning.Networks {
		all = append(all, n.Addr())
	}
	return all
}

// agents is the agent API with its socket open.
type agents struct {
	listener net.Listener
	serve    func(context.Context) error
}

func (s *servers) openAgents(key *ecdsa.PrivateKey) (agents, error) {
	all := s.addresses()
	conf, err := agent.ServerTLS(key, time.Now(), all)
	if err != nil {
		return agents{}, err
	}
	listener, err := net.Listen("tcp", netip.AddrPortFrom(all[0], agentPort).String())
	if err != nil {
		return agents{}, fmt.Errorf("listen for the hosts' agents: %w (is another ra2-deploy running?)", err)
	}
	return agents{listener, func(ctx context.Context) error { return s.agent.Serve(ctx, listener, conf) }}, nil
}

// start runs servers until close; one that ends by itself is told.
func (s *servers) start(ctx context.Context, serve ...func(context.Context) error) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, run := range serve {
		s.wg.Go(func() {
			if err := run(ctx); err != nil {
				s.notice("", "a server ended: "+err.Error())
				s.failed <- err
			}
		})
	}
}

// kernelLine is what the network-booted system is told, word by word. Nothing
// in it is secret.
func kernelLine(c inventory.Cluster, n inventory.Node, url, pin string) ([]string, error) {
	line, err := hostLine(c, n, url, pin)
	if err != nil {
		return nil, err
	}
	return append(strings.Fields(line.String()), "console=tty0", "console=ttyS0,115200"), nil
}

func family4(addrs []netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

func noNode(name string) error { return fmt.Errorf("the inventory has no node %q", name) }

// find returns the node of this name.
func find(c inventory.Cluster, name string) (inventory.Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n inventory.Node) bool { return n.Name == name })
	if i < 0 {
		return inventory.Node{}, false
	}
	return c.Nodes[i], true
}
