package provisioner

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// contentPort is where nodes find the content of a bundle: as a registry, and as
// repositories of packages.
const contentPort = 8444

// contentURL is where nodes look for content, whether somebody serves it now or
// not.
func contentURL(c inventory.Cluster) string { return urlOf(ownAddresses(c)[0], contentPort) }

func urlOf(a netip.Addr, port uint16) string {
	return "https://" + net.JoinHostPort(a.String(), strconv.Itoa(int(port)))
}

// mirrorOf is what a node is told of the site's registry. It is the same in every
// run, so that it never makes a node differ.
func mirrorOf(c inventory.Cluster, key *ecdsa.PrivateKey) (*agent.Mirror, error) {
	ca, err := agent.AuthorityPEM(key)
	if err != nil {
		return nil, err
	}
	return &agent.Mirror{URL: contentURL(c), CA: string(ca)}, nil
}

// Content is a bundle that is ready to be served to a cluster's nodes.
type Content struct {
	*mirror.Server
	Bundle bundle.Bundle
	Places []string // URLs that it is served at; nodes know the first
	CA     string   // file with the certificate that its own is signed by

	listeners []net.Listener
	serve     []func(context.Context) error
}

// ContentOptions say what is served, and where.
type ContentOptions struct {
	Bundle    string           // path: a directory, or an exported file
	Key       *bundle.Verifier // that it must be signed by; nil doesn't ask
	Cache     string           // where an exported file is unpacked to
	Listen    netip.AddrPort   // zero: the addresses of the provisioning network, at the port that nodes know
	Log       *slog.Logger
	Progress  func(bundle.Progress) // may be nil
	Inventory string                // path; the site's key lies beside it
}

// OpenContent reads a bundle through, and opens the sockets to serve it at. A bundle
// that is bad in any part is refused: it would be found bad later, by a node.
func OpenContent(ctx context.Context, c inventory.Cluster, o ContentOptions) (*Content, error) {
	b, err := bundle.Find(ctx, o.Bundle, o.Cache, o.Key, o.Progress)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, bundle.ErrNone) {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err != nil {
		return nil, err
	}
	return openContent(ctx, c, b, o)
}

func openContent(ctx context.Context, c inventory.Cluster, b bundle.Bundle, o ContentOptions) (*Content, error) {
	st := stateOf(o.Inventory)
	key, err := st.agentKey()
	if err != nil {
		return nil, err
	}
	out := &Content{Bundle: b, CA: st.path(fileAuthority)}
	if out.Server, err = mirror.New(b, o.Log); err != nil {
		return nil, err
	}
	ca, err := agent.AuthorityPEM(key)
	if err == nil {
		err = st.write(fileAuthority, ca)
	}
	if err != nil {
		return nil, err
	}
	if err := out.listen(ctx, key, places(c, o.Listen)); err != nil {
		return nil, err
	}
	return out, nil
}

// places are the addresses to listen at.
func places(c inventory.Cluster, listen netip.AddrPort) []netip.AddrPort {
	if listen.IsValid() {
		return []netip.AddrPort{listen}
	}
	var all []netip.AddrPort
	for _, a := range ownAddresses(c) {
		all = append(all, netip.AddrPortFrom(a, contentPort))
	}
	return all
}

// listen opens all sockets, or none.
func (c *Content) listen(ctx context.Context, key *ecdsa.PrivateKey, at []netip.AddrPort) error {
	names, err := namesOf(at)
	if err != nil {
		return err
	}
	conf, err := agent.ServerTLS(key, time.Now(), names)
	if err != nil {
		return err
	}
	for _, a := range at {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.String())
		if err != nil {
			return errors.Join(fmt.Errorf("listen for nodes that want the bundle: %w (is `ra2-deploy bundle serve` or another run with --bundle running?)", err), c.Close())
		}
		c.listeners = append(c.listeners, l)
		c.Places = append(c.Places, "https://"+l.Addr().String())
		c.serve = append(c.serve, func(ctx context.Context) error { return c.Server.Serve(ctx, l, conf) })
	}
	return nil
}

// namesOf returns the addresses that clients may know the sockets by.
func namesOf(at []netip.AddrPort) ([]netip.Addr, error) {
	var names []netip.Addr
	for _, a := range at {
		if !a.Addr().IsUnspecified() {
			names = append(names, a.Addr())
			continue
		}
		own, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of this machine: %w", err)
		}
		for _, o := range own {
			if p, err := netip.ParsePrefix(o.String()); err == nil {
				names = append(names, p.Addr().Unmap())
			}
		}
	}
	return slices.Compact(names), nil
}

// Serve answers until ctx ends, which is no error, or one of the sockets fails.
func (c *Content) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(c.serve))
	for _, run := range c.serve {
		go func() {
			defer stop()
			ended <- run(ctx)
		}()
	}
	var errs []error
	for range c.serve {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// Close closes the sockets of a Content that was not served.
func (c *Content) Close() error {
	var errs []error
	for _, l := range c.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
